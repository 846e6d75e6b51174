import io
import os
import subprocess
import sys

import numpy as np
import pytest
import simplejpeg
import tensorflow as tf
from PIL import Image
from skimage import data

from tcam_jax.data.decode import decode_into, decode_jpeg, resize
from tests.data.builders.hand_made import jpeg

PHOTO = np.ascontiguousarray(data.astronaut()[40:117, 150:253])  # odd sizes: 103 x 77


def with_pillow(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def with_tensorflow(content: bytes) -> np.ndarray:
    return tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE").numpy()


def saved(mode: str = "RGB", **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PHOTO).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


def warned() -> bytes:
    """Five bytes too many between two restart markers: decoders warn and go on."""
    content = saved(restart_marker_rows=1)
    place = content.rindex(b"\xff\xd3")
    return content[:place] + b"\0\0\0\0\0" + content[place:]


KINDS = {
    "photo": saved(quality=90),
    "as stored": saved(quality=95, subsampling=0),
    "noise": jpeg(3, 51, 33),
    "grey": saved("L"),
    "progressive": saved(progressive=True, subsampling=1),
    "restarts": saved(restart_marker_rows=1),
    "more behind its end": saved() + b"more",
    "with a warning": warned(),
    "four inks": saved("CMYK"),
    "not YCbCr": saved(keep_rgb=True),
} | {kind: simplejpeg.encode_jpeg(PHOTO, colorsubsampling=kind) for kind in ("440", "411")}


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_has_the_same_values_in_all_decoders(kind):
    content = KINDS[kind]
    frame = decode_jpeg(content)
    assert frame.dtype == np.uint8
    np.testing.assert_array_equal(frame, with_tensorflow(content))
    if kind not in ("with a warning", "four inks"):  # Pillow goes ways of its own
        np.testing.assert_array_equal(frame, with_pillow(content))


@pytest.mark.parametrize(("width", "height"), [(40, 40), (32, 50), (24, 24), (40, 39), (80, 40)])
def test_a_frame_is_decoded_in_its_place_whatever_its_size(width, height):
    batch = np.full((3, 40, 40, 3), 7, np.uint8)
    content = jpeg(5, width, height)
    assert decode_into(content, batch[1]) is None
    np.testing.assert_array_equal(batch[1], resize(decode_jpeg(content), 40))
    assert (batch[[0, 2]] == 7).all()
    larger, smaller = np.empty((40, 40, 3), np.uint8), np.empty((24, 24, 3), np.uint8)
    decode_into(content, larger, smaller)  # each from the file's own pixels
    np.testing.assert_array_equal(larger, batch[1])
    np.testing.assert_array_equal(smaller, resize(decode_jpeg(content), 24))


@pytest.mark.parametrize(
    "content",
    [jpeg(0, 40, 40)[:-200], jpeg(0)[:-200], jpeg(0)[:300], b"GIF89a, no JPEG at all", b""],
)
def test_what_is_no_whole_jpeg_is_refused(content):
    with pytest.raises(ValueError, match="truncated or damaged"):
        decode_jpeg(content)
    with pytest.raises(ValueError, match="truncated or damaged"):
        decode_into(content, np.empty((40, 40, 3), np.uint8))


FAILING = """
import jax
import tcam_jax.data.decode
import tensorflow as tf

def fail(step):
    raise ValueError("told by its reader")

frames = tf.data.Dataset.range(3).map(lambda step: tf.numpy_function(fail, [step], tf.int64))
try:
    next(iter(frames))
except tf.errors.OpError:
    print("raised")
"""


@pytest.mark.slow
def test_tensorflow_does_not_print_errors_that_are_raised():
    """Not either after JAX, which sets its own level where nobody did."""
    environment = {k: x for k, x in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", FAILING], env=environment, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("raised\n", "")
