"""One JPEG file as an array: the same decoding when a dataset is prepared and when it is read."""

import os

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
        return tf.io.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_ACCURATE").numpy()
    except tf.errors.InvalidArgumentError as error:
        raise ValueError("a truncated or damaged JPEG") from error  # TensorFlow says no more


def resize(pixels: np.ndarray, size: int) -> np.ndarray:
    """RGB uint8 `[h, w, 3]` as `[size, size, 3]`: bilinear, antialiased; Pillow's own values."""
    if pixels.shape[:2] == (size, size):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR))
