"""What `launch.benchmark` measures: one network, one batch of generated frames, and their names."""

from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from tcam_jax.benchmark.training import NUM_CLASSES
from tcam_jax.cams.methods import CAM_METHODS, ENCODER_MAPS
from tcam_jax.models.encoders.registry import ENCODERS, backbone
from tcam_jax.runtime.errors import InputError

LOSSES = ("partial_ce", "crf", "size")

CLASSIFIER_STEP = "stage 1 step"
TCAM_STEP = "stage 2 step"
WITHOUT = {name: f"stage 2 step without {name}" for name in LOSSES}
CRF = "CRF alone"
EVALUATION = "evaluation"
# A forward pass for each channel: hours on a CPU.
_SLOW_CAMS = ("ablationcam", "scorecam", "sscam", "iscam")

_TWINS = ("resnet", "vgg", "efficientnet_lite", "vit", "deit")
WITH_TWIN = tuple(name for name in ENCODERS if name.startswith(_TWINS))  # in PyTorch

PARTS = ("steps", "losses", "crf", "cams", "inference", "evaluation")


class Case(NamedTuple):
    """The work of one measurement.

    Attributes:
      config: of a run; batch sizes in it are not read.
      batch: samples of a step; frames of a call.
      parts: some of `PARTS`.
    """

    config: ConfigDict
    batch: int
    parts: tuple[str, ...] = PARTS

    def check(self) -> None:
        """Raise InputError where the numbers cannot be."""
        unknown = set(self.parts) - set(PARTS)
        if unknown or not self.parts:
            raise InputError(
                f"parts must be some of {', '.join(PARTS)}; got {', '.join(self.parts) or 'none'}."
            )

    def inference_batches(self) -> tuple[int, ...]:
        """Return the numbers of frames of an inference: one, and the batch."""
        return tuple(dict.fromkeys((1, self.batch)))

    def cam_methods(self) -> tuple[str, ...]:
        """Return the CAM methods that are measured."""
        lacking = set(ENCODER_MAPS) - set(backbone(self.config)().maps)
        return tuple(name for name in CAM_METHODS if name not in (*_SLOW_CAMS, *lacking))

    def frames(self, *shape: int, size: int) -> np.ndarray:
        """Return generated frames with some structure, uint8 `[*shape, size, size, 3]`."""
        rng, cells = np.random.default_rng(0), 14
        coarse = rng.integers(32, 224, (*shape, cells, cells, 3))
        steps = np.arange(size) * cells // size
        grown = coarse[..., steps, :, :][..., steps, :]
        return (grown + rng.integers(-16, 17, grown.shape)).astype(np.uint8)

    def crf_arguments(self) -> tuple[np.ndarray, np.ndarray]:
        """Return images `[b, h, w, 3]`, 0..255, and map logits `[b, h, w, 2]`, float32."""
        images = self.frames(self.batch, size=self.config.dataset.crop).astype(np.float32)
        logits = np.random.default_rng(0).normal(size=(*images.shape[:3], 2))
        return images, logits.astype(np.float32)

    def windows(self, stage: str) -> dict[str, np.ndarray]:
        """Return one batch of a stage, as `pseudo_labels.seed_maps.Batch` without microbatches."""
        window, t = self.config.tcam.window, 1
        if stage == "tcam":
            t += window.n * (2 if window.mode == "before_after" else 1)
        return {
            "frames": self.frames(self.batch, t, size=self.config.dataset.resize),
            "valid": np.ones((self.batch, t), bool),
            "label": np.arange(self.batch, dtype=np.int32) % NUM_CLASSES,
            "slot": np.arange(self.batch, dtype=np.int32),
        }


def cam_way(method: str) -> str:
    """Name the extraction of a method's CAMs."""
    return f"CAM: {method}"


def inference_way(frames: int) -> str:
    """Name an inference."""
    return f"inference, batch {frames}"
