"""Runs a command's main: one clear line for bad input, a traceback only for our own faults."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from absl import app, flags, logging

from tcam_jax.errors import InputError


def run(main: Callable[[], None], required: Sequence[str] = ()) -> None:
    """Parse the flags, check that the `required` ones are given, and call `main`.

    Bad input ends with exit status 2.
    """
    flags.mark_flags_as_required(required)
    app.run(lambda _: _reporting(main), flags_parser=_parse)


def check_output(path: str | None) -> None:
    """Refuse an --output that could not be written, before what takes long.

    Raises:
      InputError: it is given, and its folder does not exist.
    """
    if path and not Path(path).absolute().parent.is_dir():
        raise InputError(f"--output={path} must be a file in a folder that exists.")


def _parse(argv: Sequence[str]) -> list[str]:
    try:
        rest = flags.FLAGS(argv)
        if "config" in flags.FLAGS and flags.FLAGS["config"].present:
            flags.FLAGS.config.keys()  # a config file that cannot be read fails only when used
    # An unknown config field or a wrong type surfaces here, while the flags are read.
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        _fail(_plain(error))
    if len(rest) > 1:
        _fail(f"arguments are given as --name=value; got {' '.join(rest[1:])!r}")
    # Orbax, TFDS and others log every file they touch.
    logging.set_verbosity(logging.WARNING)
    return rest


def _plain(error: Exception) -> str:
    # Messages of ml_collections arrive quoted once or twice, their line breaks escaped.
    message = str(error)
    while message[:1] in ("'", '"') and message[-1:] == message[:1]:
        message = message[1:-1].replace("\\n", "\n").replace("\\'", "'")
    # An error inside a config file comes with its traceback; the last line says what is wrong.
    if "Traceback" not in message:
        return message
    return message.strip().splitlines()[-1].removeprefix("tcam_jax.errors.InputError: ")


def _reporting(main: Callable[[], None]) -> None:
    try:
        main()
    except InputError as error:
        _fail(str(error))


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)
