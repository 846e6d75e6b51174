"""The report as one page that needs nothing else: styles, pictures and plots are in the file."""

from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

import jinja2
from markupsafe import Markup

from tcam_jax.report.pictures import Figure
from tcam_jax.report.table import Table
from tcam_jax.runtime.terminal import one_line


class Plot(NamedTuple):
    """An `<svg>` element and its caption."""

    svg: str
    caption: str

    @property
    def safe(self) -> Markup:
        """The element as it is: made by us, see `report.curves`."""
        return Markup(self.svg)


class View(NamedTuple):
    """A map on a frame, thresholded in the browser.

    Attributes:
      method: whose map.
      uri: "data:image/png…", the quantised map in grey.
      level: above which its pixels are at first.
      peak: the level that the slider's 1 stands for.
      truth: true boxes in the map's pixels, JSON.
      alt: what is shown.
    """

    method: str
    uri: str
    level: int
    peak: int
    truth: str
    alt: str


class Frame(NamedTuple):
    """A frame, shown itself where the page's script does not run, and the maps on it."""

    figure: Figure
    views: Sequence[View]


class Slider(NamedTuple):
    """A threshold for all views of a method.

    Attributes:
      method: as of `View`.
      tau: where it stands at first, 0..1.
      origin: what the views show at first, in words.
      corloc: there, and `curve`: at each place of the slider, on all frames; percent, JSON.
    """

    method: str
    tau: float
    origin: str
    corloc: str
    curve: str


class Group(NamedTuple):
    """Pictures, plots or tables under a heading of their own within a section.

    Attributes:
      title: "" for none.
      text: a sentence before them.
      sliders, plots, frames, figures, tables: what is shown, in this order.
      folded: closed until it is asked for.
    """

    title: str = ""
    text: str = ""
    sliders: Sequence[Slider] = ()
    plots: Sequence[Plot] = ()
    frames: Sequence[Frame] = ()
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    folded: bool = False


class Section(NamedTuple):
    """A part of the page: `name` is its anchor."""

    name: str
    title: str
    groups: Sequence[Group]

    @property
    def has_sliders(self) -> bool:
        """Whether the page's script has something to do here."""
        return any(group.sliders for group in self.groups)


class Summary(NamedTuple):
    """What the page begins with.

    Attributes:
      title: of the page.
      figure: the number to quote; "–" where it is not known.
      explanation: what it is.
      facts: (name, value) of the run.
      files: where the same tables, and all numbers, are as text.
    """

    title: str
    figure: str
    explanation: str
    facts: Sequence[tuple[str, str]]
    files: tuple[str, str] = ("report.md", "report.csv")


def render(summary: Summary, sections: Sequence[Section]) -> str:
    """Return the page's HTML."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tcam_jax.report", package_path=""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html.j2")
    script = ""
    if any(section.has_sliders for section in sections):
        script = Markup(files("tcam_jax.report").joinpath("threshold.js").read_text("utf-8"))
    return template.render(summary=summary, sections=sections, script=script)


def _seen(value: object) -> object:
    # What is HTML already is our own; in other text, marks could turn the direction of the page's.
    return one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value
