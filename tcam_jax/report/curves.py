"""Curves as SVG inside the page: training metrics, and CorLoc against the threshold."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from tcam_jax.evaluate.results import Results
from tcam_jax.report.svg import COLOURS, TEXT, svg_plot
from tcam_jax.runtime.terminal import one_line

_SIZE = (3.6, 2.2)  # inches; the page scales it


def training_curves(metrics: Sequence[Mapping[str, Any]], stage: str) -> list[tuple[str, str]]:
    """Draw each metric of a stage against the epoch.

    Args:
      metrics: lines of its metrics.jsonl, see `train.logs`.
      stage: its name, for those who do not see the pictures.

    Returns:
      (name, SVG) of each metric that was ever known and not always the same.
    """
    names = dict.fromkeys(name for line in metrics for name in line)
    drawn = []
    for name in sorted(names.keys() - {"step", "epoch"}, key=_order):
        points = [
            (x["epoch"], x[name]) for x in metrics if None not in (x.get(name), x.get("epoch"))
        ]
        if len({value for _, value in points}) > 1:
            epochs, values = zip(*points, strict=True)
            label = f"{name} of {stage} against the epoch, from {values[0]:.4g} to {values[-1]:.4g}"
            drawn.append((name, line_plot({"": (epochs, values)}, "epoch", "", label)))
    return drawn


def threshold_curves(results: Results) -> str | None:
    """Draw CorLoc against the threshold, a line a method; None where no split has boxes.

    Args:
      results: see `evaluate.results`.
    """
    curves = results["curves"]
    if curves is None:
        return None
    lines = {method: (curves["tau"], values) for method, values in curves["corloc"].items()}
    best = ", ".join(f"{method} at most {max(values):.1f}" for method, (_, values) in lines.items())
    label = f"CorLoc in percent against the threshold tau: {best}"
    return line_plot(lines, "τ, share of a map's maximum", "CorLoc (%)", label, (6.4, 3.4))


def line_plot(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    x_label: str,
    y_label: str,
    label: str,
    size: tuple[float, float] = _SIZE,
) -> str:
    """Return an `<svg>` element.

    Args:
      lines: {name in the legend, or "": (x, y)}.
      x_label, y_label: of the axes.
      label: what it shows, for those who do not see it.
      size: width and height in inches.
    """

    def draw(axes: Axes) -> None:
        for (name, (x, y)), colour in zip(lines.items(), COLOURS * len(lines), strict=False):
            axes.plot(x, y, color=colour, label=one_line(name), linewidth=1.6)
        axes.set(xlabel=x_label, ylabel=y_label)
        axes.grid(axis="y", color=TEXT, alpha=0.15, linewidth=0.6)
        if any(lines):
            axes.legend(frameon=False)

    return svg_plot(draw, label, size)


def _order(name: str) -> tuple[int, str]:
    first = ("loss", "validation_", "train_", "loss_", "learning_rate", "barrier_t")
    rank = next((i for i, start in enumerate(first) if name == start), None)
    if rank is None:
        rank = next((i for i, start in enumerate(first) if name.startswith(start)), len(first))
    return rank, name
