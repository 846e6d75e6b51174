"""YouTube-Objects v1.0 as published: CLASS/data/VIDEO/shots/SHOT/frameNNNN.jpg, and its boxes."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tcam_jax.data.builders.findings import Finding, Findings
from tcam_jax.data.builders.folders import entries
from tcam_jax.data.builders.sources import SourceBox
from tcam_jax.data.builders.youtube_objects.downloads import Downloads, how_to
from tcam_jax.data.builders.youtube_objects.mat_files import read_boxes
from tcam_jax.data.builders.youtube_objects.raw_shots import (
    Annotations,
    Boxes,
    RawShot,
    as_boxes,
    image_size,
)
from tcam_jax.data.pictures import is_image
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.plain_files import read_bytes

_BOXES_SUFFIX = "_sticks.mat"  # behind the whole name of the frame's file
_SWAPPED = "horse/data/0004/shots/055/frame0020.jpg"
_TOO_WIDE = "boat/data/0006/shots/026/frame0001.jpg"


@dataclass(frozen=True)
class RawV1:
    """The classes of `downloads`; archives are unpacked into `work_folder`."""

    downloads: Downloads
    work_folder: Path

    def shots(self, class_name: str, findings: Findings) -> list[RawShot]:
        """All shots of a class, whatever split their video is in, in natural order."""
        folder = self.downloads.content(class_name, self.work_folder)
        if not (folder / "data").is_dir():
            raise InputError(
                f"{folder} has no folder 'data'; this is not a class of YouTube-Objects v1.0: "
                f"{how_to('v1.0')}"
            )
        return [
            shot
            for video in _folders(folder / "data", folder.parent, findings)
            for shot in _shots_of_video(class_name, video, folder.parent, findings)
        ]

    def annotations(self, class_name: str, shots: list[RawShot], findings: Findings) -> Annotations:
        """The split of every video, in natural order, and the boxes of `shots`."""
        folder = self.downloads.content(class_name, self.work_folder)
        split_of = _read_sets(folder, [shot.video for shot in shots], findings)
        boxes = {shot.shot_id: _read_annotations(shot, findings) for shot in shots}
        labelled = frozenset(shot.video for shot in shots if shot.box_files)
        return Annotations(split_of, labelled, boxes)


def _shots_of_video(class_name: str, video: Path, root: Path, findings: Findings) -> list[RawShot]:
    shots = []
    folders = _folders(video / "shots", root, findings) if (video / "shots").is_dir() else []
    for folder in folders:
        names, box_files = [], []
        where = folder.relative_to(root).as_posix()
        for file in entries(folder, root, findings):
            if is_image(file):
                names.append(sys.intern(file.name))  # the same few names in every shot
            elif file.name.endswith(_BOXES_SUFFIX):
                box_files.append(file.name)
            else:
                findings.add(Finding("not_a_frame", f"{where}/{file.name}"))
        for name in box_files:
            if name.removesuffix(_BOXES_SUFFIX) not in names:
                findings.add(Finding("box_without_frame", f"{where}/{name}"))
        if not names:
            findings.add(Finding("empty_shot", where))
            continue
        shots.append(
            RawShot(class_name, video.name, folder.name, where, folder, where, names, box_files)
        )
    if not shots:
        findings.add(Finding("empty_video", video.relative_to(root).as_posix()))
    return shots


def _folders(folder: Path, root: Path, findings: Findings) -> list[Path]:
    return [entry for entry in entries(folder, root, findings) if entry.is_dir()]


def _read_sets(
    folder: Path, videos: list[str], findings: Findings
) -> dict[str, Literal["train", "test"]]:
    """{video: split}, for `videos` that are there, in natural order; test wins."""
    listed: dict[str, dict[str, None]] = {}
    for split in ("train", "test"):
        path = folder / "sets" / f"{split}.txt"
        try:
            lines = read_bytes(path, 1 << 28).decode("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"{path}, which says what is in the split, cannot be read ({error}); "
                f"{how_to('v1.0')}"
            ) from error
        listed[split] = dict.fromkeys(line.strip() for line in lines if line.strip())
    there = dict.fromkeys(videos)
    for split, names in listed.items():
        for name in names:
            where = f"{folder.name}/data/{name}"
            if not (folder / "data" / name).is_dir():
                findings.add(Finding("missing_video", where, f"sets/{split}.txt names it"))
            elif split == "test" and name in listed["train"]:
                findings.add(Finding("video_in_two_splits", where, "it is taken for test"))
    split_of: dict[str, Literal["train", "test"]] = {}
    for video in there:
        if video in listed["test"]:
            split_of[video] = "test"
        elif video in listed["train"]:
            split_of[video] = "train"
        else:
            where = f"{folder.name}/data/{video}"
            findings.add(Finding("unlabelled_video", where, "no file in sets names it"))
    return split_of


def _read_annotations(shot: RawShot, findings: Findings) -> Boxes:
    boxes = {}
    for file in shot.box_files:
        where, name = f"{shot.where}/{file}", file.removesuffix(_BOXES_SUFFIX)
        if name not in shot.names:
            continue
        try:
            values = read_boxes(shot.folder / file)
        except ValueError as error:
            findings.add(Finding("bad_annotation", where, str(error)))
            continue
        if not values:
            findings.add(Finding("bad_annotation", where, "it holds no box"))
        found = as_boxes(where, values, findings)
        if found:
            boxes[name] = tuple(_mended(box, shot, name, findings) for box in found)
    return boxes


def _mended(box: SourceBox, shot: RawShot, name: str, findings: Findings) -> SourceBox:
    """The two boxes that are known to be wrong as published; a copy without the fault stays."""
    x0, y0, x1, y1 = box.corners
    frame_id = f"{shot.shot_id}/{name}"
    size = image_size(shot.folder / name) if frame_id == _TOO_WIDE else None
    if frame_id == _SWAPPED and x0 > x1:
        mended = (x1, y0, x0, y1)
    elif size and x1 > size[0]:
        mended = (x0, y0, float(size[0] - 1), y1)
    else:
        return box
    findings.add(Finding("box_known", box.where, f"got {box.corners}"))
    return SourceBox(box.where, mended)
