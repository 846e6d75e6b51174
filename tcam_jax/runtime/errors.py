"""Exceptions that end a command with one line instead of a traceback."""


class InputError(ValueError):
    """A user's input cannot be used; the message says what was expected, what came, what to do."""


class Diverged(RuntimeError):
    """Training cannot go on: its numbers are not finite. The message names what, and where."""
