"""One threshold for all frames, chosen without true boxes: "agreement" of `evaluate.protocols`."""

import numpy as np

from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.boxes import LEVELS
from tcam_jax.evaluate.corloc import iou
from tcam_jax.evaluate.split import SplitScores, scaled_truth


def agreed_level(
    scores: SplitScores, method: str, pseudo: Truth | None, size: int, judged: np.ndarray
) -> int:
    """Return the level at which a map's boxes agree best with boxes that nobody drew.

    By their mean IoU; true boxes are not looked at.

    Args:
      scores: of validation frames.
      method: whose map.
      pseudo: the same frames with those boxes; None, or without any: the boxes of the guiding CAMs.
      size: side of the maps, pixels.
      judged: the frames in which there is something to find, bool `[frames]`.
    """
    answers = scores.maps[method, "truth"]
    boxed = [i for i in np.flatnonzero(judged).tolist() if pseudo and len(pseudo.boxes[i])]
    if pseudo is None or not boxed:
        agreement = answers.agreement[judged]
    else:
        agreement = np.stack(
            [iou(answers.boxes[i], scaled_truth(pseudo, i, size)).max(-1) for i in boxed]
        )
    return int(agreement.mean(0)[: LEVELS - 1].argmax())
