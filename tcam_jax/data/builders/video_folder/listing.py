"""What lies in a user's folder: the videos of every class, in three layouts, and their shots."""

import hashlib
import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypedDict

from tcam_jax.data.animation import is_video
from tcam_jax.data.builders.findings import Finding, Findings
from tcam_jax.data.builders.folders import entries, image_files
from tcam_jax.data.builders.video_folder.box_file import BOX_FILES, not_read
from tcam_jax.data.builders.video_folder.same_videos import Video, without_copies
from tcam_jax.data.builders.video_folder.video_files import extract
from tcam_jax.data.builders.video_folder.video_split import ShotFiles
from tcam_jax.data.folder_walk import by_suffix
from tcam_jax.data.pictures import SUFFIXES as IMAGE_SUFFIXES
from tcam_jax.data.pictures import is_image, open_image, to_rgb
from tcam_jax.data.shot_cuts import CutDetector, shots_between
from tcam_jax.data.video import SUFFIXES as VIDEO_SUFFIXES
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.json_files import read_json
from tcam_jax.runtime.shapes import Count

LAYOUT = "expected class/video/shot/*.jpg, class/video/*.jpg or class/*.mp4 (or another video file)"


_logger = logging.getLogger(__name__)


def list_videos(root: Path, findings: Findings) -> dict[str, list[Video]]:
    """The videos of every class, both sorted by name; of copies one, see `without_copies`.

    Raises:
        InputError: a class without videos, no class, or a folder that is laid out in no known way.
    """
    classes: dict[str, list[Video]] = {}
    empty = []
    for class_folder in entries(root, root, findings):
        if not class_folder.is_dir():
            if is_image(class_folder) or is_video(class_folder):
                raise InputError(f"{class_folder} belongs to no class; {LAYOUT}; move it there")
            if class_folder.name not in BOX_FILES:
                name = class_folder.name
                findings.add(Finding("not_a_frame", name, not_read(name)))
            continue
        noted = len(findings.all)
        videos = _of_class(class_folder, root, findings)
        if not videos:
            empty.append(f"{class_folder.name!r}{_found(findings, noted)}")
        classes[class_folder.name] = videos
    if empty:
        raise InputError(
            f"class {' and class '.join(empty)} in {root} has no videos; {LAYOUT}; add videos or "
            f"remove the folder. Videos end in {' '.join(VIDEO_SUFFIXES)}, frames in "
            f"{' '.join(IMAGE_SUFFIXES)}"
        )
    if not classes:
        raise InputError(f"{root} has no class folders{_found(findings, 0)}; {LAYOUT} below it")
    if len(classes) == 1:
        _logger.warning("%s holds a single class; training needs at least two", root)
    return without_copies(classes, root, findings)


def _of_class(folder: Path, root: Path, findings: Findings) -> list[Video]:
    videos = []
    for entry in entries(folder, root, findings):
        if entry.is_dir():
            videos.append(Video(folder.name, entry, _kind(entry, root)))
        elif is_video(entry):
            videos.append(Video(folder.name, entry, "file"))
        elif is_image(entry):
            raise InputError(f"{entry} lies too high in the folders; {LAYOUT}; move it there")
        else:
            findings.add(Finding("not_a_frame", entry.relative_to(root).as_posix()))
    return videos


def _found(findings: Findings, start: int) -> str:
    """What is there instead, in brackets: suffixes, and the first of what was left out."""
    found = findings.all[start:]
    files = [Path(finding.where) for finding in found if finding.kind == "not_a_frame"]
    told = [f"there are {by_suffix(files)}"] if files else []
    told += [str(finding) for finding in found if finding.kind != "not_a_frame"][:3]
    return f" ({'; '.join(told)})" if told else ""


def _kind(video: Path, root: Path) -> Literal["shots", "frames"]:
    # What is skipped is noted when the shots are listed.
    found = entries(video, root, Findings())
    folders, frames = [e for e in found if e.is_dir()], [e for e in found if is_image(e)]
    frames = [frame for frame in frames if frame not in folders]
    if folders and frames:
        raise InputError(
            f"{video} holds both frames ({frames[0].name}) and shot folders ({folders[0].name}); "
            f"{LAYOUT}; put the frames into a shot folder of their own"
        )
    return "frames" if frames else "shots"


def list_shots(
    video: Video, root: Path, work_folder: Path
) -> tuple[list[ShotFiles], list[Finding]]:
    """The shots of one video, and what was found wrong. Safe to call from many threads.

    Video files are decoded, and frames without shot folders compared, once: the results are kept
    in `work_folder`.
    """
    findings = Findings()
    where = video.path.relative_to(root).as_posix()
    match video.kind:
        case "shots":
            shots = _shot_folders(video, root, findings)
        case "frames":
            files = image_files(video.path, root, findings)
            cuts = _cuts(files, work_folder / "cuts" / f"{_digest(where)}.json")
            shots = _detected(video, cuts, files, where)
        case "file":
            state = video.path.stat()
            name = _digest(f"{where} {state.st_size} {state.st_mtime_ns}")
            extracted = extract(video.path, work_folder / "frames" / name)
            if extracted.fault:
                kind = "broken_video" if extracted.numbers else "undecodable_video"
                findings.add(Finding(kind, where, extracted.fault))
            shots = _detected(video, extracted.cuts, extracted.files, where)
    if not shots and not findings.all:
        findings.add(Finding("empty_video", where))
    return shots, findings.all


def _shot_folders(video: Video, root: Path, findings: Findings) -> list[ShotFiles]:
    shots = []
    for entry in entries(video.path, root, findings):
        where = entry.relative_to(root).as_posix()
        if not entry.is_dir():
            findings.add(Finding("not_a_frame", where))
        elif files := image_files(entry, root, findings):
            shots.append(ShotFiles(video.path.name, entry.name, where, files))
        else:
            findings.add(Finding("empty_shot", where))
    return shots


def _detected(video: Video, cuts: list[int], files: Sequence[Path], where: str) -> list[ShotFiles]:
    return [
        ShotFiles(video.path.name, f"shot-{number:03d}", where, files[shot.start : shot.stop])
        for number, shot in enumerate(shots_between(cuts, len(files)))
        if len(shot)
    ]


class _Kept(TypedDict):
    files: list[list[Any]]  # name, size, time
    cuts: list[Count]


def _cuts(files: Sequence[Path], cache: Path) -> list[int]:
    """Where frames without shot folders are cut; frames that cannot be decoded are passed over."""
    state = [[file.name, file.lstat().st_size, file.lstat().st_mtime_ns] for file in files]
    with suppress(InputError):  # not there yet, or damaged: made anew
        kept: _Kept = read_json(cache, _Kept, "")
        cuts = kept["cuts"]
        if kept["files"] == state and cuts == sorted({*cuts} & {*range(len(files))}):
            return cuts
    detector, compared = CutDetector(), []
    for number, file in enumerate(files):
        try:
            with open_image(file) as image:
                image.draft("RGB", (256, 256))  # decodes an eighth of a large JPEG's pixels
                frame = to_rgb(image).image
        except Exception:  # Pillow raises many types; noted when the frame is checked
            continue
        detector.add(frame)
        compared.append(number)
    cuts = [compared[cut] for cut in detector.cuts]
    cache.parent.mkdir(parents=True, exist_ok=True)
    unfinished = cache.with_suffix(".unfinished")
    unfinished.write_text(json.dumps({"files": state, "cuts": cuts}))
    unfinished.rename(cache)
    return cuts


def _digest(name: str) -> str:
    """A name for the work folder that no other video has, however long or odd its own is."""
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:32]
