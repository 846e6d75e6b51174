"""Runs a command's main: one clear line for bad input, a traceback only for our own faults."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from absl import app, flags, logging

from tcam_jax.runtime.errors import Diverged, InputError
from tcam_jax.runtime.interruption import EXIT_STATUS, Interrupted
from tcam_jax.runtime.streams import keep_streams


def run(
    main: Callable[[], None],
    required: Sequence[str] = (),
    one_of_several: Callable[[], bool] = lambda: False,
) -> None:
    """Parse the flags, check that the `required` ones are given, and call `main`.

    Args:
      main: the command.
      required: names of flags.
      one_of_several: whether other processes work at the same task. One that fails must then end
        at once: JAX's own end would wait minutes for the others, which wait for it.

    Exit status: 2 for bad input, 3 where training diverged, 75 (`interruption.EXIT_STATUS`) where a
    signal stopped it and the same command goes on.
    """
    keep_streams()
    if {"--help", "-h", "-help"} & set(sys.argv[1:]):
        module = sys.modules[main.__module__]
        print(module.__doc__)
        print(flags.FLAGS.module_help(module.__name__))
        return
    flags.mark_flags_as_required(required)
    app.run(lambda _: _reporting(main, one_of_several), flags_parser=_parse)


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
    return message.strip().splitlines()[-1].removeprefix("tcam_jax.runtime.errors.InputError: ")


def _reporting(main: Callable[[], None], one_of_several: Callable[[], bool]) -> None:
    try:
        main()
    except Interrupted:  # all processes together
        print("interrupted: run the same command again to go on", file=sys.stderr)
        sys.exit(EXIT_STATUS)
    except (InputError, Diverged) as error:
        status = 3 if isinstance(error, Diverged) else 2
        _fail(str(error), status, at_once=one_of_several())
    except Exception:
        if not one_of_several():
            raise
        traceback.print_exc()
        _fail(
            "this process cannot go on; where it lost another one, that one's output says why. "
            "The same command goes on from the last checkpoint.",
            status=1,
            at_once=True,
        )


def _fail(message: str, status: int = 2, at_once: bool = False) -> None:
    print(f"error: {message}", file=sys.stderr)
    if at_once:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
