"""TFDS builder of `moving_shapes`, the embedded dataset: generated shots, real JPEG files."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from PIL import Image

from tcam_jax.data.builders.findings import Findings
from tcam_jax.data.builders.moving_shapes import frames as moving_shapes_frames
from tcam_jax.data.builders.shot_builder import ShotDatasetBuilder
from tcam_jax.data.builders.sources import SourceBox, SourceFrame, SourceShot
from tcam_jax.runtime.errors import InputError

SEED = 0
JPEG_QUALITY = 92


@dataclass
class MovingShapesConfig(tfds.core.BuilderConfig):
    """`boxed_splits`: the splits that carry boxes."""

    boxed_splits: tuple[str, ...] = ("validation", "test")


class MovingShapes(ShotDatasetBuilder):
    """Shots of invented objects: a body that classes share, and small class-specific parts.

    The configurations hold identical frames. `default` has boxes in validation and test only (one
    frame of each shot), as weak supervision demands; `train_boxes` has them on every training frame
    too, for the upper bound that learns from true boxes.
    """

    BUILDER_CONFIGS = [
        MovingShapesConfig(name="default", description="Boxes on validation and test frames."),
        MovingShapesConfig(
            name="train_boxes",
            description="The same frames, with boxes on training frames too.",
            boxed_splits=("train", "validation", "test"),
        ),
    ]

    def class_names(self) -> Sequence[str]:
        """The generator's ten classes."""
        return moving_shapes_frames.CLASS_NAMES

    def origin(self) -> dict[str, Any]:
        """The generator's seed and sizes."""
        sizes = {split: list(size) for split, size in moving_shapes_frames.SPLITS.items()}
        return {"seed": SEED, "splits": sizes}

    def splits(self, findings: Findings) -> dict[str, list[SourceShot]]:
        """Every class, video and shot of every split; frames are rendered when written."""
        return {
            split: [
                SourceShot(
                    class_name=class_name,
                    # Videos of different splits are different videos.
                    video=f"{split}-{video:03d}",
                    shot=f"{shot:03d}",
                    num_frames=size.frames,
                    frames=self._frames(split, class_id, video, shot),
                )
                for class_id, class_name in enumerate(self.class_names())
                for video in range(size.videos)
                for shot in range(size.shots)
            ]
            for split, size in moving_shapes_frames.SPLITS.items()
        }

    def _frames(self, split: str, class_id: int, video: int, shot: int) -> Iterator[SourceFrame]:
        frames, boxes = moving_shapes_frames.render_shot(SEED, split, class_id, video, shot)
        boxed = split in self.builder_config.boxed_splits
        # Held-out shots have one annotated frame, as in YouTube-Objects.
        annotated = range(len(frames)) if split == "train" else (len(frames) // 2,)
        for index, (frame, box) in enumerate(zip(frames, boxes, strict=True)):
            file = io.BytesIO()
            Image.fromarray(frame).save(file, "JPEG", quality=JPEG_QUALITY)
            frame_id = (
                f"{self.class_names()[class_id]}/{split}-{video:03d}/{shot:03d}/{index:04d}.jpg"
            )
            source_box = SourceBox(frame_id, tuple(box.tolist()))
            yield SourceFrame(
                frame_id=frame_id,
                where=frame_id,
                source=file.getvalue(),
                boxes=(source_box,) if boxed and index in annotated else (),
            )


def make_builder(
    config: str, *, data_dir: str | Path, manual_dir: str | Path | None = None
) -> MovingShapes:
    """The builder; `manual_dir` must be None, since everything is generated.

    Raises:
        InputError: an unknown configuration, or a manual_dir.
    """
    MovingShapes.check_configuration(config)
    if manual_dir is not None:
        raise InputError(
            f"moving_shapes is generated and takes no manual_dir, got {manual_dir}; leave it out, "
            "or choose the dataset video_folder for your own frames"
        )
    return MovingShapes(config=config, data_dir=data_dir)
