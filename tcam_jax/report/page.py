"""The report as one page that needs nothing else: styles, pictures and plots are in the file."""

from collections.abc import Sequence
from typing import NamedTuple

import jinja2
from markupsafe import Markup

from tcam_jax.report.pictures import Figure
from tcam_jax.report.table import Table


class Plot(NamedTuple):
    """An `<svg>` element and its caption."""

    svg: str
    caption: str

    @property
    def safe(self) -> Markup:
        """The element as it is: made by us, see `report.curves`."""
        return Markup(self.svg)


class Group(NamedTuple):
    """Pictures, plots or tables under a heading of their own within a section.

    Attributes:
      title: "" for none.
      text: a sentence before them.
      plots, figures, tables: what is shown, in this order.
      pairs: figures stand in pairs, one method beside the other.
      folded: closed until it is asked for.
    """

    title: str = ""
    text: str = ""
    plots: Sequence[Plot] = ()
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    pairs: bool = False
    folded: bool = False


class Section(NamedTuple):
    """A part of the page: `name` is its anchor."""

    name: str
    title: str
    groups: Sequence[Group]


class Summary(NamedTuple):
    """What the page begins with.

    Attributes:
      title: of the page.
      figure: the number to quote; "–" where it is not known.
      explanation: what it is.
      facts: (name, value) of the run.
    """

    title: str
    figure: str
    explanation: str
    facts: Sequence[tuple[str, str]]


def render(summary: Summary, sections: Sequence[Section]) -> str:
    """Return the page's HTML."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tcam_jax.report", package_path=""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html.j2")
    return template.render(summary=summary, sections=sections)
