"""Localisation maps that were made elsewhere: one file per frame, found, read and checked."""

import os
from pathlib import Path

import numpy as np
from PIL import Image

from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.plain_files import check_plain

ARRAY_SUFFIX, IMAGE_SUFFIX = ".npy", ".png"
FORMS = "a float .npy [h, w] in 0..1, or an 8-bit grey .png"

# Resizing or averaging in half precision can leave 0..1 by this much; such values are clipped.
_ROUNDING = 1e-3
_MOST_BYTES = 1 << 30  # of a map


class SeedFiles:
    """The maps in `folder`, each at its frame's id with another last suffix.

    The map of "class/video/shot/file.jpg" is `folder/class/video/shot/file.npy`: float `[h, w]` of
    any size and precision, 0..1; or `file.png`: 8-bit grey, where 255 means 1. It covers the whole
    frame, whatever its own height and width. Frames that differ in their suffix alone share a map.
    Safe for many threads.

    Raises:
        InputError: `folder` is no folder.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        if not self.folder.is_dir():
            found = "a file" if self.folder.exists() else "nothing there"
            raise InputError(
                f"expected a folder of seed maps at {self.folder}, got {found}; correct the path "
                f"or write the maps there: for every training frame {FORMS}"
            )

    def read(self, frame_id: str) -> np.ndarray:
        """The map of a frame as it was stored, float32 `[h, w]`, 0..1.

        Raises:
            InputError: no such file, two of them, or one that holds no such map; it is named.
        """
        file = self._find(frame_id)
        values = _read_array(file) if file.suffix == ARRAY_SUFFIX else _read_image(file)
        if not values.size:
            raise _wrong(file, f"one value at least, got the shape {list(values.shape)}")
        low, high = float(values.min()), float(values.max())
        if not np.isfinite([low, high]).all():  # one NaN makes both NaN
            count = int((~np.isfinite(values)).sum())
            raise _wrong(file, f"finite values, got {count} that are NaN or infinite")
        if low < -_ROUNDING or high > 1 + _ROUNDING:
            raise _wrong(
                file, f"values in 0..1, got {low:g}..{high:g}", "scale the map before you save it"
            )
        return values.astype(np.float32).clip(0, 1)

    def read_resized(self, frame_id: str, size: int) -> np.ndarray:
        """The map of a frame, resized like its pixels: float32 `[size, size]`, 0..1.

        Bilinear, antialiased: Pillow's own values. Errors as for `read`.
        """
        values = self.read(frame_id)
        if values.shape == (size, size):
            return values
        # Weights sum to 1 but for rounding.
        image = Image.fromarray(values).resize((size, size), Image.Resampling.BILINEAR)
        return np.asarray(image).clip(0, 1)

    def listed(self, folder: str) -> set[str]:
        """The frame ids, without their suffix, of all maps directly in `folder` (of frame ids).

        Raises:
            InputError: an .npy and a .png file of the same frame.
        """
        found: set[str] = set()
        try:
            entries = os.scandir(self.folder / folder)
        except (FileNotFoundError, NotADirectoryError):
            return found
        with entries:
            for entry in entries:
                stem, suffix = os.path.splitext(entry.name)
                if suffix not in (ARRAY_SUFFIX, IMAGE_SUFFIX):
                    continue
                name = f"{folder}/{stem}" if folder else stem
                if name in found:
                    raise self._ambiguous(name)
                found.add(name)
        return found

    def _find(self, frame_id: str) -> Path:
        name = without_suffix(frame_id)
        files = [self.folder / (name + suffix) for suffix in (ARRAY_SUFFIX, IMAGE_SUFFIX)]
        there = [file for file in files if file.exists()]
        if not there:
            raise InputError(
                f"expected the seed map of frame {frame_id} at {files[0]} (or {IMAGE_SUFFIX}), got "
                f"no such file; make it ({FORMS}), or leave the frame out of the dataset"
            )
        if len(there) > 1:
            raise self._ambiguous(name)
        return there[0]

    def _ambiguous(self, name: str) -> InputError:
        return InputError(
            f"expected one seed map, got both {self.folder / (name + ARRAY_SUFFIX)} and "
            f"{name.rpartition('/')[2]}{IMAGE_SUFFIX}; remove one of them"
        )


def without_suffix(frame_id: str) -> str:
    """A frame's id without its last suffix, whatever suffixes its folders have."""
    return os.path.splitext(frame_id)[0]


def _read_array(file: Path) -> np.ndarray:
    try:
        check_plain(file, _MOST_BYTES)
        values = np.load(file, allow_pickle=False)
    except Exception as error:  # NumPy raises many types for a damaged file
        raise _unreadable(file, "NumPy", error) from error
    if not isinstance(values, np.ndarray):
        values.close()
        raise _wrong(file, "one array, got an archive of arrays (.npz)")
    if values.ndim != 2:
        raise _wrong(
            file,
            f"two dimensions [h, w], got the shape {list(values.shape)}",
            "save one map without batch or channel dimension",
        )
    if not np.issubdtype(values.dtype, np.floating):
        raise _wrong(
            file, f"floating-point values in 0..1, got {values.dtype}", "convert them to float32"
        )
    return values


def _read_image(file: Path) -> np.ndarray:
    try:
        check_plain(file, _MOST_BYTES)
        with Image.open(file, formats=["PNG"]) as image:
            mode, pixels = image.mode, np.asarray(image)
    except Exception as error:  # Pillow raises many types for a damaged file
        raise _unreadable(file, "PNG", error) from error
    if mode != "L":
        raise _wrong(
            file,
            f"8-bit grey (Pillow's mode L), got mode {mode}",
            "save it as 8-bit grey, or as .npy for finer values",
        )
    return pixels / np.float32(255)


def _wrong(file: Path, problem: str, advice: str = "make it again") -> InputError:
    return InputError(f"seed map {file}: expected {problem}; {advice}")


def _unreadable(file: Path, kind: str, error: Exception) -> InputError:
    reason = f"{type(error).__name__}: {error}"
    return _wrong(file, f"a whole {kind} file, got one that cannot be read ({reason})")
