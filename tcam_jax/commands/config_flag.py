"""The flag --config: a Python file whose get_config() returns the experiment; its faults, told."""

import os
import re
import shlex
import sys
import textwrap
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from tcam_jax.config.defaults import get_config
from tcam_jax.config.places import locate
from tcam_jax.config.rules import check_complete, flatten
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.plain_files import check_plain, other_kind

# Flags that are defined here are the command's.
flags.disclaim_key_flags()

_GIVEN = re.compile(r"--?config(?:=(.*))?", re.DOTALL)
_MOST_BYTES = 1 << 24
_FIELD = re.compile(r"--?config\.([^=]+)(=.*)?", re.DOTALL)
_ILLEGAL = re.compile(r"flag --(config\.[^=]+)(=.*?): ", re.DOTALL)
_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false"}


def define_config() -> "flags.FlagHolder[ConfigDict]":
    """Define the flag --config of a command."""
    return config_flags.DEFINE_config_file("config", None, "experiment, such as configs/demo.py")


def with_home(argv: Sequence[str]) -> list[str]:
    """Return the command line with the home in the place of `~` in --config."""
    return [re.sub(r"^(--?config=)(~.*)", _at_home, argument) for argument in argv]


def _at_home(given: "re.Match[str]") -> str:
    return given[1] + os.path.expanduser(given[2])


def let_import(argv: Sequence[str]) -> None:
    """Let a config file import what lies beside it, as `from configs import video_folder`.

    The command `tcam`, unlike `python -m`, does not look in the current folder. It comes last, and
    the one above the file's own `configs` after it: no installed package gives way to a file there.
    """
    folders = [Path.cwd()]
    folders += [x.parent for x in _file(_given(argv)).absolute().parents if x.name == "configs"]
    sys.path += [str(folder) for folder in folders if str(folder) not in sys.path]


def check_given(argv: Sequence[str]) -> None:
    """Refuse a --config that is no file, and fields of one that is not given.

    Raises:
      InputError: names it, and what there is.
    """
    given = _given(argv)
    for argument in argv[1:]:
        if _GIVEN.fullmatch(argument):
            break
        if _FIELD.fullmatch(argument):
            where = "which must be given too" if given is None else "and must come after it"
            raise InputError(f"{argument} changes a field of --config=FILE, {where}.")
    path = _file(given)
    if given is None:
        return
    if path.is_file():
        try:
            check_plain(path, _MOST_BYTES)
        except OSError as error:
            raise InputError(f"--config={given} must be a Python file: {error}.") from error
        return
    folders = (path if path.is_dir() else path.parent, Path("configs"))
    found = [sorted(str(file) for file in folder.glob("[!_]*.py")) for folder in folders if given]
    there = ", ".join(next(filter(None, found), [])) or "none, see docs/extending.md"
    what = f"{path} is {other_kind(path) or 'not there'}"
    raise InputError(
        f"--config={given} must be a Python file with a function get_config(); "
        f"{what if given else 'it is empty'}. There is {there}."
    )


def fault_of(error: Exception, argv: Sequence[str]) -> str | None:
    """Say what is wrong in the config file, or in a field given for it; None: it is neither."""
    given = _given(argv)
    if given is None:
        return None
    path, text = _file(given), _plain(error)
    if isinstance(error, InputError):
        return text
    if isinstance(error, OSError) and error.__cause__:
        return f"{path} cannot be read: {error.__cause__}"
    if isinstance(error, flags.IllegalFlagValueError) and (field := _ILLEGAL.match(text)):
        kind = flags.FLAGS[field[1]].flag_type()
        return f"--{field[1]}{field[2]} must be {_KINDS.get(kind, kind)}."
    if "has no attribute 'get_config'" in text:
        return f"{path} must define get_config(), which returns the experiment."
    if "<class 'NoneType'>" in text:
        return f"get_config() of {path} must return the config; it returns None."
    # ml_collections gives the traceback of some errors as their text.
    kind, _, told = text.strip().splitlines()[-1].partition(": ")
    lines = re.findall(rf'File "{re.escape(str(path))}", line (\d+)', text)
    if not lines:
        kind, told = type(error).__name__, text
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(path)]
        if isinstance(error, SyntaxError) and error.filename == str(path):
            lines, told = [error.lineno], error.msg
    if lines:
        if kind.endswith("InputError"):
            return told
        return f"{path} fails in line {lines[-1]}: {kind}: {told}"
    if isinstance(error, KeyError | AttributeError):
        for match in filter(None, map(_FIELD.fullmatch, argv)):
            if any(name == text.splitlines()[0].strip("'\"") for name in match[1].split(".")):
                hint = " ".join(text.splitlines()[1:])
                return (
                    f"{match[0]}: the config of {path} has no such field. {hint} "
                    "All fields: --help, docs/config.md."
                )
    return None


def check_config(config: Any, argv: Sequence[str]) -> None:
    """Refuse a config that is none, or was not made from the defaults; make its places absolute.

    Raises:
      InputError: names what it lacks.
    """
    path = _file(_given(argv))
    check_complete(config, f"the config that get_config() of {path} returns")
    locate(config)


def in_full(message: str, argv: Sequence[str]) -> str:
    """Put this command's --config into the commands that a message advises."""
    given = _given(argv)
    if given is None:
        return message
    dataset = [a for a in argv if _FIELD.match(a) and a.split(".")[1] == "dataset"]
    parts = [f"--config={given}", *(a for a in dataset if ".data_dir" not in a)]
    return message.replace("--config=…", shlex.join(parts))


def fields_help() -> str:
    """Return every field of a config with its default, for --help."""
    sections: dict[str, list[str]] = {}
    for name, value in flatten(get_config()).items():
        section, _, field = name.rpartition(".")
        shown = repr(tuple(value) if isinstance(value, list) else value)
        sections.setdefault(section, []).append(f"{field}={shown}".replace(" ", "\0"))
    lines = ["fields of the config, --config.SECTION.FIELD=VALUE, by default (see docs/config.md):"]
    for section, values in sections.items():
        text = f"{section}: {' '.join(values)}" if section else " ".join(values)
        indented = textwrap.wrap(text, 90, initial_indent="  ", subsequent_indent="      ")
        lines += [line.replace("\0", " ") for line in indented]
    return "\n".join(lines)


def _given(argv: Sequence[str]) -> str | None:
    """Return the value of --config; "" where it has none."""
    given = None
    for i, argument in enumerate(argv):
        if match := _GIVEN.fullmatch(argument):
            after = argv[i + 1] if i + 1 < len(argv) else ""
            given = after if match[1] is None else match[1]
    return given


def _file(given: str | None) -> Path:
    # What follows a colon is get_config's argument.
    return Path((given or "").partition(":")[0])


def _plain(error: Exception) -> str:
    # Messages of ml_collections arrive quoted once or twice, their line breaks escaped.
    message = str(error)
    while message[:1] in ("'", '"') and message[-1:] == message[:1]:
        message = message[1:-1].replace("\\n", "\n").replace("\\'", "'")
    return message
