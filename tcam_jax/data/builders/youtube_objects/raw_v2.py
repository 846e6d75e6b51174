"""YouTube-Objects v2.2 as published: CLASS/NNNNNNNN.jpg, and its shots and boxes in files apart."""

import itertools
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from tcam_jax.data.builders.findings import Finding, Findings
from tcam_jax.data.builders.folders import entries
from tcam_jax.data.builders.sources import SourceBox
from tcam_jax.data.builders.youtube_objects.downloads import (
    GROUND_TRUTH,
    RANGES,
    Downloads,
    how_to,
)
from tcam_jax.data.builders.youtube_objects.mat_files import (
    Ranges,
    read_ground_truth,
    read_ranges,
)
from tcam_jax.data.builders.youtube_objects.raw_shots import (
    Annotations,
    RawShot,
    as_boxes,
)
from tcam_jax.runtime.errors import InputError

_VARIABLES = {"train": "bb_gtTraining", "test": "bb_gtTest"}


@dataclass(frozen=True)
class RawV2:
    """The classes of `downloads`; archives are unpacked into `work_folder`.

    Shots are named as in the authors' rewritten tree: the video's number and the shot's column in
    `ranges`, which does not restart with each video.
    """

    downloads: Downloads
    work_folder: Path

    def shots(self, class_name: str, findings: Findings) -> list[RawShot]:
        """All shots of a class in the order of `ranges`, whatever split their video is in.

        A frame may belong to several. Missing frames and frames of no shot are noted, a run of them
        at once.
        """
        folder = self.downloads.content(class_name, self.work_folder)
        numbers = _frame_numbers(folder, findings)
        ranges = self._ranges(class_name)
        shots, in_a_shot = [], np.zeros(len(numbers), bool)
        bounds = zip(ranges.first.tolist(), ranges.last.tolist(), strict=True)
        for column, (first, last) in enumerate(bounds):
            start, stop = np.searchsorted(numbers, [first, last + 1])
            in_a_shot[start:stop] = True
            video, shot = _video_and_shot(ranges, column)
            shot_id = f"{class_name}/{video}/{shot}"
            for gap in _gaps(numbers[start:stop], first, last):
                where, span = _span(class_name, gap)
                findings.add(Finding("missing_frame", where, f"{span}, of {shot_id}"))
            # The classes' numbers overlap: most names are there already.
            names = [sys.intern(_file_name(number)) for number in numbers[start:stop].tolist()]
            if names:
                shots.append(RawShot(class_name, video, shot, shot_id, folder, class_name, names))
            else:
                findings.add(Finding("empty_shot", shot_id, f"frames {first} to {last}"))
        for run in _runs(numbers[~in_a_shot]):
            findings.add(Finding("frame_without_shot", *_span(class_name, run)))
        return shots

    def annotations(self, class_name: str, shots: list[RawShot], findings: Findings) -> Annotations:
        """The split of every video in the order of `ranges`, and the boxes of `shots`.

        A video is of the split whose ground truth names one of its frames; one that both name is
        for test alone, with the boxes of test. Of overlapping shots the last one gets the boxes.
        """
        ranges = self._ranges(class_name)
        annotated = {
            split: self._annotated(class_name, split, ranges, findings) for split in _VARIABLES
        }
        videos = {split: {frame.video for frame in frames} for split, frames in annotated.items()}
        split_of: dict[str, Literal["train", "test"]] = {}
        for video in dict.fromkeys(shot.video for shot in shots):
            where = f"{class_name}/{video}"
            if video in videos["test"]:
                split_of[video] = "test"
                if video in videos["train"]:
                    findings.add(Finding("video_in_two_splits", where, "it is taken for test"))
            elif video in videos["train"]:
                split_of[video] = "train"
            else:
                findings.add(Finding("unlabelled_video", where, "it has no ground truth"))
        names = {shot.shot_id: frozenset(shot.names) for shot in shots}
        boxes: dict[str, dict[str, tuple[SourceBox, ...]]] = {}
        for split, frames in annotated.items():
            for frame in frames:
                if frame.name not in names.get(frame.shot_id, ()):
                    detail = f"{class_name}/{frame.name} is not there"
                    findings.add(Finding("box_without_frame", frame.where, detail))
                elif split_of[frame.video] == split and frame.boxes:
                    of_shot = boxes.setdefault(frame.shot_id, {})
                    of_shot[frame.name] = of_shot.get(frame.name, ()) + frame.boxes
        return Annotations(split_of, frozenset(split_of), boxes)

    def _annotated(
        self, class_name: str, split: str, ranges: Ranges, findings: Findings
    ) -> list["_Annotated"]:
        variable = _VARIABLES[split]
        folder = self.downloads.content(GROUND_TRUTH, self.work_folder)
        path = folder / class_name / f"{variable}_{class_name}.mat"
        frames = []
        for number, entry in enumerate(_read(path, read_ground_truth, variable), start=1):
            where = f"{GROUND_TRUTH}/{class_name}/{path.name} entry {number}"
            match = re.fullmatch(re.escape(class_name) + "([0-9]{8})", entry.name or "")
            if match is None:
                detail = f"expected {class_name}NNNNNNNN, got {entry.name!r}"
                findings.add(Finding("box_malformed", where, detail))
                continue
            frame = int(match[1])
            columns = np.flatnonzero((ranges.first <= frame) & (frame <= ranges.last))
            if not len(columns):
                findings.add(Finding("box_without_frame", where, f"no shot has frame {frame}"))
                continue
            if not entry.boxes:
                findings.add(Finding("box_malformed", where, "it holds no box"))
            video, shot = _video_and_shot(ranges, int(columns[-1]))
            boxes = as_boxes(where, entry.boxes, findings)
            shot_id = f"{class_name}/{video}/{shot}"
            frames.append(_Annotated(where, video, shot_id, _file_name(frame), boxes))
        return frames

    def _ranges(self, class_name: str) -> Ranges:
        folder = self.downloads.content(RANGES, self.work_folder)
        return _read(folder / f"ranges_{class_name}.mat", read_ranges)


class _Annotated(NamedTuple):
    where: str
    video: str
    shot_id: str
    name: str
    boxes: tuple[SourceBox, ...]


def _read(path: Path, reader: Callable, *arguments: str) -> Any:
    """A file without which the class cannot be prepared."""
    if not path.exists():
        raise InputError(f"{path} is not there; {how_to('v2.2')}")
    try:
        return reader(path, *arguments)
    except ValueError as error:
        raise InputError(f"{path}: {error}; {how_to('v2.2')}") from error


def _frame_numbers(folder: Path, findings: Findings) -> np.ndarray:
    """The numbers of the frames that are there, ascending int64; other files are noted."""
    numbers = []
    for file in entries(folder, folder.parent, findings):
        if re.fullmatch(r"[0-9]{8}\.jpg", file.name):
            numbers.append(int(file.stem))
        else:
            findings.add(Finding("not_a_frame", f"{folder.name}/{file.name}"))
    return np.array(sorted(numbers), np.int64)


def _video_and_shot(ranges: Ranges, column: int) -> tuple[str, str]:
    return f"video-{ranges.video[column]:04d}", f"shot-{column:06d}"


def _file_name(number: int) -> str:
    return f"{number:08d}.jpg"


def _gaps(numbers: np.ndarray, first: int, last: int) -> list[tuple[int, int]]:
    """The runs that ascending `numbers` lack of first..last, both ends included."""
    edges = [first - 1, *numbers.tolist(), last + 1]
    return [
        (before + 1, after - 1) for before, after in itertools.pairwise(edges) if after > before + 1
    ]


def _runs(numbers: np.ndarray) -> list[tuple[int, int]]:
    """The runs of ascending `numbers`, both ends included."""
    pieces = np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1)
    return [(int(piece[0]), int(piece[-1])) for piece in pieces if len(piece)]


def _span(class_name: str, run: tuple[int, int]) -> tuple[str, str]:
    """Where a run of frames begins, and how far it goes."""
    first, last = run
    count = "this frame" if first == last else f"{last - first + 1} frames, to {_file_name(last)}"
    return f"{class_name}/{_file_name(first)}", count
