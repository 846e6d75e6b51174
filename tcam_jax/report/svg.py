"""Plots as SVG inside the page, in its own colour of text, light or dark."""

import io
from collections.abc import Callable
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tcam_jax.runtime.terminal import one_line

TEXT = "#010203"  # stands for the page's own colour of text, light or dark
COLOURS = ("#2a78d6", "#d9661f", "#1a9c7b", "#b1499c", "#8a8a00", "#c03a4b", "#5a6fc0", "#7a7a7a")


def svg_plot(draw: Callable[[Axes], None], label: str, size: tuple[float, float]) -> str:
    """Return an `<svg>` element.

    Args:
      draw: puts what is shown into the axes.
      label: what it shows, for those who do not see it.
      size: width and height in inches; the page scales it.
    """
    style: dict[Any, Any] = {
        "svg.fonttype": "none",
        # The names of its parts must not be those of another plot in the page.
        "svg.hashsalt": label,
        "text.parse_math": False,  # "$x$" is a name
        "font.family": "sans-serif",
        "font.size": 9,
        **dict.fromkeys(
            ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), TEXT
        ),
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        draw(axes)
        axes.spines[["top", "right"]].set_visible(False)
        buffer = io.StringIO()
        metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=metadata)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(TEXT, "currentColor")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{_escaped(one_line(label))}" ', 1)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
