"""What `timing.jsonl` of a stage says: where its seconds went, and what one epoch more would cost.

A line tells the time since the line before. What training waits for at the end of an epoch is in
the first line of the next one: that is for the validation of the epoch before, if it is not done
yet. What it waits for at the end of the stage is in no line.
"""

from collections.abc import Mapping, Sequence

Line = Mapping[str, int | float]

# The loop waits for these; "step" is what is left of a line's time.
WAITS = ("data", "validation", "save")
# Going on beside the steps; lines of a loop that does nothing beside them lack them.
BESIDE = ("validation_beside", "save_beside")


def stage_shares(lines: Sequence[Line], train_s: float) -> dict[str, float]:
    """Return a stage's seconds by what they went to.

    Args:
      lines: of its `timing.jsonl`.
      train_s: how long the loop took in all.

    Returns:
      "data", "step", "validation", "save" as of the lines, and "end": what came after the last of
      them, which is the last validation, the last save and the end of the loop. They add up to
      `train_s`. And, in the background meanwhile, "validation_beside" and "save_beside".
    """
    shares = {name: _sum(lines, name) for name in ("step", *WAITS)}
    shares["end"] = train_s - sum(shares.values())
    return shares | {name: _sum(lines, name) for name in BESIDE}


def epoch_shares(
    lines: Sequence[Line], steps_per_epoch: int, epochs: int, step_s: float | None = None
) -> dict[str, float] | None:
    """Return the seconds of one epoch when all is compiled and read in; None: one was too few.

    Of the lines from the middle of the second epoch to the end, steps and waiting for data are
    taken for a step, waiting for validations and saves for an epoch's end. Where there are but two
    epochs, from the middle of the first: the validation before training, which reads all frames,
    may be waited for then.

    Args:
      lines: of the stage's `timing.jsonl`.
      steps_per_epoch, epochs: the stage's.
      step_s: what a step keeps the loop, where it is known; None: the lines' word is taken.

    Returns:
      As `stage_shares`, without "end"; "whole", the sum of the first four; "outside", what of that
      is not of steps; "idle", the share of that, 0..1.
    """
    middle = (1.5 if epochs > 2 else 0.5) * steps_per_epoch
    first = next((line["step"] for line in lines if line["step"] >= middle), 0)
    last = epochs * steps_per_epoch
    ends = sum(first <= end < last for end in range(steps_per_epoch, last, steps_per_epoch))
    if not ends:
        return None
    after = [line for line in lines if first < line["step"] <= last]
    of_steps, of_ends = steps_per_epoch / (last - first), 1 / ends
    shares = {name: of_steps * _sum(after, name) for name in ("step", "data")}
    shares |= {name: of_ends * _sum(after, name) for name in ("validation", "save")}
    whole = sum(shares.values())
    stepping = shares["step"] if step_s is None else min(step_s * steps_per_epoch, whole)
    shares |= {name: of_ends * _sum(after, name) for name in BESIDE}
    outside = whole - stepping
    return shares | {"whole": whole, "outside": outside, "idle": outside / max(whole, 1e-9)}


def projected_s(wall_s: float, epoch_s: Mapping[str, float], measured: int, wanted: int) -> float:
    """Return the seconds of a run of `wanted` epochs a stage.

    Args:
      wall_s: of one of `measured` epochs a stage.
      epoch_s: seconds of one epoch, by stage.
    """
    return wall_s + (wanted - measured) * sum(epoch_s.values())


def _sum(lines: Sequence[Line], name: str) -> float:
    return float(sum(line.get(f"seconds_{name}", 0.0) for line in lines))
