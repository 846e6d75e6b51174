"""Text in Markdown: names are shown as they are, whatever in them would be markup."""

import re
from collections.abc import Iterable

from tcam_jax.runtime.terminal import one_line

# Of CommonMark and GitHub's tables, strikethrough and formulas. "_" within a word is none, nor is
# "\" before a letter.
_MARKUP = re.compile(r"[`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])|\\(?![^\W_])")
_ENTITY = re.compile(r"&(?=#?\w+;)")


def markdown(text: object) -> str:
    """Return `text`, as `one_line` has it, so that Markdown and the HTML in it show the same."""
    escaped = _MARKUP.sub(r"\\\g<0>", one_line(text))
    return _ENTITY.sub("&amp;", escaped).replace("<", "&lt;")


def row(cells: Iterable[str]) -> str:
    """Return a table's line of what is Markdown already."""
    return "| " + " | ".join(cells) + " |"
