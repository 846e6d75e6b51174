"""TFDS builder of `moving_photos`: cut-outs of photographs, moved over photographs and videos."""

import functools
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image
from tqdm import tqdm

from tcam_jax.data.builders.findings import Finding, Findings
from tcam_jax.data.builders.folders import fingerprint
from tcam_jax.data.builders.moving_photos.compose import Composer
from tcam_jax.data.builders.moving_photos.pictures import read_cutout
from tcam_jax.data.builders.moving_photos.script import LEVELS, SPLITS, Which
from tcam_jax.data.builders.moving_photos.sources import (
    LAYOUT,
    Sources,
    background_files,
    class_folders,
    split_sources,
)
from tcam_jax.data.builders.shard_summary import ShardSummary
from tcam_jax.data.builders.shards import Shard
from tcam_jax.data.builders.shot_builder import ShotDatasetBuilder
from tcam_jax.data.builders.sources import SourceBox, SourceFrame, SourceShot
from tcam_jax.data.masks import write_masks
from tcam_jax.runtime.errors import InputError

SEED = 0
JPEG_QUALITY = 92


@dataclass
class MovingPhotosConfig(tfds.core.BuilderConfig):
    """`level`: a key of `LEVELS`. `boxed_splits`: the splits that carry boxes and masks."""

    level: str = "default"
    boxed_splits: tuple[str, ...] = ("validation", "test")


class _Files(NamedTuple):
    classes: dict[str, list[Path]]
    splits: dict[str, Sources]
    findings: list[Finding]


class MovingPhotos(ShotDatasetBuilder):
    """Composed videos of photographed things, one class a video, whose boxes and masks are exact.

    Validation and test have cut-outs and backgrounds of their own, and one annotated frame a shot.
    `easy` and `hard` differ in what `LEVELS` says. `train_boxes` is `default` without the training
    shots that do not show the object, and with boxes on every training frame, for upper bounds.

    Args:
        config: name of one of `BUILDER_CONFIGS`.
        data_dir: where prepared datasets live.
        root: the folder of cut-outs and backgrounds.
    """

    BUILDER_CONFIGS = [
        MovingPhotosConfig(name="default", description="Boxes on validation and test frames."),
        MovingPhotosConfig(
            name="easy", description="Large objects, nothing before or beside them.", level="easy"
        ),
        MovingPhotosConfig(
            name="hard", description="Small, fast objects, much clutter, much hidden.", level="hard"
        ),
        MovingPhotosConfig(
            name="train_boxes",
            description="As default, with boxes on training frames too.",
            boxed_splits=("train", "validation", "test"),
        ),
    ]

    def __init__(self, *, config: str, data_dir: str | Path, root: Path):
        self._root = root  # `super` asks for the classes
        super().__init__(config=config, data_dir=data_dir)

    @functools.cached_property
    def _files(self) -> _Files:
        findings = Findings()
        classes = class_folders(self._root, findings)
        backgrounds = background_files(self._root, findings)
        return _Files(classes, split_sources(classes, backgrounds, SEED), findings.all)

    def class_names(self) -> Sequence[str]:
        """The names of the folders of cut-outs, sorted."""
        return list(self._files.classes)

    def origin(self) -> dict[str, Any]:
        """The folder, what is in it, and the generator's seed, sizes and level."""
        folders = [self._root / "cutouts", self._root / "backgrounds"]
        return {
            "manual_dir": str(self._root.resolve()),
            **fingerprint(self._root, folders),
            "seed": SEED,
            "splits": {split: list(size) for split, size in SPLITS.items()},
            "level": self.builder_config.level,
        }

    def splits(self, findings: Findings) -> dict[str, list[SourceShot]]:
        """Every class, video and shot of every split; frames are composed when written."""
        for finding in self._files.findings:
            findings.add(finding)
        for files in self._files.classes.values():
            for file in files:
                read_cutout(file)  # what is wrong with one shows at once
        return {
            split: [
                SourceShot(
                    class_name=self.class_names()[which.class_id],
                    video=f"{split}-{which.video:03d}",
                    shot=f"{which.shot:03d}",
                    num_frames=SPLITS[split].frames,
                    frames=self._frames(which),
                )
                for which in self._shots(split)
            ]
            for split in SPLITS
        }

    def _shots(self, split: str) -> Iterator[Which]:
        size, boxed = SPLITS[split], split in self.builder_config.boxed_splits
        for class_id in range(len(self.class_names())):
            for video in range(size.videos):
                for shot in range(size.shots):
                    which = Which(SEED, split, class_id, video, shot)
                    # Upper bounds learn from frames that have boxes.
                    if split != "train" or not boxed or self._composer(which).shows_object:
                        yield which

    def _composer(self, which: Which) -> Composer:
        level = LEVELS[self.builder_config.level]
        return Composer(which, level, self._files.splits[which.split])

    def _annotated(self, split: str) -> Iterable[int]:
        """Numbers of a shot's annotated frames: one if held out, as in YouTube-Objects."""
        if split not in self.builder_config.boxed_splits:
            return ()
        frames = SPLITS[split].frames
        return range(frames) if split == "train" else (frames // 2,)

    def _frame_id(self, which: Which, index: int) -> str:
        name, split, _, video, shot = self.class_names()[which.class_id], *which[1:]
        return f"{name}/{split}-{video:03d}/{shot:03d}/{index:04d}.jpg"

    def _frames(self, which: Which) -> Iterator[SourceFrame]:
        composer = self._composer(which)
        annotated = self._annotated(which.split)
        for index, frame in enumerate(composer.frames()):
            file = io.BytesIO()
            Image.fromarray(frame).save(file, "JPEG", quality=JPEG_QUALITY)
            frame_id = self._frame_id(which, index)
            seen = composer.seen(index) if index in annotated else []
            boxes = [SourceBox(frame_id, instance.box) for instance in seen if instance.box]
            yield SourceFrame(frame_id, frame_id, file.getvalue(), tuple(boxes))

    def _finish(
        self,
        shards: list[Shard],
        summaries: list[ShardSummary],
        folder: Path,
        report: dict[str, Any],
    ) -> None:
        super()._finish(shards, summaries, folder, report)
        write_masks(folder, self._masks())

    def _masks(self) -> Iterator[tuple[str, np.ndarray]]:
        """The mask of every annotated frame: all its objects of the class that have boxes."""
        boxed = self.builder_config.boxed_splits
        shots = [which for split in boxed for which in self._shots(split)]
        for which in tqdm(shots, desc="masks", unit=" shots", disable=None):
            composer = self._composer(which)
            for index in self._annotated(which.split):
                masks = [seen.mask for seen in composer.seen(index)]
                yield self._frame_id(which, index), np.any(masks, axis=0)


def make_builder(
    config: str, *, data_dir: str | Path, manual_dir: str | Path | None
) -> MovingPhotos:
    """The builder of one configuration.

    Args:
        config: "default", "easy", "hard" or "train_boxes".
        data_dir: where prepared datasets live.
        manual_dir: the folder of cut-outs and backgrounds, see `sources.LAYOUT`.

    Raises:
        InputError: an unknown configuration, or an unusable folder.
    """
    MovingPhotos.check_configuration(config)
    if manual_dir is None or not Path(manual_dir).is_dir():
        raise InputError(
            f"moving_photos needs manual_dir, the folder of cut-outs and backgrounds, got "
            f"{manual_dir}; `bash launch/photos.sh FOLDER` makes one; {LAYOUT}"
        )
    return MovingPhotos(config=config, data_dir=data_dir, root=Path(manual_dir))
