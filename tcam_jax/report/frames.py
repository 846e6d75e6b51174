"""Stored frames and their maps, for pictures: any frames of a run's dataset, by record."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict
from PIL import Image

from tcam_jax.data.frame_motion import motion_of_records
from tcam_jax.data.records import Split
from tcam_jax.evaluate.maps import OF_NEIGHBOURS, make_forward
from tcam_jax.evaluate.walk import inputs_of
from tcam_jax.models.tcam import TCAM, Variables, for_inference
from tcam_jax.predict.squares import square_of
from tcam_jax.runtime.parallel import Parallel


class Shown(NamedTuple):
    """Frames of a split.

    Attributes:
      split: whose they are.
      records: their numbers.
      images: in RGB, as large as they are stored.
    """

    split: Split
    records: Sequence[int]
    images: list[Image.Image]


def read_images(split: Split, records: Sequence[int]) -> Shown:
    """Return frames by their numbers."""
    images = [Image.fromarray(split.read_image(record)) for record in records]
    return Shown(split, records, images)


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

    def __call__(self, shown: Shown, labels: Sequence[int]) -> list[dict[str, np.ndarray]]:
        """Return each frame's {method: map}, uint8 `[s, s]`; a CAM is the label's."""
        found: list[dict[str, np.ndarray]] = []
        for start in range(0, len(shown.images), self._batch_size):
            part = slice(start, start + self._batch_size)
            count = len(shown.images[part])
            # One shape, so that one program is compiled.
            batch = np.zeros((self._batch_size, self._size, self._size, 3), np.uint8)
            classes = np.zeros(self._batch_size, np.int32)
            classes[:count] = labels[part]
            for row, image in zip(batch, shown.images[part], strict=False):
                row[:] = square_of(image, self._size)
            maps = {}
            for method, forward in self._forward.items():
                seen = {"frames": batch}
                if method in OF_NEIGHBOURS:
                    seen["motion"] = self._motion(shown.split, shown.records[part])
                inputs = inputs_of(seen, classes, self._shard)
                maps[method] = jax.device_get(forward(self._networks[method], *inputs)).maps[0]
            found += [{method: u8[i] for method, u8 in maps.items()} for i in range(count)]
        return found

    def _motion(self, split: Split, records: Sequence[int]) -> np.ndarray:
        def read(record: int) -> np.ndarray:
            return square_of(Image.fromarray(split.read_image(record)), self._size)

        here = np.resize(np.array(records), self._batch_size)  # fills up by repeating frames
        return motion_of_records(split.table, here, self._size, read)
