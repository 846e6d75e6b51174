"""Video files: decoded once into JPEG frames, and cut into shots."""

import json
import os
import shutil
from pathlib import Path
from typing import NamedTuple, TypedDict

from PIL import Image

from tcam_jax.data.animation import read_film
from tcam_jax.data.shot_cuts import CutDetector
from tcam_jax.data.video import BadVideo
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.json_files import read_json
from tcam_jax.runtime.shapes import Count, FileName

JPEG_QUALITY = 95  # of the frames, with full colour resolution

_MADE_FILE = "video.json"


class Extracted(NamedTuple):
    """One video file's frames in `folder`, in order of display.

    `numbers`: those of the frames that are there, from 0. `cuts`: which of these begin a shot,
    by their place in `numbers`; one does where frames are missing. `fault`: what is wrong with
    the file, or "".
    """

    folder: Path
    numbers: list[int]
    cuts: list[int]
    fault: str

    @property
    def files(self) -> list[Path]:
        """The JPEG files, named by the frames' numbers."""
        return [self.folder / f"{number:06d}.jpg" for number in self.numbers]


def extract(video: Path, folder: Path) -> Extracted:
    """Decodes `video` into `folder`, unless that was done before. Safe to call from many threads.

    The folder appears whole: it is written under another name and renamed. Memory does not grow
    with the video's length. Nothing is kept of a video without any frame.
    """
    if done := _done(folder):
        return done
    unfinished = folder.with_name(folder.name + ".unfinished")
    for old in (folder, unfinished):
        shutil.rmtree(old, ignore_errors=True)
    unfinished.mkdir(parents=True)
    made = _decode(video, unfinished)
    if not made.numbers:  # it may be mended, or only its permissions
        shutil.rmtree(unfinished)
        return made._replace(folder=folder)
    kept = {key: value for key, value in made._asdict().items() if key != "folder"}
    (unfinished / _MADE_FILE).write_text(json.dumps(kept))
    os.rename(unfinished, folder)
    return made._replace(folder=folder)


class _Made(TypedDict):
    numbers: list[Count]
    cuts: list[Count]
    fault: FileName


def _done(folder: Path) -> Extracted | None:
    """What was decoded before; None where it is not there, or not as it was made."""
    try:
        made = Extracted(folder, **read_json(folder / _MADE_FILE, _Made, ""))
        there = set(os.listdir(folder))
    except (InputError, OSError, TypeError):
        return None
    in_order = made.numbers == sorted(set(made.numbers)) and made.cuts == sorted(
        {*made.cuts} & {*range(len(made.numbers))}
    )
    whole = made.numbers and in_order and all(file.name in there for file in made.files)
    return made if whole else None


def _decode(video: Path, folder: Path) -> Extracted:
    made, detector, gaps = Extracted(folder, [], [], ""), CutDetector(), []
    try:
        for frame in read_film(video):
            image = Image.fromarray(frame.image)
            detector.add(image)
            image.save(folder / f"{frame.index:06d}.jpg", quality=JPEG_QUALITY, subsampling=0)
            if made.numbers and frame.index != made.numbers[-1] + 1:
                gaps.append(len(made.numbers))
            made.numbers.append(frame.index)
    except BadVideo as error:
        made = made._replace(fault=str(error))
    return made._replace(cuts=sorted({*detector.cuts, *gaps}))
