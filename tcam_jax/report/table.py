"""Tables: text in rows and columns, made once and written as Markdown and into the page."""

from collections.abc import Sequence
from typing import NamedTuple

from tcam_jax.runtime.markdown import markdown, row


class Table(NamedTuple):
    """Text in rows and columns.

    Attributes:
      title: "" where the heading above says enough.
      header: of each column.
      rows: each as long as the header. The first `names` columns are words, the others numbers.
      note: what a reader must know, below it.
      names: how many columns are words.
      others: how many rows at the end are not this run's but published.
      best: rows to stand out.
      strong: cells to stand out, each (row, column).
      heat: numbers from 0 to 100, on a ground the deeper the larger they are.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    names: int = 1
    others: int = 0
    best: Sequence[int] = ()
    strong: Sequence[tuple[int, int]] = ()
    heat: bool = False


def to_markdown(table: Table) -> str:
    """Return a table with its title and note."""
    numbers = len(table.header) - table.names
    lines = [row(map(markdown, table.header)), row(["---"] * table.names + ["---:"] * numbers)]
    for i, cells in enumerate(table.rows):
        shown = [
            f"**{cell}**"
            if (i, j) in table.strong or (i in table.best and j < table.names)
            else cell
            for j, cell in enumerate(map(markdown, cells))
        ]
        lines.append(row(shown))
    parts = [f"**{markdown(table.title)}**"] if table.title else []
    parts.append("\n".join(lines))
    if table.note:
        parts.append(markdown(table.note))
    return "\n\n".join(parts)


def number(value: float | None, digits: int = 1) -> str:
    """Write a number; "–" for None."""
    return "–" if value is None else f"{value:.{digits}f}"
