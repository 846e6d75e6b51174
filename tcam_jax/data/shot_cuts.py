"""Where a video is cut into shots: PySceneDetect's content detector, on small frames."""

import numpy as np
from PIL import Image
from scenedetect import ContentDetector, FrameTimecode

_SIDE = 256  # pixels of the squares that are compared; cuts are as plain in them as in large frames


class CutDetector:
    """Takes the frames of one video in order; `cuts`: numbers of the frames that begin a shot.

    The detector's own threshold; but no shot is too short, since windows must not cross any cut.
    """

    def __init__(self) -> None:
        self._detector = ContentDetector(min_scene_len=0)
        self._frames = 0
        self.cuts: list[int] = []

    def add(self, frame: Image.Image) -> None:
        """The next frame, RGB, of any size."""
        small = np.asarray(frame.resize((_SIDE, _SIDE), Image.Resampling.BOX))
        # The frame rate only gives names to places.
        place = FrameTimecode(self._frames, fps=25.0)
        found = self._detector.process_frame(place, np.ascontiguousarray(small[..., ::-1]))
        self.cuts += [cut.frame_num for cut in found]
        self._frames += 1


def shots_between(cuts: list[int], num_frames: int) -> list[range]:
    """The shots of a video of `num_frames` frames, as ranges of frame numbers."""
    bounds = [0, *cuts, num_frames]
    return [range(*pair) for pair in zip(bounds[:-1], bounds[1:], strict=True)]
