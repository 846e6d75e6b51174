import io
import re

import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.seed_files import SeedFiles
from tcam_jax.runtime.errors import InputError
from tests.runtime.test_plain_files import pipe, sparse

FRAME = "cat/tom.mp4/a.b.jpg"
NAME = "cat/tom.mp4/a.b"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "cat/tom.mp4").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize("suffix", [".npy", ".png"])
@pytest.mark.parametrize(
    ("make", "words"), [(pipe, "it is a named pipe"), (sparse, r"it has 1\.0 TB")]
)
def test_what_is_no_file_or_too_large_is_not_read(folder, suffix, make, words):
    make(folder / f"{NAME}{suffix}")
    with pytest.raises(InputError, match=f"{NAME}{suffix}: expected a whole .* {words}"):
        SeedFiles(folder).read(FRAME)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height + width).random((height, width), np.float32)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_an_array_is_read_as_it_is(folder, dtype):
    stored = noise(5, 7).astype(dtype)
    np.save(folder / f"{NAME}.npy", stored)
    found = SeedFiles(folder).read(FRAME)
    assert found.dtype == np.dtype(np.float32)
    np.testing.assert_array_equal(found, stored.astype(np.float32))


def test_a_grey_image_is_divided_by_255(folder):
    grey = np.arange(256, dtype=np.uint8).reshape(8, 32)
    Image.fromarray(grey).save(folder / f"{NAME}.png")
    found = SeedFiles(str(folder)).read(FRAME)
    assert found.dtype == np.float32 and (found.min(), found.max()) == (0, 1)
    np.testing.assert_array_equal(found, grey.astype(np.float32) / np.float32(255))


def test_a_map_of_the_wanted_size_is_not_changed(folder):
    stored = noise(6, 6)
    np.save(folder / f"{NAME}.npy", stored)
    np.testing.assert_array_equal(SeedFiles(folder).read_resized(FRAME, 6), stored)


def test_halving_averages_with_a_triangle_and_doubling_is_bilinear(folder):
    np.save(folder / f"{NAME}.npy", np.tile([0, 0, 1, 1], (2, 1)).astype(np.float32))
    # Antialiased: at factor 2 the weights at distances 1/2 and 3/2 pixels are 3 : 1, and pixels
    # outside the map do not count: (3 * 0 + 3 * 0 + 1 * 1) / 7.
    np.testing.assert_allclose(
        SeedFiles(folder).read_resized(FRAME, 2), np.tile([1 / 7, 6 / 7], (2, 1)), atol=1e-6
    )
    np.save(folder / f"{NAME}.npy", np.float32([[0, 1], [0, 1]]))
    np.testing.assert_allclose(
        SeedFiles(folder).read_resized(FRAME, 4), np.tile([0, 0.25, 0.75, 1], (4, 1)), atol=1e-6
    )


@pytest.mark.parametrize("shape", [(31, 50), (9, 9), (200, 16), (1, 1)])
def test_resizing_equals_pillow(folder, shape):
    stored = np.asfortranarray(noise(*shape))
    np.save(folder / f"{NAME}.npy", stored)
    expected = Image.fromarray(stored).resize((16, 16), Image.Resampling.BILINEAR)
    found = SeedFiles(folder).read_resized(FRAME, 16)
    assert (found.shape, found.dtype) == ((16, 16), np.float32)
    np.testing.assert_array_equal(found, np.asarray(expected))


def test_resizing_floats_is_resizing_the_frame_within_its_rounding(folder):
    grey = (noise(60, 47) * 255).astype(np.uint8)
    Image.fromarray(grey).save(folder / f"{NAME}.png")
    frame = np.asarray(Image.fromarray(grey).resize((24, 24), Image.Resampling.BILINEAR))
    found = SeedFiles(folder).read_resized(FRAME, 24)
    # Pillow rounds 8-bit pixels after each of its two passes.
    assert np.abs(255 * found - frame).max() <= 1


def test_a_map_of_ones_stays_at_most_one(folder):
    np.save(folder / f"{NAME}.npy", np.ones((97, 61), np.float32))
    found = SeedFiles(folder).read_resized(FRAME, 33)
    assert found.max() <= 1 and found.min() > 1 - 1e-6


def test_values_outside_by_rounding_are_clipped(folder):
    np.save(folder / f"{NAME}.npy", np.float16([[-0.0005, 1.0009765625]]))
    np.testing.assert_array_equal(SeedFiles(folder).read(FRAME), [[0, 1]])


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def npy(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def npz(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, values)
    return file.getvalue()


GREY = Image.fromarray((noise(20, 20) * 255).astype(np.uint8))
FAULTS = {
    "three dimensions": ("npy", npy(noise(4, 4)[None]), r"\[h, w\], got the shape \[1, 4, 4\]"),
    "one dimension": ("npy", npy(noise(4, 4)[0]), r"\[h, w\], got the shape \[4\]"),
    "no values": ("npy", npy(np.zeros((0, 4))), r"one value at least, got the shape \[0, 4\]"),
    "NaN": ("npy", npy(np.float32([[0, np.nan, np.nan]])), "got 2 that are NaN or infinite"),
    "infinite": ("npy", npy(np.float16([[0, np.inf]])), "got 1 that are NaN or infinite"),
    "too large": ("npy", npy(noise(4, 4) * 0 + 255), r"values in 0\.\.1, got 255\.\.255; scale"),
    "negative": ("npy", npy(np.float64([[-0.25, 1]])), r"values in 0\.\.1, got -0.25\.\.1; scale"),
    "too large for float32": ("npy", npy(np.float64([[1e300]])), r"in 0\.\.1, got 1e\+300"),
    "integers": ("npy", npy(np.ones((2, 2), np.uint8)), "floating-point .* got uint8; convert"),
    "truth values": ("npy", npy(np.ones((2, 2), bool)), "floating-point .* got bool; convert"),
    "complex": ("npy", npy(np.ones((2, 2), complex)), "floating-point .* got complex128"),
    "objects": ("npy", npy(np.array([[None]])), "NumPy file, got one that cannot be read"),
    "archive": ("npy", npz(noise(4, 4)), "one array, got an archive"),
    "cut array": ("npy", npy(noise(4, 4))[:-3], "NumPy file, got one that cannot be read"),
    "empty array": ("npy", b"", "NumPy file, got one that cannot be read"),
    "no array": ("npy", png(GREY), "NumPy file, got one that cannot be read"),
    "colour": ("png", png(GREY.convert("RGB")), "8-bit grey .* got mode RGB; save"),
    "grey with alpha": ("png", png(GREY.convert("LA")), "8-bit grey .* got mode LA; save"),
    "palette": ("png", png(GREY.convert("P")), "8-bit grey .* got mode P; save"),
    "one bit": ("png", png(GREY.convert("1")), "8-bit grey .* got mode 1; save"),
    "16 bit": ("png", png(Image.fromarray(np.ones((4, 4), np.uint16))), "got mode I;16; save"),
    "cut image": ("png", png(GREY)[:-200], "PNG file, got one that cannot be read"),
    "empty image": ("png", b"", "PNG file, got one that cannot be read"),
    "no image": ("png", npy(noise(4, 4)), "PNG file, got one that cannot be read"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_holds_no_map_is_named(folder, fault):
    suffix, content, problem = FAULTS[fault]
    file = folder / f"{NAME}.{suffix}"
    file.write_bytes(content)
    with pytest.raises(InputError, match=f"seed map {re.escape(str(file))}: expected .*{problem}"):
        SeedFiles(folder).read(FRAME)


def test_a_folder_in_the_place_of_a_map(folder):
    (folder / f"{NAME}.npy").mkdir()
    with pytest.raises(InputError, match=r"a\.b\.npy: .* cannot be read"):
        SeedFiles(folder).read(FRAME)


def test_a_missing_map_is_named_with_its_frame(folder):
    np.save(folder / "cat/tom.mp4/a.npy", noise(4, 4))  # the last suffix alone is replaced
    file = re.escape(str(folder / f"{NAME}.npy"))
    message = rf"frame cat/tom\.mp4/a\.b\.jpg at {file} \(or \.png\), got no such file; make it"
    with pytest.raises(InputError, match=message):
        SeedFiles(folder).read(FRAME)


def test_two_maps_of_one_frame(folder):
    np.save(folder / f"{NAME}.npy", noise(4, 4))
    GREY.save(folder / f"{NAME}.png")
    both = re.escape(str(folder / f"{NAME}.npy")) + r" and a\.b\.png; remove one of them"
    with pytest.raises(InputError, match=both):
        SeedFiles(folder).read(FRAME)
    with pytest.raises(InputError, match=both):
        SeedFiles(folder).listed("cat/tom.mp4")


def test_maps_are_listed_by_folder(folder):
    np.save(folder / f"{NAME}.npy", noise(4, 4))
    GREY.save(folder / "cat/tom.mp4/c.png")
    (folder / "cat/tom.mp4/notes.txt").write_text("")
    np.save(folder / "top.npy", noise(4, 4))
    files = SeedFiles(folder)
    assert files.listed("cat/tom.mp4") == {NAME, "cat/tom.mp4/c"}
    assert files.listed("") == {"top"}
    assert files.listed("cat") == files.listed("dog/rex") == set()


def test_no_folder(folder):
    np.save(folder / f"{NAME}.npy", noise(4, 4))
    for path, found in ((folder / "other", "nothing there"), (folder / f"{NAME}.npy", "a file")):
        with pytest.raises(InputError, match=f"{re.escape(str(path))}, got {found}; correct"):
            SeedFiles(path)
