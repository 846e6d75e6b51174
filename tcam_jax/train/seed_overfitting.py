"""Tells, once, that the decoder has begun to learn the seeds by heart.

A decoder that sees few crops for long gets ever surer of where seeds fall in these, and worse
elsewhere: their cross-entropy goes to 0, while on validation frames CorLoc falls and the foreground
grows. What is looked at are medians of `LOOKS` validations in a row, so that no single one decides,
and changes count where they are large beside the noise from a validation to the next:

- With boxes (true or pseudo) it is overfitting where CorLoc has fallen from its peak while the
  seeds went on to be learned.
- Without, where the seeds are as good as known, and the foreground has grown since they were
  learned for the most part.

So it takes 2 `LOOKS` validations at least, and says nothing of shorter runs. From the step on at
which seeds come from the network's own maps it looks no further: to agree with oneself is no fault.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from tcam_jax.train.validation import FOREGROUND

LOOKS = 3  # validations of a median
FALL = 5.0  # points of CorLoc
GROWTH = 0.25  # of the foreground's area, as a share of what it was …
GROWTH_AT_LEAST = 5.0  # … and in percent of the frame
NOISE = 4.0  # times the standard deviation of a validation around its neighbours' trend
KNOWN = 0.05  # nats: the seeds' labels are given a probability of 95 %
LEARNED = 0.2  # nats: 82 %

_SEEDS = "loss_partial_ce"
_CORLOC = re.compile(r"validation_(\w+_)?corloc_")


class _Look(NamedTuple):
    """One validation: finished steps; nats in training since the last one; percents."""

    step: int
    partial_ce: float
    foreground: float
    corloc: float | None


class SeedOverfitting:
    """What stage 2's metrics have shown so far. Of another stage's it says nothing.

    Args:
      lines: of the metrics.jsonl that is gone on with: what they show has been told.
      last_step: up to which seeds are not of the network's own maps; None: they never are.
    """

    def __init__(self, lines: Iterable[Mapping[str, Any]] = (), last_step: int | None = None):
        self._last_step = last_step
        self._looks: list[_Look] = []
        self._losses: list[tuple[int, float]] = []  # steps and nats since the last look
        self._best: tuple[float, int] | None = None  # CorLoc, -step
        self._told = False
        for line in lines:
            self.see(int(line["step"] or 0), line)

    def see(self, step: int, metrics: Mapping[str, Any]) -> str | None:
        """Take in metrics of one step, of training or of a validation, as they are written.

        Returns:
          What is to be told, the first time that there is something.
        """
        if self._last_step is not None and step > self._last_step:
            return None
        loss = metrics.get(_SEEDS)
        if loss is not None:
            self._losses.append((step, loss))
        foreground = metrics.get(FOREGROUND)
        if foreground is None:
            return None
        corloc = next((x for name, x in metrics.items() if _CORLOC.match(name)), None)
        if corloc is not None:
            self._best = max(self._best or (corloc, -step), (corloc, -step))
        seen = [nats for at, nats in self._losses if at <= step]
        self._losses = [(at, nats) for at, nats in self._losses if at > step]
        if not seen:  # before the first step there is nothing that was learned
            return None
        self._looks.append(_Look(step, float(np.mean(seen)), foreground, corloc))
        since = None if self._told else overfitting_since(self._looks)
        if since is None:
            return None
        self._told = True
        return self._told_of(since)

    def _told_of(self, since: int) -> str:
        before, now = (
            _median(self._looks[i : i + LOOKS]) for i in (since, len(self._looks) - LOOKS)
        )
        step = self._looks[since + LOOKS // 2].step
        fallen = taken = ""
        if before.corloc is not None and now.corloc is not None and self._best is not None:
            fallen = (
                f"CorLoc on validation frames fell from {before.corloc:.1f} to {now.corloc:.1f}, "
            )
            taken = f"the checkpoint of step {-self._best[1]}, of the best CorLoc, is the one taken"
        else:
            taken = "without boxes the last step's checkpoint is taken"
        return (
            f"the decoder overfits its seeds since about step {step}: up to step "
            f"{self._looks[-1].step} their cross-entropy went from {before.partial_ce:.3f} to "
            f"{now.partial_ce:.3f}, {fallen}the foreground from {before.foreground:.0f} to "
            f"{now.foreground:.0f} % of the frame; {taken}. Train for fewer steps, on more frames "
            "or videos, with tcam.optimizer.ema or a larger tcam.losses.crf.weight, see "
            "docs/troubleshooting.md"
        )


def overfitting_since(looks: list[_Look]) -> int | None:
    """Return the first of the `LOOKS` validations since which it overfits; None: it does not."""
    if len(looks) < 2 * LOOKS:
        return None
    seeds = np.array([look.partial_ce for look in looks], float)
    losses = _medians(seeds)
    now = losses[-1]
    earlier = len(losses) - LOOKS  # medians that share no validation with the last one
    corlocs = [look.corloc for look in looks if look.corloc is not None]
    if len(corlocs) == len(looks):
        scores = np.array(corlocs, float)
        smooth = _medians(scores)
        peak = int(smooth[:earlier].argmax())
        fallen = smooth[peak] - smooth[-1] >= max(FALL, NOISE * _noise(scores))
        return peak if fallen and now <= max(losses[peak] / 2, KNOWN) else None
    learned = np.flatnonzero(losses[:earlier] <= LEARNED)
    if not len(learned) or not now <= KNOWN:
        return None
    areas = np.array([look.foreground for look in looks], float)
    smooth, first = _medians(areas), int(learned[0])
    least = max(GROWTH * smooth[first], GROWTH_AT_LEAST, NOISE * _noise(areas))
    return first if smooth[-1] - smooth[first] >= least else None


def _medians(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " m"]:
    return np.median(np.lib.stride_tricks.sliding_window_view(values, LOOKS), axis=-1)


def _noise(values: Float[np.ndarray, " n"]) -> float:
    """Return the standard deviation of noise on a smooth curve, from its second differences.

    Of independent normal ones these have sqrt(6) times its standard deviation, and a median size
    of 0.6745 times theirs.
    """
    return float(np.median(np.abs(np.diff(values, 2)))) / (0.6745 * 6**0.5)


def _median(looks: list[_Look]) -> _Look:
    corlocs = [look.corloc for look in looks if look.corloc is not None]
    return _Look(
        looks[-1].step,
        float(np.median([look.partial_ce for look in looks])),
        float(np.median([look.foreground for look in looks])),
        float(np.median(corlocs)) if len(corlocs) == len(looks) else None,
    )
