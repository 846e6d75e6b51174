"""Exceptions that end a command with one line instead of a traceback."""


class InputError(ValueError):
    """A user's input cannot be used; the message says what was expected, what came, what to do.

    A message of several lines has an argument for each: a line break in one of them is a name's.
    """

    def __str__(self) -> str:
        """Return the message."""
        return "\n".join(map(str, self.args))


class Diverged(RuntimeError):
    """Training cannot go on: its numbers are not finite. The message names what, and where."""
