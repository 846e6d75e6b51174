"""Frames in memory: arrays, tensors, PIL images; what is none says how to make one of it."""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
from PIL import Image

from tcam_jax.data.pictures import to_rgb
from tcam_jax.runtime.errors import InputError


@runtime_checkable
class Array(Protocol):
    """What NumPy can take: its own arrays, and tensors of JAX, PyTorch, TensorFlow."""

    def __array__(self) -> np.ndarray:
        """Return it as a NumPy array."""
        ...


def images_in(one: object, number: int) -> Iterator[np.ndarray]:
    """Yield the images that something in memory is, RGB, uint8 `[h, w, 3]`.

    Args:
      one: an array or tensor of one image or a stack, or a PIL image.
      number: of the first, for messages.

    Raises:
      InputError: it is none of these; says how to convert it.
    """
    if isinstance(one, Image.Image):
        try:
            yield np.asarray(to_rgb(one).image)
        except (ValueError, OSError) as error:
            raise InputError(f"frames: number {number}: {error}.") from error
        return
    if not isinstance(one, Array):
        raise InputError(
            f"frames: number {number} must be an array of uint8 [h, w, 3] or [n, h, w, 3], a PIL "
            "image, a path, a glob, an open PyAV container, camera:0, or an iterable of these; got "
            f"{type(one).__name__}."
        )
    try:
        array = np.asarray(one)
    except Exception as error:  # of other libraries, where it lies on an accelerator, say
        raise InputError(f"frames: number {number} cannot become an array ({error}).") from error
    for place, image in enumerate(array if array.ndim == 4 else [array]):
        yield _checked(image, number + place)


def _checked(image: np.ndarray, number: int) -> np.ndarray:
    if image.dtype == np.uint8 and image.size:
        if image.ndim == 3 and image.shape[2] == 3:
            return image
        if image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1):  # grey, without doubt
            return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    raise InputError(
        f"frames: number {number} must be RGB, uint8 [h, w, 3]; got {image.dtype} {image.shape}. "
        f"{_advice(image)}, or give a PIL image or a path."
    )


def _advice(image: np.ndarray) -> str:
    if image.dtype.kind == "f":
        return "If its values are 0 to 1: (255 * frames).astype('uint8')"
    if image.dtype == np.uint16:
        return "If its values reach 65535: (frames >> 8).astype('uint8')"
    if image.ndim == 3 and image.shape[2] == 4:
        return "Without transparency: frames[..., :3]"
    if not image.size:
        return "It is empty: look at where it comes from"
    if image.dtype != np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        return "If its values are 0 to 255: frames.astype('uint8')"
    if image.ndim == 3 and image.shape[0] == 3:
        return "Put the colours last: numpy.moveaxis(frames, -3, -1)"
    if image.ndim == 3:
        return "If it is a stack of grey frames: frames[..., None]"
    return "Convert it first"
