"""TFDS builder of `video_folder`: a user's own frames and video files."""

import functools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from tqdm import tqdm

from tcam_jax.data.builders.findings import Finding, Findings
from tcam_jax.data.builders.folders import fingerprint
from tcam_jax.data.builders.shot_builder import ShotDatasetBuilder
from tcam_jax.data.builders.sources import SourceBox, SourceFrame, SourceShot
from tcam_jax.data.builders.video_folder.box_conventions import compare_conventions
from tcam_jax.data.builders.video_folder.box_file import boxes_of_frames, find_box_file, read_boxes
from tcam_jax.data.builders.video_folder.frame_names import FrameNames, nfc
from tcam_jax.data.builders.video_folder.listing import LAYOUT, list_shots, list_videos
from tcam_jax.data.builders.video_folder.same_videos import Video
from tcam_jax.data.builders.video_folder.video_split import ShotFiles, check_way, split_classes
from tcam_jax.data.folder_walk import natural_order
from tcam_jax.runtime.cores import usable_cores
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.plain_files import sha256_of


@dataclass
class VideoFolderConfig(tfds.core.BuilderConfig):
    """Where the frames are and how to split them; see `make_builder`."""

    manual_dir: str = ""
    split_by: str = "video"
    fractions: tuple[float, ...] = (0.7, 0.15, 0.15)


class VideoFolder(ShotDatasetBuilder):
    """The user's own videos; boxes, where there are any, come from one of `BOX_FILES`."""

    # Frames extracted at more than the video's rate come several times.
    skip_duplicates = True

    def _create_builder_config(self, builder_config: Any, version: Any) -> Any:
        return builder_config  # TFDS would warn of one that it has no list of

    @property
    def _root(self) -> Path:
        return Path(self.builder_config.manual_dir)

    @functools.cached_property
    def _boxes_file(self) -> Path | None:
        return find_box_file(self._root)

    @functools.cached_property
    def _videos(self) -> tuple[dict[str, list[Video]], list[Finding]]:
        findings = Findings()
        classes = list_videos(self._root, findings)
        # A copy of the folder with names in another Unicode form gets the same class numbers.
        in_order = sorted(classes.items(), key=lambda item: natural_order(Path(nfc(item[0]))))
        return dict(in_order), findings.all

    def class_names(self) -> Sequence[str]:
        """The names of the class folders in Unicode's NFC, sorted."""
        return [nfc(name) for name in self._videos[0]]

    def origin(self) -> dict[str, Any]:
        """The configuration's source folder, what is in it, and its way of splitting."""
        config, boxes = self.builder_config, self._boxes_file
        return {
            "manual_dir": config.manual_dir,
            **fingerprint(self._root, [self._root]),
            "boxes": _digest(boxes) if boxes else None,
            "split_by": config.split_by,
            "fractions": list(config.fractions),
        }

    def splits(self, findings: Findings) -> dict[str, list[SourceShot]]:
        """The shots of each split."""
        config = self.builder_config
        box_file = read_boxes(self._boxes_file, findings) if self._boxes_file else None
        classes = self._shots(findings)
        images = {
            f"{shot.prefix}/{file.name}": file
            for shots in classes.values()
            for shot in shots
            for file in shot.files
        }
        names = FrameNames(images)
        for finding in _same_names(names):
            findings.add(finding)
        boxes: dict[str, list[SourceBox]] = {}
        if box_file is not None:
            boxes = boxes_of_frames(box_file, names, findings)
            compare_conventions(box_file, boxes, images, findings)
        return {
            split: [
                SourceShot(
                    class_name=class_name,
                    video=shot.video,
                    shot=shot.shot,
                    num_frames=len(shot.files),
                    frames=_frames(shot, boxes),
                )
                for class_name, shots in by_class.items()
                for shot in shots
            ]
            for split, by_class in split_classes(classes, config.split_by, config.fractions).items()
        }

    def _shots(self, findings: Findings) -> dict[str, list[ShotFiles]]:
        """The shots of every class; video files are decoded here, several at once."""
        classes, found = self._videos
        for finding in found:
            findings.add(finding)
        videos = [video for of_class in classes.values() for video in of_class]
        shots: dict[str, list[ShotFiles]] = {name: [] for name in classes}
        with ThreadPoolExecutor(usable_cores()) as pool:
            listed = pool.map(lambda video: list_shots(video, self._root, self.work_folder), videos)
            bar = tqdm(listed, desc="videos", total=len(videos), unit=" videos", disable=None)
            for video, (of_video, faults) in zip(videos, bar, strict=True):
                for fault in faults:
                    findings.add(fault)
                shots[video.class_name] += of_video
        empty = [name for name, of_class in shots.items() if not of_class]
        if empty:
            first = [next(f for f in findings.all if f.where.startswith(f"{n}/")) for n in empty]
            raise InputError(
                f"class {', '.join(map(repr, empty))} in {self._root} has no videos with frames; "
                f"{LAYOUT}; add videos or remove the folder. What was found first: "
                + "; ".join(map(str, first))
            )
        return {nfc(name): of_class for name, of_class in shots.items()}


def _digest(file: Path) -> str:
    try:
        return sha256_of(file)
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}); mend it") from error


def _same_names(names: FrameNames) -> Iterator[Finding]:
    """Files or folders that cannot be told apart, each pair once."""
    told = set()
    for pair in names.same:
        parts = zip(*(name.split("/") for name in pair), strict=True)
        depth = next(place for place, (one, other) in enumerate(parts, 1) if one != other)
        first, second = ("/".join(name.split("/")[:depth]) for name in pair)
        if (first, second) not in told:
            told.add((first, second))
            yield Finding("same_name", second, f"as {ascii(first)}, itself {ascii(second)}")


def _frames(shot: ShotFiles, boxes: dict[str, list[SourceBox]]) -> Iterator[SourceFrame]:
    for file in shot.files:
        frame_id = f"{shot.prefix}/{file.name}"
        yield SourceFrame(frame_id, frame_id, file, tuple(boxes.get(frame_id, ())))


def make_builder(
    config: str,
    *,
    data_dir: str | Path,
    manual_dir: str | Path | None,
    split_by: str = "video",
    fractions: Sequence[float | int] = (0.7, 0.15, 0.15),
) -> VideoFolder:
    """The builder of one user's dataset.

    Args:
        config: a name for this dataset; every source folder needs its own.
        data_dir: where prepared datasets live.
        manual_dir: the source: videos as `listing.LAYOUT` says and, optionally, one file of boxes,
            `boxes.csv`, `boxes.json` or `boxes.xml`.
        split_by: "video": whole videos go to train, validation or test; a class with too few
            videos is split by time, which is logged. "time": every shot is cut into contiguous
            pieces.
        fractions: of train, validation and test; they sum to 1, and 0 leaves a split out.

    Raises:
        InputError: an unusable folder, name, way of splitting or fractions.
    """
    check_way(split_by, fractions)
    if manual_dir is None or not Path(manual_dir).is_dir():
        raise InputError(
            f"video_folder needs manual_dir, the folder of your frames, got {manual_dir}; {LAYOUT}"
        )
    # The name of a folder: "." and ".." would be others.
    if not config.strip(".") or not config.replace("-", "_").replace(".", "_").isidentifier():
        raise InputError(
            f"expected a configuration name of letters, digits, '_', '-' and '.', got {config!r}"
        )
    chosen = VideoFolderConfig(
        name=config,
        description="A user's own videos.",
        manual_dir=str(Path(manual_dir).resolve()),
        split_by=split_by,
        fractions=tuple(float(fraction) for fraction in fractions),
    )
    return VideoFolder(config=chosen, data_dir=data_dir)
