"""Splits from lists: the ids are looked up among the shots that are there."""

from collections.abc import Mapping, Sequence

from tcam_jax.data.builders.findings import Finding, Findings
from tcam_jax.data.builders.sources import SourceBox, SourceShot
from tcam_jax.data.builders.youtube_objects.raw_shots import (
    RawShot,
    evaluated_shots,
    image_size,
    source_shot,
)
from tcam_jax.data.builders.youtube_objects.wsol_lists import SplitList
from tcam_jax.runtime.errors import InputError


def listed_splits(
    lists: Mapping[str, SplitList], shots: Mapping[str, Sequence[RawShot]], findings: Findings
) -> dict[str, list[SourceShot]]:
    """What `lists` name of `shots`; an id is that of a shot (all of its frames) or of a frame.

    Validation and test have the frames beside those with boxes too.

    Args:
        lists: by split.
        shots: all shots of every class, classes sorted.
        findings: gets the ids that are not there, boxes for another image size, and videos that
            are in several splits.

    Raises:
        InputError: a label is not the class's number, or nothing that a split lists is there.
    """
    classes = list(shots)
    by_id = {shot.shot_id: shot for of_class in shots.values() for shot in of_class}
    splits: dict[str, list[SourceShot]] = {}
    split_of: dict[tuple[str, str], str] = {}
    for split, listed in lists.items():
        _check_labels(listed, classes)
        wanted = _look_up(listed, by_id, findings)
        if not wanted:
            there = f"there is, for example, {next(iter(by_id))!r}" if by_id else "there is nothing"
            raise InputError(
                f"nothing in the list of {split} is there: it has {next(iter(listed.labels))!r}, "
                f"{there}; are these the lists of this version of YouTube-Objects?"
            )
        splits[split] = []
        for shot_id, frames in wanted.items():
            shot = by_id[shot_id]
            other = split_of.setdefault((shot.class_name, shot.video), split)
            if other != split:
                where = f"{shot.class_name}/{shot.video}"
                findings.add(Finding("video_in_two_splits", where, f"{other} and {split}"))
                split_of[shot.class_name, shot.video] = split  # once is enough
            boxes = {
                name: _rescaled(shot, name, listed, findings)
                for name in shot.names
                if f"{shot_id}/{name}" in listed.boxes
            }
            if frames is None or split == "train":
                splits[split].append(source_shot(shot, boxes, frames))
            else:
                splits[split] += evaluated_shots(shot, boxes, also=frames)
    return splits


def _check_labels(listed: SplitList, classes: list[str]) -> None:
    for name, label in listed.labels.items():
        class_name = name.split("/")[0]
        if label >= len(classes) or classes[label] != class_name:
            known = ", ".join(f"{number} {known}" for number, known in enumerate(classes))
            raise InputError(
                f"{listed.label_lines[name]}: {class_name!r} has the label {label}, but here are "
                f"the classes {known}; complete the download, or change the list"
            )


def _look_up(
    listed: SplitList, by_id: Mapping[str, RawShot], findings: Findings
) -> dict[str, set[str] | None]:
    """{shot_id: the frames that are listed and there}, None for a shot listed as a whole."""
    wanted: dict[str, set[str] | None] = {}
    for name in listed.labels:
        shot_id, _, file = name.rpartition("/")
        if name in by_id:
            wanted[name] = None
        elif shot_id in by_id and file in by_id[shot_id].names:
            frames = wanted.setdefault(shot_id, set())
            if frames is not None:
                frames.add(file)
            continue
        else:
            findings.add(Finding("missing_frame", name, f"{listed.label_lines[name]} names it"))
        for box in listed.boxes.get(name, ()):
            findings.add(Finding("box_without_frame", box.where, name))
    return wanted


def _rescaled(
    shot: RawShot, name: str, listed: SplitList, findings: Findings
) -> tuple[SourceBox, ...]:
    """The listed boxes of a frame, in pixels of its file."""
    frame_id = f"{shot.shot_id}/{name}"
    boxes, expected = listed.boxes[frame_id], listed.sizes[frame_id]
    size = image_size(shot.folder / name)
    if size is None or size == expected:
        return boxes
    across, down = size[0] / expected[0], size[1] / expected[1]
    rescaled = []
    for where, (x0, y0, x1, y1), _ in boxes:
        detail = (
            f"the list has {expected[0]} x {expected[1]}, the file {size[0]} x {size[1]} pixels"
        )
        findings.add(Finding("box_rescaled", where, detail))
        rescaled.append(SourceBox(where, (x0 * across, y0 * down, x1 * across, y1 * down)))
    return tuple(rescaled)
