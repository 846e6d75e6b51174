"""Bars as SVG inside the page: a mean, and what it is the mean of."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes

from tcam_jax.report.svg import COLOURS, TEXT, svg_plot
from tcam_jax.runtime.terminal import one_line

_LONGEST = 40  # letters of a name; the table has it whole


class Bar(NamedTuple):
    """One bar: its name, its length, and what that is the mean of."""

    name: str
    value: float
    dots: Sequence[float]


def bar_plot(bars: Sequence[Bar], x_label: str, label: str) -> str:
    """Return an `<svg>` element of horizontal bars from 0, the first at the top, and their dots.

    Args:
      bars: at least one.
      x_label: of the axis.
      label: what it shows, for those who do not see it.
    """

    def draw(axes: Axes) -> None:
        places = range(len(bars))
        axes.barh(places, [bar.value for bar in bars], 0.62, color=COLOURS[0], alpha=0.75)
        for place, bar in enumerate(bars):
            axes.plot(bar.dots, [place] * len(bar.dots), "o", color=TEXT, markersize=3)
        axes.set_yticks(places, [_short(one_line(bar.name)) for bar in bars])
        axes.invert_yaxis()
        axes.set(xlabel=x_label, xlim=(0, None))
        axes.grid(axis="x", color=TEXT, alpha=0.15, linewidth=0.6)

    return svg_plot(draw, label, (6.4, 0.3 * len(bars) + 0.9))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
