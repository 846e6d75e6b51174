from pathlib import Path

import pytest

from tcam_jax.data.video import SUFFIXES
from tcam_jax.predict.drawing.overlay_names import overlay_names


@pytest.mark.parametrize(
    "names",
    [
        {"home.jpg": "home.jpg", "a b.PNG": "a b.jpg", "x.y.webp": "x.y.jpg", "photo": "photo.jpg"},
        {"street.avi": "street.mp4", "in/b.mp4": "in/b.mp4", "c.MOV": "c.mp4"},
        {"a.jpg": "a.jpg", "a.png": "a.png.jpg", "in/a.png": "in/a.jpg"},
        {"a.avi": "a.avi.mp4", "a.mkv": "a.mkv.mp4", "b.avi": "b.avi.mp4", "b.mp4": "b.mp4"},
        {"a.jpg": "a.jpg", "a.mp4": "a.mp4"},
        # One is called as another's overlay would be.
        {"a.jpg": "a.jpg", "a.png": "a.png.2.jpg", "a.png.jpg": "a.png.jpg"},
        # One name to some file systems.
        {"A.png": "A.png.jpg", "a.jpg": "a.jpg", "\u00e9.png": "\u00e9.png.jpg"}
        | {"e\u0301.bmp": "e\u0301.bmp.jpg"},
    ],
)
def test_no_overlay_is_written_over_another(names):
    expected = {Path(file): Path(overlay) for file, overlay in names.items()}
    videos = {file for file in expected if file.suffix.lower() in SUFFIXES}
    assert overlay_names(expected, videos) == expected
    assert overlay_names(reversed(expected), videos) == expected
