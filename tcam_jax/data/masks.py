"""The pixels that belong to the objects of annotated frames, for datasets that know them.

They lie beside the records, in `masks.zip`, a PNG of one bit a frame, named as the frame: records
of other datasets need no such field, and reading frames costs nothing more.
"""

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from tcam_jax.runtime.counted import in_bytes
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.plain_files import check_plain

FILE_NAME = "masks.zip"
_MOST_BYTES = 1 << 26  # of a mask, which has some KB


class Masks:
    """The masks of a prepared dataset.

    Args:
        folder: of the dataset, as `records.dataset_folder` gives it.

    Raises:
        InputError: the dataset has none.
    """

    def __init__(self, folder: Path):
        file = folder / FILE_NAME
        if not file.exists():
            raise InputError(f"{folder} has no masks ({FILE_NAME}); moving_photos has them")
        self._file = file
        try:
            check_plain(file)
            self._zip = zipfile.ZipFile(file)
        except (OSError, zipfile.BadZipFile) as error:
            raise InputError(f"{file} is damaged ({error}); prepare the dataset again") from error
        self._names = set(self._zip.namelist())

    def __contains__(self, frame_id: str) -> bool:
        return _name(frame_id) in self._names

    def __len__(self) -> int:
        return len(self._names)

    def read(self, frame_id: str) -> np.ndarray:
        """The mask of one frame, bool [height, width]: what shows an annotated object.

        Raises:
            InputError: the frame has none, since it is not annotated.
        """
        if frame_id not in self:
            raise InputError(f"{self._file} has no mask of {frame_id}: the frame has no boxes")
        size = self._zip.getinfo(_name(frame_id)).file_size
        if size > _MOST_BYTES:
            raise InputError(f"{self._file}: the mask of {frame_id} has {in_bytes(size)}: no mask")
        with Image.open(io.BytesIO(self._zip.read(_name(frame_id)))) as image:
            return np.asarray(image.convert("1"))


def write_masks(folder: Path, masks: Iterable[tuple[str, np.ndarray]]) -> None:
    """Writes (frame id, bool [height, width]) into a dataset's folder; same masks, same bytes."""
    with zipfile.ZipFile(folder / FILE_NAME, "w", zipfile.ZIP_STORED) as file:
        for frame_id, mask in masks:
            png = io.BytesIO()
            Image.fromarray(mask).save(png, "PNG")
            file.writestr(zipfile.ZipInfo(_name(frame_id)), png.getvalue())


def _name(frame_id: str) -> str:
    return PurePosixPath(frame_id).with_suffix(".png").as_posix()
