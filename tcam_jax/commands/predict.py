"""Predict images and videos: tcam predict --workdir=DIR --input=PATH --output=DIR.

PATH is an image, a video, a folder that holds some at any depth, a glob in quotes, or camera:0;
several --input are predicted together. --model=FOLDER, of tcam export_model, takes the place of
--workdir. Into the output folder go predictions.jsonl, one line a frame, written as it goes, and
overlays/: a picture for each image, a video for each video; --format=csv,coco,mot,yolo,masks writes
more.
Files that cannot be read, or not to their end, are named, and the rest is predicted. The same
command, run again, goes on with what is not finished.
"""

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from absl import flags
from tqdm import tqdm

from tcam_jax.commands import command_line
from tcam_jax.data.folder_walk import in_words
from tcam_jax.data.video import promised_frames
from tcam_jax.evaluate.boxes import REGIONS
from tcam_jax.evaluate.threshold_rules import MAP_RULES
from tcam_jax.predict.decision import LEAST_SCORE
from tcam_jax.predict.formats import masks
from tcam_jax.predict.formats.records import Records
from tcam_jax.predict.formats.registry import FORMATS, MASKS, check_formats, convert
from tcam_jax.predict.given_files import Given, find_given
from tcam_jax.predict.inputs import InputFrame, frames_of, read_files
from tcam_jax.predict.many_files import Drawn, Masks, Overlays, in_brief, write_results
from tcam_jax.predict.result_folder import RECORDS, ResultFolder
from tcam_jax.predict.shards import share_of
from tcam_jax.runs.load import fingerprint, load
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.interruption import Interruption
from tcam_jax.runtime.stopwatch import Stopwatch
from tcam_jax.runtime.terminal import say

_NETWORK = command_line.define_network()
_INPUT = command_line.define_paths(
    "input", "an image, a video, a folder of them, a glob, or camera:0"
)
_OUTPUT = command_line.define_path("output", "folder for the results")
_FORMAT = flags.DEFINE_list(
    "format", ["jsonl"], f"files to write, beside jsonl: {', '.join((*FORMATS, MASKS))}"
)
_SHARD = flags.DEFINE_string(
    "shard", None, "i/n, i from 0: every n-th file alone, into a folder of its own in --output"
)
_REGIONS = flags.DEFINE_enum(
    "regions", "largest", REGIONS, "one box a frame, or one for each region above the threshold"
)
_MIN_AREA = flags.DEFINE_float("min_area", 0.0, "leave out boxes of a smaller share of the frame")
_MIN_PROBABILITY = flags.DEFINE_float(
    "min_probability", 0.0, "no box in a frame whose class is less probable"
)
_MIN_SCORE = flags.DEFINE_float("min_score", LEAST_SCORE, "leave out boxes of a lower score")
_TAU = flags.DEFINE_float("tau", None, "threshold, 0 to 1; default: the run's")
_RULE = flags.DEFINE_enum("rule", None, MAP_RULES, "each map's own threshold, instead of --tau")
_CLASS = flags.DEFINE_string("class", None, "report this class; default: the most probable one")
_SMOOTHING = flags.DEFINE_integer(
    "smoothing",
    0,
    "in videos: average each map with those of this many frames on each side",
    lower_bound=0,
)
_TRACK = flags.DEFINE_boolean("track", False, "in videos: number what each box follows")
_SMOOTH_BOXES = flags.DEFINE_integer(
    "smooth_boxes",
    0,
    "in videos: average each box with its track's in this many frames on each side",
    lower_bound=0,
)
_STRIDE = flags.DEFINE_integer("stride", 1, "take every so many frames of videos", lower_bound=1)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 16, "frames a forward pass", lower_bound=1)
_OVERLAYS = flags.DEFINE_boolean("overlays", True, "draw pictures and videos")
_PROFILE = flags.DEFINE_boolean("profile", False, "print where the time of a frame went")


def main() -> None:
    """Predict every frame of every file that is not finished."""
    network, output = _NETWORK(), Path(_OUTPUT.value)
    formats = check_formats(_FORMAT.value, (*FORMATS, MASKS))
    given = find_given(_INPUT.value, output)
    files = given.files
    if _SHARD.value is not None:
        files, folder = share_of(files, _SHARD.value)
        output /= folder
    settings = {"network": fingerprint(network), **_settings(formats)}
    stopwatch, faults, count = Stopwatch(), dict[Path, str](), 0
    with Interruption() as stop, ResultFolder(output, settings) as results:
        for warning in results.warnings:
            say(f"warning: {warning}", error=True)
        left = [file for file in files if not results.is_finished(file)]
        if given.camera and results.is_finished(Path(given.camera)):
            raise InputError(f"--output={output} has frames of {given.camera}: take a new folder.")
        if left:
            predictor = load(network, batch_size=_BATCH_SIZE.value, **_options())
            frames = stop.between(read_files(left, _STRIDE.value, faults.__setitem__))
            if given.camera:
                say("Ctrl-C ends the recording.", error=True)
                frames = _recorded(given.camera, stop, faults)
            drawn = _drawn(given, output, formats, results.made())
            with _progress(left, given) as progress:
                predictions = predictor.stream(
                    frames, _SMOOTHING.value, stopwatch, _TRACK.value, _SMOOTH_BOXES.value
                )
                count = write_results(
                    predictions, faults, results, drawn, stopwatch, progress.update
                )
    for path, reason in faults.items():
        say(f"warning: {path}: {reason}", error=True)
    if given.left_out:
        say(in_words(given.left_out, given.root), error=True)
    before = len(files) - len(left)
    if not count + before and files:
        raise InputError(f"no frame of {', '.join(_INPUT.value)} can be read.")
    written = [output / RECORDS]
    others = [name for name in formats if name not in ("jsonl", MASKS)]
    if others and count + before:  # a shard may have no file
        # Earlier calls with the same --output may have had files of another folder.
        written += convert(Records(written, given.root, widen=True), output, others)
    if MASKS in formats:
        written += [folder for folder in [output / masks.FOLDER] if folder.exists()]
    say(f"{in_brief(count, len(left), len(faults), before)}: {', '.join(map(str, written))}")
    if _PROFILE.value and count:
        for activity in ("decode", "forward", "boxes", "draw"):
            say(f"{activity:8} {1000 * stopwatch.seconds[activity] / count:8.2f} ms a frame")


def _options() -> dict[str, Any]:
    """Return the options of `Predictor` that change results."""
    given = {"tau": _TAU.value, "rule": _RULE.value, "class_name": _CLASS.value}
    return {
        "regions": _REGIONS.value,
        "min_area": _MIN_AREA.value,
        "min_probability": _MIN_PROBABILITY.value,
        "min_score": _MIN_SCORE.value,
        **{name: value for name, value in given.items() if value is not None},
    }


def _settings(formats: list[str]) -> dict[str, Any]:
    """Return what two calls must have in common for the second to go on from the first."""
    return {
        "stride": _STRIDE.value,
        "smoothing": _SMOOTHING.value,
        "track": _TRACK.value,
        "smooth_boxes": _SMOOTH_BOXES.value,
        "overlays": _OVERLAYS.value,
        "masks": MASKS in formats,
        **_options(),
    }


def _recorded(camera: str, stop: Interruption, faults: dict[Path, str]) -> Iterator[InputFrame]:
    """Yield what a camera sees until it is asked to stop, which is its end and no interruption."""
    seen = False
    try:
        for frame in frames_of(camera):
            yield frame
            seen = True
            if stop.requested():
                return
    except InputError as error:  # what was seen is kept
        if not seen:
            raise
        faults[Path(camera)] = str(error)


def _drawn(given: Given, output: Path, formats: list[str], made: set[str]) -> list[Drawn]:
    drawn: list[Drawn] = []
    if _OVERLAYS.value:
        drawn.append(Overlays(output, given.overlays(), made))
    if MASKS in formats:
        drawn.append(Masks(output, _REGIONS.value, given.masks(), made))
    return drawn


def _progress(files: Iterable[Path], given: Given) -> tqdm:
    """Return a bar that learns meanwhile how many frames there are in all."""
    bar = tqdm(unit="frame", smoothing=0.1)

    def count() -> None:
        numbers = [promised_frames(file) if file in given.videos else 1 for file in files]
        bar.total = sum(-(-number // _STRIDE.value) for number in numbers if number)

    threading.Thread(target=count, daemon=True).start()
    return bar


def run() -> None:
    """Run the command with the flags of the command line."""
    command_line.run(main, required=["input", "output"])
