"""The same small content as both versions publish it, and as lists; JPEG and MATLAB files."""

import random
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.io

from tests.data.builders.hand_made import jpeg

WIDTH, HEIGHT = 32, 24
TEST_VIDEOS = (2, 5)
TRAINING_VIDEOS = (1, 3, 4, 6)

Corners = tuple[float, float, float, float]


class Shot(NamedTuple):
    """`number` counts in the video, from 1; `boxes`: {place of the frame in the shot: boxes}."""

    class_name: str
    video: int
    number: int
    frames: list[bytes]
    boxes: dict[int, list[Corners]]


def make_content(classes: Sequence[str] = ("bird", "cow")) -> list[Shot]:
    """Per class 4 training and 2 test videos of 2 shots (3 and 4 frames), 3 annotated frames each.

    Some boxes leave their image or have swapped corners.
    """
    content = []
    for class_name in classes:
        for video in range(1, 7):
            for number in (1, 2):
                first = len(content) * 10
                boxes: dict[int, list[Corners]] = {1: [(1.5, 2, 20, 18.25)]}
                if number == 2:
                    boxes = {0: [(-3, 2, 9 + video, 12)], 2: [(4, 5, 30, 40), (20, 3, 10, 9)]}
                frames = [jpeg(first + index, WIDTH, HEIGHT) for index in range(2 + number)]
                content.append(Shot(class_name, video, number, frames, boxes))
    return content


def validation_videos(content: list[Shot]) -> dict[str, list[int]]:
    """The first 3 of each class's training videos, after v1.0's shuffling; the fourth trains."""
    chosen = {}
    for seed, class_name in enumerate(sorted({shot.class_name for shot in content})):
        random.seed(seed)
        videos = list(TRAINING_VIDEOS)
        for _ in range(1000):
            random.shuffle(videos)
        chosen[class_name] = videos[:3]
    return chosen


def save_boxes(path: Path, boxes: Sequence[Corners]) -> None:
    """`frame0001.jpg_sticks.mat`: a cell for each box."""
    coor = np.empty((1, len(boxes)), object)
    for place, corners in enumerate(boxes):
        coor[0, place] = np.array([corners], np.float64)
    scipy.io.savemat(path, {"coor": coor})


def save_ground_truth(path: Path, variable: str, entries: Sequence[tuple[str, Sequence]]) -> None:
    """`bb_gtTest_CLASS.mat`: a struct for each frame."""
    frames = np.empty((1, len(entries)), [("name", object), ("boxes", object)])
    for place, (name, boxes) in enumerate(entries):
        frames[0, place] = (name, np.array(boxes, np.float64))
    scipy.io.savemat(path, {variable: frames})


def v1_id(shot: Shot) -> str:
    return f"{shot.class_name}/data/{shot.video:04d}/shots/{shot.number:03d}"


def v1_frame(place: int) -> str:
    return f"frame{1 + 9 * place:04d}.jpg"


def write_v1(root: Path, content: list[Shot]) -> Path:
    """CLASS/sets and CLASS/data/VIDEO/shots/SHOT."""
    for shot in content:
        folder = root / v1_id(shot)
        folder.mkdir(parents=True)
        for place, frame in enumerate(shot.frames):
            (folder / v1_frame(place)).write_bytes(frame)
        for place, boxes in shot.boxes.items():
            save_boxes(folder / f"{v1_frame(place)}_sticks.mat", boxes)
        sets = root / shot.class_name / "sets"
        sets.mkdir(exist_ok=True)
        for name, videos in (("train", TRAINING_VIDEOS), ("test", TEST_VIDEOS)):
            (sets / f"{name}.txt").write_text("".join(f"{video:04d}\n" for video in videos))
    return root


class V2Place(NamedTuple):
    """Where v2.2 has a shot: its column in `ranges`, and the number of its first frame."""

    column: int
    first: int


def v2_places(content: list[Shot]) -> dict[tuple[str, int, int], V2Place]:
    """Validation videos come first, since v2.2 takes the first ones; frames are numbered from 1."""
    places = {}
    chosen = validation_videos(content)
    for class_name, validation in chosen.items():
        shots = [shot for shot in content if shot.class_name == class_name]
        shots.sort(key=lambda shot: shot.video not in validation)  # noqa: B023 (used at once)
        first = 1
        for column, shot in enumerate(shots):
            places[shot[:3]] = V2Place(column, first)
            first += len(shot.frames)
    return places


def v2_ids(content: list[Shot]) -> Callable[[Shot], str]:
    places = v2_places(content)
    return lambda shot: (
        f"{shot.class_name}/video-{shot.video:04d}/shot-{places[shot[:3]].column:06d}"
    )


def v2_frames(content: list[Shot]) -> Callable[[Shot, int], str]:
    places = v2_places(content)
    return lambda shot, place: f"{places[shot[:3]].first + place:08d}.jpg"


def write_v2(root: Path, content: list[Shot]) -> Path:
    """CLASS/NNNNNNNN.jpg, Ranges and GroundTruth."""
    places, frame_name = v2_places(content), v2_frames(content)
    (root / "Ranges").mkdir(parents=True)
    for class_name in {shot.class_name for shot in content}:
        shots = [shot for shot in content if shot.class_name == class_name]
        (root / class_name).mkdir()
        (root / "GroundTruth" / class_name).mkdir(parents=True)
        ranges = np.zeros((3, len(shots)))
        entries: dict[str, list] = {"bb_gtTraining": [], "bb_gtTest": []}
        for shot in shots:
            column, first = places[shot[:3]]
            ranges[:, column] = first, first + len(shot.frames) - 1, shot.video
            for place, frame in enumerate(shot.frames):
                (root / class_name / frame_name(shot, place)).write_bytes(frame)
            variable = "bb_gtTest" if shot.video in TEST_VIDEOS else "bb_gtTraining"
            for place, boxes in shot.boxes.items():
                entries[variable].append((class_name + frame_name(shot, place)[:8], boxes))
        scipy.io.savemat(root / f"Ranges/ranges_{class_name}.mat", {"ranges": ranges})
        for variable, named in entries.items():
            path = root / "GroundTruth" / class_name / f"{variable}_{class_name}.mat"
            save_ground_truth(path, variable, named)
    return root


def write_lists(
    folder: Path,
    content: list[Shot],
    shot_id: Callable[[Shot], str],
    frame_name: Callable[[Shot, int], str],
) -> Path:
    """The reference splits as wsolevaluation lists, in no order."""
    chosen = validation_videos(content)
    classes = sorted(chosen)
    files: dict[str, dict[str, list[str]]] = {
        split: {"image_ids": [], "class_labels": [], "image_sizes": [], "localization": []}
        for split in ("train", "val", "test")
    }
    shuffled = list(content)
    random.Random(7).shuffle(shuffled)
    for shot in shuffled:
        label = classes.index(shot.class_name)
        held_out = shot.video in TEST_VIDEOS or shot.video in chosen[shot.class_name]
        split = "train" if not held_out else "test" if shot.video in TEST_VIDEOS else "val"
        lines = files[split]
        names = [f"{shot_id(shot)}/{frame_name(shot, place)}" for place in shot.boxes]
        for name in names if held_out else [shot_id(shot)]:
            lines["image_ids"].append(name)
            lines["class_labels"].append(f"{name},{label}")
        if held_out:
            for name, boxes in zip(names, shot.boxes.values(), strict=True):
                lines["image_sizes"].append(f"{name},{WIDTH},{HEIGHT}")
                lines["localization"] += [f"{name},{','.join(map(str, box))}" for box in boxes]
    for split, by_file in files.items():
        (folder / split).mkdir(parents=True)
        for name, lines in by_file.items():
            text = "".join(f"{line}\n" for line in lines)
            (folder / split / f"{name}.txt").write_text(text)
    return folder


def v1_lists(folder: Path, content: list[Shot]) -> Path:
    return write_lists(folder, content, v1_id, lambda shot, place: v1_frame(place))


def v2_lists(folder: Path, content: list[Shot]) -> Path:
    return write_lists(folder, content, v2_ids(content), v2_frames(content))


def pack(source: Path, target: Path, mode: str, top: bool) -> Path:
    """`source` as an archive; `top`: with a folder of its name, or its content alone."""
    with tarfile.open(target, mode) as tar:
        if top:
            tar.add(source, source.name)
        else:
            for entry in source.iterdir():
                tar.add(entry, entry.name)
    return target
