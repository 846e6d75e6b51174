"""Stored frames and their maps, for pictures: any frames of a run's dataset, by record."""

from collections.abc import Mapping, Sequence

import jax
import numpy as np
from ml_collections import ConfigDict
from PIL import Image

from tcam_jax.data.records import Split
from tcam_jax.evaluate.maps import make_forward
from tcam_jax.models.tcam import TCAM, Variables, for_inference
from tcam_jax.runtime.parallel import Parallel


def read_images(split: Split, records: Sequence[int]) -> list[Image.Image]:
    """Return frames in RGB, as large as they are stored."""
    return [Image.fromarray(split.read_image(r)) for r in records]


class Maps:
    """Makes the quantised maps of frames.

    Args:
      model: the network.
      networks: {method: variables}, on the devices of `parallel`.
      config: the run's; its crop and evaluation batch are read.
      parallel: the devices. Where they are those of the run, its validation's programs are here
        too, and where compiled programs are kept, these are found again.
    """

    def __init__(
        self,
        model: TCAM,
        networks: Mapping[str, Variables],
        config: ConfigDict,
        parallel: Parallel,
    ):
        self._networks = {
            method: for_inference(model, variables) for method, variables in networks.items()
        }
        self._forward = {method: make_forward(model, (method,)) for method in networks}
        self._size = config.dataset.crop
        self._batch_size, _ = parallel.evaluation_rows(config.eval.batch_size)
        self._shard = parallel.shard_flat

    def __call__(
        self, images: Sequence[Image.Image], labels: Sequence[int]
    ) -> list[dict[str, np.ndarray]]:
        """Return each frame's {method: map}, uint8 `[s, s]`; a CAM is the label's."""
        square = (self._size, self._size)
        found: list[dict[str, np.ndarray]] = []
        for start in range(0, len(images), self._batch_size):
            part = images[start : start + self._batch_size]
            # One shape, so that one program is compiled.
            batch = np.zeros((self._batch_size, *square, 3), np.uint8)
            classes = np.zeros(self._batch_size, np.int32)
            classes[: len(part)] = labels[start : start + len(part)]
            for row, image in zip(batch, part, strict=False):
                row[:] = image.resize(square, Image.Resampling.BILINEAR)
            put = self._shard({"frames": batch, "classes": classes})
            # By place, as validation does: called by name, it would be another program.
            inputs = put["frames"], put["classes"]
            maps = {
                method: jax.device_get(forward(self._networks[method], *inputs)).maps[0]
                for method, forward in self._forward.items()
            }
            found += [{method: u8[i] for method, u8 in maps.items()} for i in range(len(part))]
        return found
