"""One JPEG file as an array: the same decoding when a dataset is prepared and when it is read."""

import os

import numpy as np
import simplejpeg
from PIL import Image

# Set before TensorFlow starts: it only reads files here, and need not speak of its kernels, nor of
# errors that are ours to tell. "1" is what JAX sets where nobody did.
if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1") == "1":
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
import tensorflow as tf  # noqa: E402

# Before anything else of TensorFlow: it would take an accelerator's whole memory from JAX.
tf.config.set_visible_devices([], "GPU")
tf.config.set_visible_devices([], "TPU")


_COLOURS = ("RGB", "YCbCr", "Gray")  # other kinds TensorFlow turns into RGB in its own way


def decode_jpeg(jpeg: bytes) -> np.ndarray:
    """A JPEG as RGB uint8 `[h, w, 3]`, the same values as Pillow's; an EXIF rotation is ignored.

    Raises:
        ValueError: the bytes are no whole JPEG file.
    """
    try:
        if simplejpeg.decode_jpeg_header(jpeg)[2] in _COLOURS:
            return simplejpeg.decode_jpeg(jpeg, "RGB")
    except ValueError:
        pass
    return _decode_leniently(jpeg)


def decode_into(jpeg: bytes, *places: np.ndarray) -> None:
    """Decodes a JPEG into places uint8 `[size, size, 3]`, each `resize(decode_jpeg(jpeg), size)`.

    A frame of the size of the only place is decoded there: of a small frame's time, a quarter went
    into fresh memory and copies.

    Raises:
        ValueError: the bytes are no whole JPEG file; the places may hold a part of it.
    """
    pixels, *others = places
    size = len(pixels)
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(jpeg)
        if (height, width) == (size, size) and colours in _COLOURS and not others:
            simplejpeg.decode_jpeg(jpeg, "RGB", buffer=pixels)
            return
    except ValueError:  # it would only come again
        decoded = _decode_leniently(jpeg)
    else:
        decoded = decode_jpeg(jpeg)
    for place in places:
        place[:] = resize(decoded, len(place))


def _decode_leniently(jpeg: bytes) -> np.ndarray:
    """By TensorFlow, which passes over warnings and knows more kinds; truncated files it refuses.

    Its default DCT is inexact.
    """
    try:
        return tf.io.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_ACCURATE").numpy()
    except tf.errors.InvalidArgumentError as error:
        raise ValueError("a truncated or damaged JPEG") from error  # TensorFlow says no more


def resize(pixels: np.ndarray, size: int) -> np.ndarray:
    """RGB uint8 `[h, w, 3]` as `[size, size, 3]`: bilinear, antialiased; Pillow's own values."""
    if pixels.shape[:2] == (size, size):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR))
