"""What is said of one frame."""

from typing import NamedTuple

import numpy as np

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
    """

    class_index: int
    class_name: str
    probability: float
    boxes: list[Box]
    scores: list[float]
    map: np.ndarray

    @property
    def box(self) -> Box | None:
        """The largest region's box; None where no pixel is above the threshold."""
        return self.boxes[0] if self.boxes else None
