"""The protocols under which localisation is scored, by the names that tables and files use.

threshold, where tau comes from:
  "val": best on the validation split, as the model is selected; honest.
  "test": best on the evaluated split itself, as in the paper's tables; an upper bound.
  "val_per_class", "test_per_class": likewise, one tau a class (CoLo-CAM's and TrCAM-V's scripts do
    the latter); the true class says which. A class without validation frames takes the common tau.
  "fixed": 0.2 of the map's maximum (Zhou et al., "Learning Deep Features for Discriminative
    Localization", CVPR 2016); of TCAM's logits 0.5, where foreground and background are equally
    likely.
  "otsu": Otsu's level of each map; of TCAM's logits too, not of their quantised scale.
  "agreement", of TCAM's logits: one for all frames, at which the boxes of the validation frames
    have the largest mean IoU with those of the CAMs, or with the pseudo-boxes by which checkpoints
    are selected; true boxes are not looked at.
  Others of `evaluate.threshold_rules`, of TCAM's logits: from each map, its CAM and its frame.
regions: the box of the "largest" region (the paper), or the boxes of "all" regions and of their
  holes, of which the best counts (MaxBoxAccV2, as the authors' code has it).
iou: 0.3, 0.5 (CorLoc) or 0.7 with any true box; "mean" of the three: MaxBoxAccV2 where regions is
  "all" and threshold "test" (Choe et al., CVPR 2020).
localisation: "gt_known", or the class must be right too: "top1", among the five likeliest: "top5".
class_from: whose CAM is scored, the class of the "truth" (as the reference does) or of the
  "prediction". TCAM's map is the same for all classes.
Each combination of iou and localisation chooses its own tau, as the reference does.
"""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from tcam_jax.evaluate.bootstrap import VideoBootstrap
from tcam_jax.evaluate.boxes import REGIONS, level_of
from tcam_jax.evaluate.corloc import TAUS_TEST, TAUS_VALIDATION, Localisation, hits
from tcam_jax.evaluate.maps import OF_LOGITS, REFINED
from tcam_jax.evaluate.rows import ProtocolRow, Scores, mean_scores, scores_of, unknown_scores
from tcam_jax.evaluate.threshold_rules import THRESHOLD_RULES

THRESHOLDS = ("val", "test", "val_per_class", "test_per_class", "fixed", "otsu")
AGREEMENT = "agreement"
IOUS = (0.3, 0.5, 0.7)
LOCALISATIONS = {"gt_known": None, "top1": 1, "top5": 5}
CLASS_FROM = ("truth", "prediction")
FIXED_TAU, FIXED_TAU_OF_LOGITS = 0.2, 0.5


def thresholds_of(method: str) -> tuple[str, ...]:
    """Return the thresholds under which a method is scored."""
    if method not in OF_LOGITS:
        return THRESHOLDS
    return tuple(dict.fromkeys((*THRESHOLDS, AGREEMENT, *THRESHOLD_RULES)))


def own_rule(method: str) -> str:
    """Return the threshold that each map of a method takes where none was chosen."""
    return "multi_otsu" if method in OF_LOGITS else "otsu"


def rule_without_boxes(method: str, pseudo_boxes: bool) -> str:
    """Return the threshold of a method, one of `thresholds_of`, where no true box is looked at.

    CAMs' regions are larger than objects, so the agreement with them is not for refined maps, which
    are almost of two values and cut themselves better.

    Args:
      method: whose map.
      pseudo_boxes: there are those that select checkpoints, see `config.eval.select_by`.
    """
    if method in OF_LOGITS and (pseudo_boxes or method not in REFINED):
        return AGREEMENT
    return own_rule(method)


class Judgement(NamedTuple):
    """How one kind of map did on the frames of a split that have boxes.

    Attributes:
      overlaps: for each of `REGIONS`, best IoU at each level, `[frames, 256]`.
      peaks: what tau is a share of: maximum of each quantised map, 0..255; 255 for TCAM's logits.
      levels: by rule, the level of each map.
      labels: true class of each frame.
      ranks: how many classes are likelier than the true one; 0: it is predicted.
      videos: number of each frame's video.
    """

    overlaps: Mapping[str, Float[np.ndarray, "frames 256"]]
    peaks: Int[np.ndarray, "frames"]
    levels: Mapping[str, Int[np.ndarray, "frames"]]
    labels: Int[np.ndarray, "frames"]
    ranks: Int[np.ndarray, "frames"]
    videos: Int[np.ndarray, "frames"]

    def sweep(
        self,
        taus: Float[np.ndarray, "taus"],
        regions: str = "largest",
        iou: float = 0.5,
        localisation: str = "gt_known",
    ) -> Localisation:
        """Return the hits of all frames at all `taus` under one protocol."""
        found = hits(self.overlaps[regions], self.peaks, taus, iou)
        return Localisation(found & self._right(localisation)[:, None], self.labels, taus)

    def correct(
        self, levels: Int[np.ndarray, "frames"], regions: str, iou: float, localisation: str
    ) -> Bool[np.ndarray, "frames"]:
        """Return which frames are hit at one level each."""
        overlaps = self.overlaps[regions][np.arange(len(levels)), levels]
        return (overlaps >= iou) & self._right(localisation)

    def levels_at(self, taus: float | Float[np.ndarray, "frames"]) -> Int[np.ndarray, "frames"]:
        """Return each frame's level for `taus`, one for all or one a frame."""
        return level_of(taus, self.peaks)

    def _right(self, localisation: str) -> Bool[np.ndarray, "frames"]:
        among = LOCALISATIONS[localisation]
        return np.full(len(self.ranks), True) if among is None else self.ranks < among


def ranks_of(
    logits: Float[np.ndarray, "frames k"], labels: Int[np.ndarray, "frames"]
) -> Int[np.ndarray, "frames"]:
    """Return how many classes come before the true one; of equal logits the first class wins."""
    order = np.argsort(-logits, axis=1, kind="stable")
    return np.argmax(order == labels[:, None], axis=1)


def protocol_rows(
    validation: Judgement | None,
    test: Judgement | None,
    class_names: Sequence[str],
    method: str,
    agreed: float | None = None,
) -> list[ProtocolRow]:
    """Score one kind of map under every protocol but `class_from`.

    Args:
      validation, test: None where the split has no boxes; what needs them is null.
      class_names: `[k]`.
      method: whose map it is.
      agreed: tau of "agreement".

    Returns:
      Rows with the keys threshold … per_class of `evaluate.results`.
    """
    bootstrap = None if test is None else VideoBootstrap(test.labels, test.videos)

    @functools.cache
    def sweep(split: str, setting: tuple[str, float, str]) -> Localisation | None:
        judged, taus = {"val": (validation, TAUS_VALIDATION), "test": (test, TAUS_TEST)}[split]
        return None if judged is None else judged.sweep(taus, *setting)

    rows: list[ProtocolRow] = []
    for threshold, regions, localisation in itertools.product(
        thresholds_of(method), REGIONS, LOCALISATIONS
    ):
        of_ious: list[ProtocolRow] = []
        samples: list[np.ndarray | None] = []
        for iou in IOUS:
            setting = (regions, iou, localisation)
            if threshold == AGREEMENT:
                tau: float | dict[str, float] | None = agreed
            elif threshold == "fixed":
                tau = FIXED_TAU_OF_LOGITS if method in OF_LOGITS else FIXED_TAU
            else:
                tau = _choose(threshold, setting, sweep, class_names)
            levels = _levels(threshold, tau, test, class_names)
            scores = unknown_scores(len(class_names))
            if test is not None and bootstrap is not None and levels is not None:
                correct = test.correct(levels, *setting)
                samples.append(bootstrap.class_means(correct))
                scores = scores_of(correct, test.labels, len(class_names), samples[-1])
            of_ious.append(_row(threshold, setting, tau, scores))
        mean = mean_scores(of_ious, samples)
        rows += [*of_ious, _row(threshold, (regions, "mean", localisation), None, mean)]
    return rows


def _row(
    threshold: str,
    setting: tuple[str, float | Literal["mean"], str],
    tau: float | dict[str, float] | None,
    scores: Scores,
) -> ProtocolRow:
    regions, iou, localisation = setting
    return {
        "threshold": threshold,
        "regions": regions,
        "iou": iou,
        "localisation": localisation,
        "tau": tau,
        **scores,
    }


def _choose(
    threshold: str,
    setting: tuple[str, float, str],
    sweep: Callable[[str, tuple[str, float, str]], Localisation | None],
    class_names: Sequence[str],
) -> float | dict[str, float] | None:
    """Return tau, tau per class, or None where there is none."""
    if threshold in THRESHOLD_RULES:
        return None
    split, _, per_class = threshold.partition("_")
    swept = sweep(split, setting)
    if swept is None:
        return None
    if not per_class:
        return swept.best_tau()
    return {name: swept.best_tau_of_class(label) for label, name in enumerate(class_names)}


def _levels(
    threshold: str,
    tau: float | dict[str, float] | None,
    judged: Judgement | None,
    class_names: Sequence[str],
) -> np.ndarray | None:
    """Return each frame's level; None where there are no boxes, or none to choose tau by."""
    if judged is None:
        return None
    if threshold in THRESHOLD_RULES:
        return judged.levels[threshold]
    if isinstance(tau, dict):
        return judged.levels_at(np.array([tau[name] for name in class_names])[judged.labels])
    return None if tau is None else judged.levels_at(tau)
