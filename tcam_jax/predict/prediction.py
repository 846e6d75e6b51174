"""What is said of one frame."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

Box = tuple[float, float, float, float]


class Prediction(NamedTuple):
    """What TCAM says of one frame.

        (prediction,) = model.predict([frame])
        print(prediction.class_name, prediction.box)

    Attributes:
      class_index, class_name: the most probable class, or the one asked for.
      probability: its probability, 0..1.
      boxes: x0, y0, x1, y1 each, in pixels of the frame as given, the largest region's first. Edges
        are those of the map's cells: what reaches into the last row ends at y1 = height.
      scores: mean foreground probability inside each box, 0..1.
      map: foreground map, uint8 `[s, s]`, floor(255 * value), at the network's size: of its logits,
        see `evaluate.logit_map`, its probability, or a CAM, as the run's `eval.map` says.
      probabilities: of all classes, `[k]`, in the order of the predictor's `class_names`.
      level: what is above it in the map is foreground.
      size: height and width of the frame, pixels.
      file, frame, time: the frame's file, its number there, and the second when a video shows it;
        of a frame in memory None, its number among those given, and None.
    """

    class_index: int
    class_name: str
    probability: float
    boxes: list[Box]
    scores: list[float]
    map: np.ndarray
    probabilities: np.ndarray
    level: int
    size: tuple[int, int]
    file: Path | None
    frame: int
    time: float | None

    @property
    def box(self) -> Box | None:
        """The largest region's box; None where no pixel is above the threshold."""
        return self.boxes[0] if self.boxes else None

    def mask(self) -> np.ndarray:
        """Return the foreground in the frame's pixels, bool `[h, w]`: all regions, small ones too.

        A pixel belongs to the cell of the map that its centre lies in.
        """
        above = self.map > self.level
        rows, columns = (
            (2 * np.arange(pixels) + 1) * cells // (2 * pixels)
            for pixels, cells in zip(self.size, above.shape, strict=True)
        )
        return above[rows[:, None], columns]

    def resized_map(self) -> np.ndarray:
        """Return the map in the frame's pixels, uint8 `[h, w]`, bilinear between its cells."""
        square = Image.fromarray(self.map)
        return np.asarray(square.resize(self.size[::-1], Image.Resampling.BILINEAR))
