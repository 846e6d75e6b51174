"""The one exception for bad input: launchers print its message alone, without a traceback."""


class InputError(ValueError):
    """A user's input cannot be used; the message says what was expected, what came, what to do."""
