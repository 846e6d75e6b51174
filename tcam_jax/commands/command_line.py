"""Runs a command's main: one clear line for bad input, a traceback only for our own faults."""

import gc
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from absl import app, flags, logging

from tcam_jax.commands import config_flag
from tcam_jax.runtime import partners
from tcam_jax.runtime.errors import Diverged, InputError
from tcam_jax.runtime.interruption import EXIT_STATUS, Interrupted, one_line_at_ctrl_c
from tcam_jax.runtime.streams import keep_streams
from tcam_jax.runtime.terminal import say

# Flags that are defined here are the command's.
flags.disclaim_key_flags()

_HELP = {"--help", "-help", "-h", "--helpfull", "--helpshort"}


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

    Exit status: 2 for bad input, 3 where training diverged, 4 (`partners.STATUS`) where another of
    several processes was lost, 75 (`interruption.EXIT_STATUS`) where a signal stopped it and the
    same command goes on, 130 where Ctrl-C did at once.
    """
    # Imports and traced programs stay: looking through them for garbage, again and again, would
    # take a tenth of the time until the first step.
    gc.set_threshold(20_000)
    keep_streams()
    sys.argv = config_flag.with_home(sys.argv)
    if _HELP & set(sys.argv[1:]):
        module = sys.modules[main.__module__]
        text = f"{module.__doc__}\n{flags.FLAGS.module_help(module.__name__)}"
        if "config" in flags.FLAGS:
            text += f"\n\n{config_flag.fields_help()}"
        say(*text.split("\n"))
        return
    parse = partial(_parse, required=required)
    with one_line_at_ctrl_c():
        app.run(lambda _: _reporting(main, one_of_several), flags_parser=parse)


def define_path(name: str, help: str) -> "flags.FlagHolder[str | None]":
    """Define a flag that is the path of a file or a folder; `~` in it is the home.

    Shells leave `~` alone where it stands after "=".
    """
    return flags.DEFINE(PathParser(), name, None, help, serializer=flags.ArgumentSerializer())


def define_paths(name: str, help: str) -> "flags.FlagHolder[list[str] | None]":
    """Define a flag like that of `define_path` which may be given several times."""
    return flags.DEFINE_multi(PathParser(), flags.ArgumentSerializer(), name, None, help)


def define_network() -> Callable[[], str]:
    """Define the flags --workdir and --model, one of which says where a network is kept.

    Returns:
      A function that returns the one given, and raises `InputError` unless it is one.
    """
    workdir = define_path("workdir", "folder of a trained run")
    model = define_path("model", "folder of tcam export_model, instead of --workdir")

    def given() -> str:
        if (workdir.value is None) == (model.value is None):
            raise InputError("give --workdir=DIR of a run, or --model=FOLDER of tcam export_model.")
        return str(workdir.value or model.value)

    return given


class PathParser(flags.ArgumentParser[str]):
    """Of the flags that are paths."""

    def parse(self, argument: str) -> str:
        """Return `argument` with the home in the place of `~`."""
        return os.path.expanduser(argument)


def check_output(path: str | None) -> None:
    """Refuse an --output that could not be written, before what takes long.

    Raises:
      InputError: it is given, and its folder does not exist.
    """
    if path and not Path(path).absolute().parent.is_dir():
        raise InputError(f"--output={path} must be a file in a folder that exists.")


def _parse(argv: Sequence[str], required: Sequence[str]) -> list[str]:
    try:
        if "config" in flags.FLAGS:
            config_flag.check_given(argv)
            config_flag.let_import(argv)
        rest = flags.FLAGS(argv)
        if "config" in flags.FLAGS and flags.FLAGS["config"].present:
            config_flag.check_config(flags.FLAGS.config, argv)
    # A config file may fail in any way; an unknown field or a wrong type surfaces here too.
    except Exception as error:
        told = config_flag.fault_of(error, argv)
        if told is None:
            has_name = isinstance(error, OSError) and error.filename is not None
            told = _of_file(error) if has_name else str(error)
        _fail(" ".join(told.splitlines()))
    if len(rest) > 1:
        _fail(f"arguments are given as --name=value; got {' '.join(rest[1:])!r}")
    missing = [f"--{name}= ({flags.FLAGS[name].help})" for name in required if not _has(name)]
    if missing:
        _fail(f"{_command()} needs {', '.join(missing)}. `{_command()} --help` says more.")
    # Orbax, TFDS and others log every file they touch.
    logging.set_verbosity(logging.WARNING)
    return rest


def _has(name: str) -> bool:
    return flags.FLAGS[name].value is not None


def _command() -> str:
    name = sys.argv[0]
    return name if name.startswith("tcam ") else f"python -m launch.{Path(name).stem}"


def _reporting(main: Callable[[], None], one_of_several: Callable[[], bool]) -> None:
    try:
        main()
    except Interrupted:  # all processes together
        say("interrupted: run the same command again to go on", error=True)
        sys.exit(EXIT_STATUS)
    except (InputError, Diverged) as error:
        status = 3 if isinstance(error, Diverged) else 2
        lines = [config_flag.in_full(str(line), sys.argv) for line in error.args]
        _fail(*lines, status=status, at_once=one_of_several())
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:
            # `Path.exists` raises where a path is too long, or a folder of it may not be entered.
            _fail(_of_file(error), at_once=one_of_several())
        if not one_of_several():
            raise
        if partners.is_loss(error):
            partners.end()
        traceback.print_exc()
        _fail(
            "this process cannot go on, nor can the others. The same command goes on from the last "
            "checkpoint.",
            status=1,
            at_once=True,
        )


def _of_file(error: OSError) -> str:
    name = os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename
    return (
        f"{name} cannot be read or written ({error.strerror}). Check the path, its permissions and "
        "the disk, and run the same command again."
    )


def _fail(message: str, *others: str, status: int = 2, at_once: bool = False) -> None:
    say(f"error: {message}", *others, error=True)
    if at_once:
        from tcam_jax.runtime import processes  # JAX; it has been needed before

        processes.let_others_end()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
