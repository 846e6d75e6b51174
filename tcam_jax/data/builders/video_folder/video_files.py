"""Video files: decoded once into JPEG frames, and cut into shots."""

import json
import os
import shutil
from pathlib import Path
from typing import NamedTuple

from tcam_jax.data.animation import read_film
from tcam_jax.data.shot_cuts import CutDetector
from tcam_jax.data.video import BadVideo

JPEG_QUALITY = 95  # of the frames, with full colour resolution

_CUTS_FILE = "cuts.json"


class Extracted(NamedTuple):
    """One video file's frames in `folder`, in order of display.

    `cuts`: numbers of the frames that begin a shot. `fault`: why decoding ended early, or "".
    """

    folder: Path
    num_frames: int
    cuts: list[int]
    fault: str

    def file(self, number: int) -> Path:
        """The JPEG file of one frame, counted from 0."""
        return self.folder / f"{number:06d}.jpg"


def extract(video: Path, folder: Path) -> Extracted:
    """Decodes `video` into `folder`, unless that was done before. Safe to call from many threads.

    The folder appears whole: it is written under another name and renamed. Memory does not grow
    with the video's length. Nothing is kept of a video without any frame.
    """
    if not folder.exists():
        unfinished = folder.with_name(folder.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        detector, num_frames, fault = CutDetector(), 0, ""
        try:
            for frame in read_film(video):
                detector.add(frame.image)
                target = unfinished / f"{frame.index:06d}.jpg"
                frame.image.save(target, quality=JPEG_QUALITY, subsampling=0)
                num_frames += 1
        except BadVideo as error:
            fault = str(error)
        if not num_frames:  # it may be mended, or only its permissions
            shutil.rmtree(unfinished)
            return Extracted(folder, 0, [], fault)
        made = {"num_frames": num_frames, "cuts": detector.cuts, "fault": fault}
        (unfinished / _CUTS_FILE).write_text(json.dumps(made))
        os.rename(unfinished, folder)
    return Extracted(folder, **json.loads((folder / _CUTS_FILE).read_text()))
