import io

import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.decode import decode_jpeg, decode_many
from tests.data.builders.hand_made import jpeg


def with_pillow(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def test_one_and_many_frames_are_decoded_as_pillow_does():
    jpegs = [jpeg(number, 40, 40) for number in range(5)]
    many = decode_many(jpegs, 40)
    assert many.dtype == np.uint8 and many.shape == (5, 40, 40, 3)
    for content, frame in zip(jpegs, many, strict=True):
        np.testing.assert_array_equal(frame, decode_jpeg(content))
        np.testing.assert_array_equal(frame, with_pillow(content))


def test_many_frames_must_be_whole_and_of_the_size():
    good, other = jpeg(0, 40, 40), jpeg(1, 32, 50)
    assert decode_many([other, good], 40) is None
    assert decode_many([good, other], 40) is None
    assert decode_many([good, good[:-200]], 40) is None
    assert decode_many([good[:-200], good], 40) is None
    assert decode_many([good, b"GIF89a, no JPEG at all"], 40) is None
    assert decode_many([b"no image at all", good], 40) is None
    assert decode_many([good], 40).shape == (1, 40, 40, 3)


def test_a_truncated_jpeg_is_refused():
    with pytest.raises(ValueError, match="truncated or damaged"):
        decode_jpeg(jpeg(0)[:-200])
