"""The decoded frames of one batch, each read once."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tcam_jax.data.records import Split

# Decodes a JPEG into uint8 `[size, size, 3]`, one or several; ValueError for a damaged one.
Decoder = Callable[..., None]


class Frames:
    """The frames of one batch; one that comes twice (clipped windows) is read and decoded once.

    `pixels` uint8 `[*shape, size, size, 3]`; `sources`: source_size, the same frames resized from
    their sources to this size. `boxes`: with_boxes, the first box of each record, float32 `[4]`:
    x0, y0, x1, y1 in 0..1 of the frame's width and height.
    """

    def __init__(
        self,
        split: Split,
        shape: tuple[int, ...],
        size: int,
        decoder: Decoder,
        with_boxes: bool = False,
        source_size: int | None = None,
    ):
        sizes = [size] if source_size is None else [size, source_size]
        self._views = [aligned_empty((*shape, side, side, 3), np.uint8) for side in sizes]
        self.pixels, self.sources = self._views[0], self._views[-1]
        self.boxes: dict[int, np.ndarray] = {}
        self._split, self._size, self._decode = split, size, decoder
        self._with_boxes = with_boxes
        self._places: dict[int, tuple[int, ...]] = {}

    def put(self, place: tuple[int, ...], record: int) -> None:
        """Reads a record into a place; raises InputError, naming it, if it is damaged."""
        if record in self._places:
            self.copy(self._places[record], place)
            return
        jpeg = self._read(record)
        try:
            self._decode(jpeg, *(view[place] for view in self._views))
        except ValueError as error:
            name = self._split.read_frame_id(record)
            problem = f"{name} is no decodable JPEG file: {error}"
            raise self._split.damaged(record, problem) from error
        self._places[record] = place

    def frame(self, record: int) -> np.ndarray:
        """Pixels `[size, size, 3]`, put into a place or not; InputError for a damaged record."""
        if record in self._places:
            return self.pixels[self._places[record]]
        alone = Frames(self._split, (1,), self._size, self._decode)
        alone.put((0,), record)
        return alone.pixels[0]

    def copy(self, place: tuple[int, ...], to: tuple[int, ...]) -> None:
        """Repeats the frame of one place in another."""
        for view in self._views:
            view[to] = view[place]

    def _read(self, record: int) -> bytes:
        if not self._with_boxes:
            return self._split.read_jpeg(record)
        (example,) = self._split.read([record])
        self.boxes[record] = _unit_box(example)
        return example["image"]


def aligned_empty(shape: tuple[int, ...], dtype: type[np.generic]) -> np.ndarray:
    """Uninitialised, at a multiple of 64 bytes: TensorFlow takes it over without a copy."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size].view(dtype).reshape(shape)


def _unit_box(example: dict[str, Any]) -> np.ndarray:
    width, height = float(example["width"]), float(example["height"])
    return (example["boxes"][0] / [width, height, width, height]).astype(np.float32)
