"""One JPEG file as an array: the same decoding when a dataset is prepared and when it is read."""

import functools
import os
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

# Set before TensorFlow starts: it only reads JPEG files here, and need not speak of its kernels.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
import tensorflow as tf  # noqa: E402

# Before anything else of TensorFlow: it would take an accelerator's whole memory from JAX.
tf.config.set_visible_devices([], "GPU")
tf.config.set_visible_devices([], "TPU")


def decode_jpeg(jpeg: bytes) -> np.ndarray:
    """A JPEG as RGB uint8 `[h, w, 3]`, the same values as Pillow's; an EXIF rotation is ignored.

    TensorFlow refuses truncated files and is the fastest decoder at hand, but its default DCT is
    inexact.

    Raises:
        ValueError: the bytes are no whole JPEG file.
    """
    try:
        return _decode(jpeg).numpy()
    except tf.errors.InvalidArgumentError as error:
        raise ValueError("a truncated or damaged JPEG") from error  # TensorFlow says no more


def _decode(jpeg: bytes | tf.Tensor) -> tf.Tensor:
    return tf.io.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_ACCURATE")


def decode_many(jpegs: Sequence[bytes], size: int) -> np.ndarray | None:
    """Many JPEGs of size x size as uint8 `[jpegs, size, size, 3]`, the values of `decode_jpeg`.

    One call: of a small frame's time, a fifth goes into calling TensorFlow. None where they cannot
    be decoded together: one of them is damaged or of another size.
    """
    try:
        if tuple(tf.image.extract_jpeg_shape(jpegs[0]).numpy()[:2]) != (size, size):
            return None
        return _many_of_size(size)(tf.constant(jpegs)).numpy()
    except tf.errors.InvalidArgumentError:
        return None


@functools.cache
def _many_of_size(size: int) -> Callable[[tf.Tensor], tf.Tensor]:
    shape = [size, size, 3]

    def one(jpeg: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(_decode(jpeg), shape)

    def many(jpegs: tf.Tensor) -> tf.Tensor:
        signature = tf.TensorSpec(shape, tf.uint8)
        # One after the other: other batches are decoded at the same time.
        return tf.map_fn(one, jpegs, fn_output_signature=signature, parallel_iterations=1)

    return tf.function(many, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)


def resize(pixels: np.ndarray, size: int) -> np.ndarray:
    """RGB uint8 `[h, w, 3]` as `[size, size, 3]`: bilinear, antialiased; Pillow's own values."""
    if pixels.shape[:2] == (size, size):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR))
