"""Predict images and videos: tcam predict --workdir=DIR --input=PATH --output=DIR.

PATH is an image, a video, or a folder that holds some at any depth; --model=FOLDER, of
tcam export_model, takes the place of --workdir. Into the output folder go predictions.jsonl, one
line a frame, written as it goes, and overlays/: a picture for each image, a video for each video.
Files that cannot be read, or not to their end, are named, and the rest is predicted.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby, tee
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from absl import flags
from PIL import Image
from tqdm import tqdm

from tcam_jax.commands import command_line
from tcam_jax.data.folder_walk import in_words
from tcam_jax.predict.frame_source import SourceFrame, find_files, is_video, read_frames
from tcam_jax.predict.overlays import NO_BOXES, draw_overlay
from tcam_jax.predict.prediction import Prediction
from tcam_jax.predict.predictor import Predictor
from tcam_jax.predict.video_writer import VideoWriter
from tcam_jax.pseudo_labels.regions import REGIONS
from tcam_jax.runs.load import load
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import cannot_write
from tcam_jax.runtime.stopwatch import Stopwatch

_WORKDIR = flags.DEFINE_string("workdir", None, "folder of a trained run")
_MODEL = flags.DEFINE_string("model", None, "folder of tcam export_model, instead of --workdir")
_INPUT = flags.DEFINE_string("input", None, "an image, a video, or a folder of them")
_OUTPUT = flags.DEFINE_string("output", None, "folder for the results, without earlier ones")
_REGIONS = flags.DEFINE_enum(
    "regions", "largest", REGIONS, "one box a frame, or one for each region above the threshold"
)
_MIN_AREA = flags.DEFINE_float("min_area", 0.0, "leave out boxes of a smaller share of the frame")
_TAU = flags.DEFINE_float("tau", None, "threshold, share of a map's maximum; default: the run's")
_CLASS = flags.DEFINE_string("class", None, "report this class; default: the most probable one")
_SMOOTHING = flags.DEFINE_integer(
    "smoothing",
    0,
    "in videos: average each map with those of this many frames on each side",
    lower_bound=0,
)
_STRIDE = flags.DEFINE_integer("stride", 1, "take every so many frames of videos", lower_bound=1)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 16, "frames a forward pass", lower_bound=1)
_OVERLAYS = flags.DEFINE_boolean("overlays", True, "draw pictures and videos")
_PROFILE = flags.DEFINE_boolean("profile", False, "print where the time of a frame went")


def main() -> None:
    """Predict every frame; write the lines and the overlays."""
    source, output = Path(_INPUT.value), Path(_OUTPUT.value)
    if output.resolve() == source.resolve():
        raise InputError(f"--output={output} must be another folder than --input.")
    files, left_out = find_files(source)
    predictor, lines = _predictor(), _open_lines(output)
    # Images share batches, whatever is between them; a video has its own, in its order of time.
    images = [file for file in files if not is_video(file)]
    clips = [images] if images else []
    clips += [[file] for file in files if is_video(file)]
    faults: dict[Path, str] = {}
    stopwatch = Stopwatch()
    with lines, tqdm(unit=" frames", smoothing=0.1) as progress:
        for clip in clips:
            progress.set_postfix_str("images" if clip is images else clip[0].name)
            shown, read = tee(_frames(clip, faults))
            predictions = predictor.stream(
                (frame.image for _, frame in read),
                0 if clip is images else _SMOOTHING.value,
                stopwatch,
            )
            # Predictions first: they read ahead, and `shown` keeps what they have read.
            found = _counted(zip(predictions, shown, strict=False), progress)
            _write(found, lines, output, source, stopwatch)
        frames = progress.n
    for path, reason in faults.items():
        print(f"warning: {path}: {reason}", file=sys.stderr)
    if left_out:
        print(in_words(left_out, source), file=sys.stderr)
    if not frames:
        (output / "predictions.jsonl").unlink()
        raise InputError(f"no frame of {source} can be read: {next(iter(faults.values()))}.")
    print(f"{frames} frames of {len(files)} files, {len(faults)} with faults: {lines.name}")
    if _PROFILE.value:
        _print_profile(stopwatch, frames)


def _predictor() -> Predictor:
    if (_WORKDIR.value is None) == (_MODEL.value is None):
        raise InputError("give --workdir=DIR of a run, or --model=FOLDER of tcam export_model.")
    options: dict[str, Any] = {
        "regions": _REGIONS.value,
        "min_area": _MIN_AREA.value,
        "class_name": _CLASS.value,
        "batch_size": _BATCH_SIZE.value,
    }
    if _TAU.value is not None:
        options["tau"] = _TAU.value
    return load(_WORKDIR.value or _MODEL.value, **options)


def _open_lines(output: Path) -> TextIO:
    path = output / "predictions.jsonl"
    try:
        output.mkdir(parents=True, exist_ok=True)
        return path.open("x", buffering=1)  # whole lines, whatever ends the process
    except FileExistsError:
        fault = "there are results of an earlier call" if path.exists() else "it is a file"
    except OSError as error:
        fault = str(error.strerror)
    raise InputError(f"--output={output} must be a new folder, or one to write to: {fault}.")


def _frames(files: Iterable[Path], faults: dict[Path, str]) -> Iterator[tuple[Path, SourceFrame]]:
    for file in files:
        for frame in read_frames(file, _STRIDE.value, faults.__setitem__):
            yield file, frame


def _counted(frames: Iterable[Any], progress: tqdm) -> Iterator[Any]:
    for frame in frames:
        yield frame
        progress.update()


def _write(
    predicted: Iterable[tuple[Prediction, tuple[Path, SourceFrame]]],
    lines: TextIO,
    output: Path,
    source: Path,
    stopwatch: Stopwatch,
) -> None:
    """Write the lines and overlays of images, or of one video."""
    for file, frames in groupby(predicted, key=lambda item: item[1][0]):
        name = file.name if file == source else str(file.relative_to(source))
        overlay = output / "overlays" / name
        with VideoWriter(overlay.with_name(f"{overlay.name}.mp4")) as video:
            for prediction, (_, frame) in frames:
                with stopwatch.of("draw"):
                    try:
                        lines.write(_line(file, frame, prediction))
                        if not _OVERLAYS.value:
                            continue
                        overlay.parent.mkdir(parents=True, exist_ok=True)
                        picture = _picture(frame, prediction)
                        if frame.seconds is not None:
                            video.write(picture, frame.seconds)
                        else:
                            path = overlay.with_name(f"{overlay.name}.jpg")
                            Image.fromarray(picture).save(path, quality=90)
                    except OSError as error:
                        raise cannot_write(output, error) from error


def _line(file: Path, frame: SourceFrame, prediction: Prediction) -> str:
    record = {
        "file": str(file),
        "frame": frame.index,
        "time": frame.seconds,
        "class": prediction.class_name,
        "probability": prediction.probability,
        "boxes": prediction.boxes,
        "scores": prediction.scores,
    }
    return json.dumps(record) + "\n"


def _picture(frame: SourceFrame, prediction: Prediction) -> np.ndarray:
    title = f"{prediction.class_name} {prediction.probability:.2f}"
    boxes = np.array(prediction.boxes).reshape(-1, 4)
    boxes[:, 2:] = np.ceil(boxes[:, 2:]) - 1  # the last pixel inside: where a line can be seen
    return draw_overlay(frame.image, prediction.resized_map(), NO_BOXES, boxes, title)


def _print_profile(stopwatch: Stopwatch, frames: int) -> None:
    for activity in ("decode", "forward", "boxes", "draw"):
        print(f"{activity:8} {1000 * stopwatch.seconds[activity] / frames:8.2f} ms a frame")


def run() -> None:
    """Run the command with the flags of the command line."""
    command_line.run(main, required=["input", "output"])
