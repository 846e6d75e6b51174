"""From what the network says of a frame to what is reported of it: class, threshold, boxes."""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from tcam_jax.evaluate.boxes import REGIONS, boxes_of_mask, threshold_level
from tcam_jax.evaluate.logit_map import logits_of
from tcam_jax.evaluate.threshold_rules import MAP_RULES
from tcam_jax.predict.inputs import InputFrame
from tcam_jax.predict.prediction import Prediction
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.given import check_share

LEAST_SCORE = 0.01
"""Of a box, by default: in a black frame a map is noise, and its own threshold finds regions there
all the same, with scores of a thousandth. No box of an object had less than 0.3."""


class Decision:
    """How a network's outputs become a `Prediction`; arguments as of `predictor.Predictor`.

    Raises:
      InputError: an option is unknown or out of range.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        tau: float | None,
        of_logits: bool,
        background: str | None = None,
        *,
        rule: str | None = None,
        regions: str = "largest",
        min_area: float = 0.0,
        min_probability: float = 0.0,
        min_score: float = LEAST_SCORE,
        class_name: str | None = None,
    ):
        self.class_names = tuple(class_names)
        if regions not in REGIONS:
            raise InputError(f"regions must be one of {', '.join(REGIONS)}; got {regions!r}.")
        if class_name is not None and class_name not in self.class_names:
            raise InputError(
                f"the class must be one of {', '.join(self.class_names)}; got {class_name!r}."
            )
        if tau is not None:
            check_share(tau, "tau")
        if tau is not None and rule is not None:
            raise InputError(f"tau={tau} and rule={rule!r} are two thresholds; give one of them.")
        rules = MAP_RULES if of_logits else {"otsu": MAP_RULES["otsu"]}
        if rule is not None and rule not in rules:
            maps = "of this map" if of_logits else "of a map that is not of logits"
            raise InputError(f"rule {maps} must be one of {', '.join(rules)}; got {rule!r}.")
        for name, share in [
            ("min_area", min_area),
            ("min_probability", min_probability),
            ("min_score", min_score),
        ]:
            check_share(share, name)
        self._tau, self._of_logits = tau, of_logits
        # Of maps that are not of logits, `threshold_level` has Otsu's threshold without tau.
        self._rule = None if rule is None or not of_logits else MAP_RULES[rule]
        self._most_boxes = None if regions == "all" else 1
        self._min_area, self._min_score = min_area, min_score
        self._min_probability = min_probability
        self._background = background
        self._class = None if class_name is None else self.class_names.index(class_name)

    def __call__(self, seen: InputFrame, logits: np.ndarray, u8: np.ndarray) -> Prediction:
        """Return what is said of a frame with these logits `[k]` and this map, uint8 `[s, s]`."""
        probabilities = np.exp(logits - logits.max())
        probabilities /= probabilities.sum()
        index = int(probabilities.argmax()) if self._class is None else self._class
        level = self._rule(u8) if self._rule else threshold_level(u8, self._tau, self._of_logits)
        boxes, scores = np.zeros((0, 4)), list[float]()
        is_background = self.class_names[index] == self._background
        if probabilities[index] >= self._min_probability and not is_background:
            cells, scores = self._boxes_of(u8, level)
            # The product first: size * width / size is the width itself, whatever the numbers.
            boxes = cells * (seen.image.shape[1::-1] * 2) / len(u8)
        return Prediction(
            class_index=index,
            class_name=self.class_names[index],
            probability=float(probabilities[index]),
            boxes=[(x0, y0, x1, y1) for x0, y0, x1, y1 in boxes.tolist()],
            scores=scores,
            map=u8,
            of_logits=self._of_logits,
            level=level,
            probabilities=probabilities,
            class_names=self.class_names,
            image=seen.image,
            file=seen.file,
            frame=seen.frame,
            time=seen.time,
        )

    def _boxes_of(self, u8: np.ndarray, level: int) -> tuple[np.ndarray, list[float]]:
        """Boxes `[n, 4]` in cells, each from its first cell's start to its last cell's end."""
        # `boxes_of_mask` ends boxes before the last row and column, by the rule of the reference's
        # scores. With one more of each, outside of the frame, no region reaches there.
        boxes = boxes_of_mask(np.pad(u8 > level, ((0, 1), (0, 1))))
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        foreground = expit(logits_of(u8)) if self._of_logits else u8 / 255
        kept, scores = list[list[int]](), list[float]()
        for box in boxes[areas >= self._min_area * u8.size].tolist():
            x0, y0, x1, y1 = box
            score = float(foreground[y0:y1, x0:x1].mean())
            if score < self._min_score:
                continue
            kept.append(box)
            scores.append(score)
            if len(kept) == self._most_boxes:
                break
        return np.array(kept, int).reshape(-1, 4), scores
