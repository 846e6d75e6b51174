"""Fonts for names in any script: Matplotlib's own, or the first of the system's that has them."""

import unicodedata
import warnings
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont, features

from tcam_jax.runtime.terminal import one_line

# A class's name need not be in italics. These fonts claim all characters, and show none.
_STYLES = ("bold", "italic", "oblique", "light", "thin", "black", "mono", "serif", "condensed")
_WITHOUT_GLYPHS = ("lastresort", "adobeblank", "adobe-blank", "adobe blank")


@lru_cache(maxsize=1024)
def drawable(name: str, number: int) -> str:
    """Return a class's name as pictures can show it: the name, or "class 3" where no font has it.

    The latter is warned of, once a name.

    Args:
      name: of the class.
      number: of the class.
    """
    name = one_line(" ".join(unicodedata.normalize("NFC", name).split()))
    instead = f"class {number}"
    if font_file(name) is None:
        lacking = "".join(sorted(_needed(name) - _present(default_file(), _needed(name))))
        warnings.warn(
            f"no font here can show all of the class {name!r}, pictures call it {instead!r}: it "
            f"needs {lacking!r}. Install a font that has it (Noto Sans has most scripts).",
            stacklevel=2,
        )
        return instead
    if any(map(_joins, name)) and not features.check("raqm"):
        warnings.warn(
            f"the letters of the class {name!r} join or run from right to left, for which Pillow "
            f"needs FriBiDi (Debian's libfribidi0): pictures call it {instead!r}.",
            stacklevel=2,
        )
        return instead
    return name


@lru_cache(maxsize=64)
def font(file: str, size: int) -> ImageFont.FreeTypeFont:
    """Return a font of `size` pixels an em."""
    return ImageFont.truetype(file, size)


@lru_cache(maxsize=1024)
def font_file(text: str) -> str | None:
    """Return the first font that has all characters of `text`; None: no font has."""
    needed = _needed(text)
    for file in (default_file(), *_system_files()):
        if _present(file, needed) == needed:
            return file
    return None


def _needed(text: str) -> frozenset[str]:
    # Joiners and variation selectors choose between glyphs, they have none.
    return frozenset(
        c for c in text if unicodedata.category(c) not in ("Cf", "Cc") and not _selects(c)
    )


def _selects(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f"


def _joins(character: str) -> bool:
    return unicodedata.bidirectional(character) in ("R", "AL") or unicodedata.category(
        character
    ) in ("Mn", "Mc")


def _present(file: str, needed: frozenset[str]) -> frozenset[str]:
    from matplotlib.ft2font import FT2Font

    try:
        face = FT2Font(file)
    except (RuntimeError, OSError):  # no font, or none that FreeType reads
        return frozenset()
    if not face.scalable:  # pictures of emoji, of one size
        return frozenset()
    return frozenset(c for c in needed if face.get_char_index(ord(c)))


@lru_cache(maxsize=1)
def default_file() -> str:
    """Return the font for all that it has."""
    # Part of Matplotlib: Latin, Greek, Cyrillic, Armenian, Georgian, Hebrew, Arabic, symbols.
    import matplotlib

    return str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf")


@lru_cache(maxsize=1)
def _system_files() -> tuple[str, ...]:
    """The system's fonts, plain ones first."""
    from matplotlib.font_manager import findSystemFonts

    def rank(file: str) -> tuple[int, str]:
        return sum(style in Path(file).stem.lower() for style in _STYLES), file

    files = [f for f in findSystemFonts() if not Path(f).stem.lower().startswith(_WITHOUT_GLYPHS)]
    return tuple(sorted(files, key=rank))
