import io
import os

import numpy as np
import pytest
from PIL import Image, ImageOps
from skimage import data

from tcam_jax.data.builders.images import check_frame
from tcam_jax.data.builders.sources import SourceBox, SourceFrame

PHOTO = Image.fromarray(data.astronaut()[:120, :200])
BOX = SourceBox("boxes.csv line 2", (10.0, 20.0, 50.0, 60.0))


def encoded(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def check(content, boxes=(), shrink_to=None):
    return check_frame(SourceFrame("a/v/s/0.jpg", "place", content, tuple(boxes)), shrink_to)


def pixels(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")).astype(int)


def test_a_good_jpeg_keeps_its_bytes():
    jpeg = encoded(PHOTO)
    frame, findings = check(jpeg, [BOX])
    assert (frame.frame_id, frame.jpeg, frame.width, frame.height) == (
        "a/v/s/0.jpg",
        jpeg,
        200,
        120,
    )
    assert frame.boxes.tolist() == [[10, 20, 50, 60]] and findings == []


@pytest.mark.parametrize("part", [0.05, 0.5, 0.99])
def test_a_truncated_jpeg_is_skipped_and_its_boxes_are_named(part):
    jpeg = encoded(PHOTO)
    frame, findings = check(jpeg[: int(part * len(jpeg))], [BOX, BOX])
    assert frame is None
    assert [(f.kind, f.where) for f in findings] == [
        ("undecodable", "place"),
        ("box_without_frame", "boxes.csv line 2"),
        ("box_without_frame", "boxes.csv line 2"),
    ]


@pytest.mark.parametrize(
    ("content", "kind"), [(b"", "zero_bytes"), (b"<html>not found</html>", "undecodable")]
)
def test_what_is_no_image_is_skipped(content, kind):
    frame, findings = check(content)
    assert frame is None and [f.kind for f in findings] == [kind]


def test_a_file_that_cannot_be_read_is_skipped(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    os.symlink(tmp_path / "nowhere", tmp_path / "dangling.jpg")
    for name in ("folder.jpg", "dangling.jpg", "absent.jpg"):
        frame, findings = check(tmp_path / name)
        assert frame is None and [f.kind for f in findings] == ["unreadable"]
        assert findings[0].detail  # the system's reason


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_another_format_is_converted(kind):
    frame, [finding] = check(encoded(PHOTO, kind))
    assert finding.kind == "not_jpeg" and kind in finding.detail
    assert Image.open(io.BytesIO(frame.jpeg)).format == "JPEG"
    assert np.abs(pixels(frame.jpeg) - pixels(encoded(PHOTO, kind))).mean() < 6


@pytest.mark.parametrize("mode", ["RGBA", "P", "1", "LA"])
def test_other_pixel_modes_become_rgb(mode):
    content = encoded(PHOTO.convert(mode), "PNG")
    frame, findings = check(content)
    assert [f.kind for f in findings] == ["not_jpeg"]
    assert np.abs(pixels(frame.jpeg) - pixels(content)).mean() < 12


def test_sixteen_bits_a_pixel_are_scaled_and_floats_refused():
    grey = np.asarray(PHOTO.convert("L"))
    frame, [finding] = check(encoded(Image.fromarray(grey.astype(np.uint16) * 257), "PNG"))
    assert finding.kind == "not_jpeg" and finding.detail == "it is PNG; 16 bits scaled to 8"
    assert np.abs(pixels(frame.jpeg) - grey[..., None]).mean() < 2
    frame, [finding] = check(encoded(Image.fromarray(grey.astype(np.float32)), "TIFF"))
    assert frame is None and finding.kind == "undecodable"
    assert "floating-point" in finding.detail and "convert it to 8" in finding.detail


def test_of_several_pages_the_first_is_kept():
    frame, findings = check(encoded(PHOTO, "TIFF", save_all=True, append_images=[PHOTO]))
    assert [f.kind for f in findings] == ["not_jpeg", "several_pictures"]
    assert frame is not None and "first of its 2" in findings[1].detail


def test_cmyk_becomes_rgb():
    frame, [finding] = check(encoded(PHOTO.convert("CMYK"), quality=95))
    assert finding.kind == "cmyk"
    assert Image.open(io.BytesIO(frame.jpeg)).mode == "RGB"
    assert np.abs(pixels(frame.jpeg) - np.asarray(PHOTO).astype(int)).mean() < 3


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_rotated_image_is_turned_upright_and_boxes_are_of_the_upright_one(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    jpeg = encoded(PHOTO, quality=95, exif=exif)
    # Inside a portrait image only.
    box = SourceBox("line", (10.0, 130.0, 50.0, 190.0))
    frame, findings = check(jpeg, [box] if orientation >= 5 else [])
    assert [f.kind for f in findings] == ["exif_rotated"]
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(jpeg)))
    assert (frame.width, frame.height) == upright.size
    assert np.abs(pixels(frame.jpeg) - np.asarray(upright).astype(int)).mean() < 3
    assert not Image.open(io.BytesIO(frame.jpeg)).getexif().get(0x0112)


@pytest.mark.parametrize(
    ("content", "kind"),
    [(encoded(PHOTO.convert("L")), "grey"), (encoded(PHOTO, progressive=True), "progressive")],
)
def test_grey_and_progressive_jpegs_are_kept_as_they_are(content, kind):
    frame, [finding] = check(content)
    assert finding.kind == kind and frame.jpeg == content


def test_shrinking_stores_the_pixels_that_training_would_see_and_keeps_boxes_and_size():
    frame, findings = check(encoded(PHOTO, quality=95), [BOX], shrink_to=64)
    assert findings == [] and frame.boxes.tolist() == [[10, 20, 50, 60]]
    assert (frame.width, frame.height) == (200, 120)
    shrunk = pixels(encoded(PHOTO, quality=95))
    shrunk = Image.fromarray(shrunk.astype(np.uint8)).resize((64, 64), Image.Resampling.BILINEAR)
    assert pixels(frame.jpeg).shape == (64, 64, 3)
    assert np.abs(pixels(frame.jpeg) - np.asarray(shrunk).astype(int)).mean() < 2


def test_bytes_after_the_end_do_no_harm():
    frame, findings = check(encoded(PHOTO) + b"\0" * 100)
    assert frame is not None and findings == []
