"""Names as hostile as a file system, or a dataset, lets them be, and how a terminal shows them."""

import unicodedata

# A class may be called so; a file too, and its name may have a line break and bytes that are none.
CLASS = "=x\x1b[2J|`*_<script>alert(1)</script>$\\a$\"\u202eé😀,;-1\t\x9b1A'"
FILE = CLASS.replace("/", "") + "\nerror: forged\r\udce9\u2028\x85.png"
SHOWN = {"\x1b": r"\x1b", "\t": r"\t", "\n": r"\n", "\r": r"\r", "\u202e": r"\u202e"} | {
    **{"\x9b": r"\x9b", "\x85": r"\x85", "\u2028": r"\u2028", "\udce9": r"\udce9"}
}


def shown(text: object) -> str:
    return "".join(SHOWN.get(character, character) for character in str(text))


def is_plain(line: str) -> bool:
    """Nothing in it moves a cursor, turns a direction, or is no text."""
    return not {unicodedata.category(c) for c in line} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
