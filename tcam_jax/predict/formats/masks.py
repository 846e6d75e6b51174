"""`masks/`: the foreground of each frame as a PNG of the frame's size."""

import colorsys
import zlib
from contextlib import suppress
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from tcam_jax.evaluate.boxes import REGIONS
from tcam_jax.predict.prediction import Prediction
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import cannot_write, temporary_name

FOLDER = "masks"


class MaskWriter:
    """Writes `masks/NAME.png` for an image, `masks/NAME/000012.png` for a frame of a video.

    With regions "largest", 255 is what is above the threshold and 0 what is not. With "all", each
    pixel has the number of its box, from 1; 0 is the background and regions without a box. Up to
    255 boxes a frame that is a palette's index (one byte, shown in colours), above, 16 bits grey.

    Args:
      folder: of the results; `masks` is made in it.
      regions: as of `decision.Decision`.
    """

    def __init__(self, folder: Path, regions: str = "largest"):
        if regions not in REGIONS:
            raise InputError(f"regions must be one of {', '.join(REGIONS)}; got {regions!r}.")
        self._folder, self._numbered = folder / FOLDER, regions == "all"

    def write(self, prediction: Prediction, name: str) -> None:
        """Write the mask of a frame.

        Args:
          prediction: what is said of it.
          name: of the results of its file, as of `names.output_names`.

        Raises:
          InputError: `name` leads out of the folder, or the mask cannot be written.
        """
        parts = PurePosixPath(name)
        if not parts.name or parts.is_absolute() or ".." in parts.parts:
            raise InputError(f"a mask's name must be a path below its folder; got {name!r}.")
        if prediction.time is not None:
            name += f"/{prediction.frame:06d}"
        path = self._folder / f"{name}.png"
        temporary = temporary_name(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Runs of equal bytes, at the lowest level: what masks are made of, and what is fast.
            picture(prediction, self._numbered).save(
                temporary, "png", compress_level=1, compress_type=zlib.Z_RLE
            )
            temporary.replace(path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            raise cannot_write(path, error) from error


def picture(prediction: Prediction, numbered: bool) -> Image.Image:
    """Return the mask of 0 and 255, or the number of each pixel's box, as `MaskWriter` says."""
    if not numbered:
        return Image.fromarray(prediction.mask().view(np.uint8) * np.uint8(255))
    numbers = prediction.region_numbers()
    if len(prediction.boxes) > 255:
        return Image.fromarray(numbers)
    found = Image.fromarray(numbers.astype(np.uint8))
    found.putpalette(_PALETTE)
    return found


def _colours() -> bytes:
    # Steps of the golden ratio: hues of neighbours in number are far from each other.
    hues = [(number * 0.618) % 1 for number in range(255)]
    colours = [colorsys.hsv_to_rgb(hue, 0.75, 1.0) for hue in hues]
    return bytes([0, 0, 0, *(round(255 * part) for colour in colours for part in colour)])


_PALETTE = _colours()
