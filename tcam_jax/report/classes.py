"""What a run says of its frames without asking for true boxes: classes, and how large boxes are."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.results import FrameLine
from tcam_jax.report.table import Table, number

LARGEST_MATRIX = 20  # classes; of more the commonest confusions are listed
LISTED = 15
WHOLE_FRAME = 0.9  # a box above this share of the frame says nothing


def guess_of(line: FrameLine) -> str:
    """Return the most probable class."""
    return max(line["probabilities"], key=line["probabilities"].__getitem__)


def accuracy_of(lines: Sequence[FrameLine]) -> float:
    """Return the percent of frames whose most probable class is the true one."""
    return 100 * float(np.mean([guess_of(line) == line["label"] for line in lines]))


def commonest_share(lines: Sequence[FrameLine]) -> float:
    """Return the accuracy of who always says the commonest class, percent."""
    return 100 * Counter(line["label"] for line in lines).most_common(1)[0][1] / len(lines)


def class_table(lines: Sequence[FrameLine], classes: Sequence[str]) -> Table:
    """Return the accuracy of each class, and what it is taken for where that is wrong."""
    rows = []
    for name in classes:
        of_class = [line for line in lines if line["label"] == name]
        wrong = Counter(guess for line in of_class if (guess := guess_of(line)) != name)
        taken = ", ".join(f"{other} ({count})" for other, count in wrong.most_common(2))
        right = accuracy_of(of_class) if of_class else None
        sure = [100 * max(line["probabilities"].values()) for line in of_class]
        cells = [str(len(of_class)), number(right), number(float(np.mean(sure)) if sure else None)]
        rows.append([name, taken or "–", *cells])
    rows.append(["all", "", str(len(lines)), number(accuracy_of(lines)), _mean_certainty(lines)])
    header = ["class", "else taken for (frames)", "frames", "accuracy", "certainty"]
    note = "Certainty: mean probability of the most probable class, percent."
    return Table("Accuracy by class", header, rows, note, names=2)


def confusion_table(lines: Sequence[FrameLine], classes: Sequence[str]) -> Table:
    """Return the confusion matrix; of many classes, the commonest confusions."""
    counts = Counter((line["label"], guess_of(line)) for line in lines)
    totals = Counter(line["label"] for line in lines)
    if len(classes) <= LARGEST_MATRIX:
        rows = [
            [
                name,
                *(f"{100 * counts[name, other] / max(totals[name], 1):.0f}" for other in classes),
            ]
            for name in classes
        ]
        note = "A row is a true class: percent of its frames that are taken for each class."
        return Table("Confusion matrix", ["true class", *classes], rows, note, heat=True)
    wrong = [(pair, count) for pair, count in counts.most_common() if pair[0] != pair[1]]
    rows = [
        [true, guess, str(count), number(100 * count / totals[true])]
        for (true, guess), count in wrong[:LISTED]
    ]
    header = ["true class", "taken for", "frames", "% of the class"]
    return Table("Commonest confusions", header, rows, names=2)


def area_table(
    lines: Sequence[FrameLine], truth: Truth, classes: Sequence[str], methods: Sequence[str]
) -> Table:
    """Return how much of the frame the boxes take: of each class, of each method.

    Args:
      lines: of predictions.jsonl, a line a frame of `truth`.
      truth: of the evaluated split.
      classes: `[k]`.
      methods: keys of the lines' boxes, the run's own first.
    """
    frames = truth.sizes.prod(axis=1)
    true_shares = {
        i: 100 * float(_areas(boxes).max()) / frames[i]
        for i, boxes in enumerate(truth.boxes)
        if len(boxes)
    }
    shares = {
        method: 100 * _areas(np.array([line["boxes"][method] for line in lines])) / frames
        for method in methods
    }
    labels = np.array([line["label"] for line in lines])
    rows = []
    for name in (*classes, "all"):
        of_class = np.flatnonzero((labels == name) | (name == "all"))
        known = [true_shares[i] for i in of_class.tolist() if i in true_shares]
        cells = [name] + ([number(float(np.median(known)) if known else None)] * bool(true_shares))
        for method in methods:
            found = shares[method][of_class]
            cells += [*_spread(found), str(int((found == 0).sum()))]
            cells.append(str(int((found > 100 * WHOLE_FRAME).sum())))
        rows.append(cells)
    header = ["class"] + ["true box"] * bool(true_shares)
    for method in methods:
        header += [f"{method}: median", "10 to 90 %", "none", "all of it"]
    note = (
        "Percent of the frame that a box takes: the median of the frames, and the range without "
        "the smallest and the largest tenth. None: frames without a region; all of it: boxes of "
        f"more than {100 * WHOLE_FRAME:.0f} % of the frame. Boxes as in predictions.jsonl."
    )
    return Table("How large boxes are", header, rows, note)


def _areas(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)


def _spread(shares: np.ndarray) -> list[str]:
    if not len(shares):
        return ["–", "–"]
    low, middle, high = np.quantile(shares, (0.1, 0.5, 0.9)).tolist()
    return [number(middle), f"{low:.0f} to {high:.0f}"]


def _mean_certainty(lines: Sequence[FrameLine]) -> str:
    return number(100 * float(np.mean([max(line["probabilities"].values()) for line in lines])))
