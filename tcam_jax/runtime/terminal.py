"""Text on a terminal and in logs: names of files and classes show what they are, and steer nothing.

Any text from outside may hold a line break that begins a line of our own, escape sequences that
move the cursor, or marks that turn the direction of what is beside them.
"""

import sys
import unicodedata

# Controls, marks of direction and other invisible ones, halves of pairs (bytes that are no UTF-8),
# separators of lines and of paragraphs.
_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\u200c\u200d"  # of Persian, of Hindi, of emoji: letters look otherwise without them


def one_line(text: object) -> str:
    r"""Return `text` in one line, what cannot be seen as `\n`, `\x1b`, `\u202e`.

    What can be seen stays as it is, in any script. Doing it twice changes nothing more.
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(map(_visible, text))


def say(*lines: object, error: bool = False) -> None:
    """Print each of `lines` as `one_line`, to standard output or, `error`, to standard error."""
    file = sys.stderr if error else sys.stdout
    for line in lines:
        print(one_line(line), file=file, flush=True)


def _visible(character: str) -> str:
    if unicodedata.category(character) in _HIDDEN and character not in _JOINERS:
        return character.encode("unicode_escape").decode("ascii")
    return character
