"""Recording a config in a run's workdir, and reading it back."""

import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import jax
from ml_collections import ConfigDict

from tcam_jax.config.continuation import check_same
from tcam_jax.config.defaults import get_config
from tcam_jax.config.places import locate_recorded, located
from tcam_jax.config.rules import flatten, validate
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import write_whole
from tcam_jax.runtime.json_files import damaged, read_json
from tcam_jax.runtime.shapes import fitted

# Fields that came later, and what runs of before did.
_LATER: dict[str, Any] = {
    "dataset": {"middle_share": 1.0},
    "tcam": {
        "seeds": {"box": "tight", "motion": 0.0, "self_training_start": 1.0},
        "window": {
            "labelled": "target",
            "sampling": "adjacent",
            "sigma_t": 10.0,
            "pooling": "max",
            "align": False,
        },
        "losses": {"joint_color_crf": {"kernel_scale": 1.0}},
    },
}
RECORDED_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


class Environment(TypedDict):
    """The content of `environment.json`: what a run was carried out with."""

    python: str
    packages: dict[str, str]  # versions
    devices: list[str]
    processes: int
    git_revision: str | None


def make_writable(workdir: Path) -> None:
    """Make the folder `workdir` if need be.

    Raises:
      InputError: it cannot be written.
    """
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        (workdir / ".writable").touch()
        (workdir / ".writable").unlink()
    except OSError as error:
        raise InputError(
            f"the workdir {workdir} must be a folder that can be written: {error.strerror}. "
            "Choose another one, or change its permissions."
        ) from error


def check_goes_on(config: ConfigDict, workdir: Path) -> None:
    """Refuse a workdir that holds a run of another config, or is no folder; write nothing.

    Args:
      config: its places whole, see `config.places`.
      workdir: of the run, which need not be there.

    Raises:
      InputError: see `continuation.check_same`.
    """
    if workdir.exists() and not workdir.is_dir():
        raise InputError(
            f"the workdir {workdir} must be a folder; it is a file. Choose another one."
        )
    if (workdir / "config.json").exists():
        check_same(flatten(load_config(workdir)), flatten(config), workdir)


def record_config(config: ConfigDict, workdir: Path) -> None:
    """Write `config.json` and `environment.json` into `workdir`, making it if need be.

    Places are written whole, see `config.places`.

    Raises:
      InputError: the workdir cannot be written, or holds a run of another config.
    """
    make_writable(workdir)
    config = located(config)
    check_goes_on(config, workdir)
    write_whole(workdir / "config.json", json.dumps(config.to_dict(), indent=2) + "\n")
    environment: Environment = {
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in RECORDED_PACKAGES},
        "devices": [device.device_kind for device in jax.devices()],
        "processes": jax.process_count(),
        "git_revision": git_revision(),
    }
    write_whole(workdir / "environment.json", json.dumps(environment, indent=2) + "\n")


def read_environment(workdir: Path) -> Environment:
    """Read the `environment.json` which `record_config` wrote.

    Raises:
      InputError: it is not there, or damaged.
    """
    advice = "The same `tcam train` writes it anew."
    environment: Environment = read_json(workdir / "environment.json", Environment, advice)
    return environment


def git_revision() -> str | None:
    """Return what git calls this code; None: it is no checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None  # an installed package is no checkout


def _in_todays_words(recorded: dict[str, Any]) -> dict[str, Any]:
    """Return a recorded config, also of before validations and saves had units, as of today."""
    recorded = _with(_LATER, recorded)
    for name in ("eval", "checkpoint"):
        section = recorded.get(name)
        if isinstance(section, dict) and "every_steps" in section:
            section = dict(section)
            steps = section.pop("every_steps")
            section["every"] = f"{steps} steps" if steps else "1 epoch"
            if name == "eval":
                section.setdefault("frames", 0)
            recorded = {**recorded, name: section}
    return recorded


def _with(later: dict[str, Any], recorded: dict[str, Any]) -> dict[str, Any]:
    """Return `recorded` with the fields that it lacks of the sections that it has."""
    found = dict(recorded)
    for name, value in later.items():
        if not isinstance(value, dict):
            found.setdefault(name, value)
        elif isinstance(found.get(name), dict):
            found[name] = _with(value, found[name])
    return found


class _Options(TypedDict):
    """Of a dataset's builder, which knows its own; this one is a place."""

    splits_dir: NotRequired[str]


def load_config(workdir: str | Path, data_dir: str | Path | None = None) -> ConfigDict:
    """Read the config which `record_config` wrote; its places are absolute.

    Args:
      workdir: of the run.
      data_dir: where the prepared dataset lies now, if not where it lay then.

    Raises:
      InputError: there is none, it lacks fields, or they hold what no config may hold.
    """
    path = Path(workdir) / "config.json"
    if not path.is_file():
        raise InputError(
            f"{workdir} must hold a run (a config.json); there is none. "
            f"Train one with `tcam train --config=… --workdir={workdir}`, in Python with "
            f"tcam_jax.train_and_evaluate(config, {str(workdir)!r}), or check the path."
        )
    advice = "Put back a copy of it, or use another run."
    recorded = _in_todays_words(read_json(path, dict[str, Any], advice))
    defaults = get_config()
    if missing := sorted(_missing(recorded, defaults)):
        names = ", ".join(missing[:8]) + (f", … ({len(missing)} fields)" if missing[8:] else "")
        raise InputError(
            f"{path} lacks {names}: it was not written by this version of "
            "tcam_jax. Use the version that wrote it, or train in another workdir."
        )
    try:
        config = ConfigDict(fitted(recorded, _shape_of(defaults)))
        validate(config, "predict")
    except (ValueError, KeyError, AttributeError) as error:  # a name that ConfigDict cannot have
        problem = str(error).partition(" Set --config.")[0]  # nobody sets what is recorded
        raise damaged(path, problem.removesuffix("."), advice) from error
    if data_dir is not None:
        config.dataset.data_dir = os.path.abspath(os.path.expanduser(data_dir))
    return locate_recorded(config, Path(workdir))


def _missing(recorded: Mapping[str, Any], expected: ConfigDict, place: str = "") -> Iterator[str]:
    for name in expected:
        inner = recorded.get(name)
        if name not in recorded:
            yield place + name
        elif _is_section(expected[name]) and isinstance(inner, dict) and name != "losses":
            yield from _missing(inner, expected[name], f"{place}{name}.")


def _is_section(value: Any) -> bool:
    return isinstance(value, ConfigDict) and len(value) > 0  # what is empty here may hold anything


def _shape_of(config: ConfigDict) -> Any:
    """Return the shape (`runtime.shapes`) of a recorded config: the types of the defaults."""
    fields: dict[str, Any] = {}
    for name in config:
        of = config.get_type(name)
        if name == "losses":  # a user's own among them
            fields[name] = dict[str, dict[str, Any]]
        elif name == "options":
            fields[name] = _Options
        elif _is_section(config[name]):
            fields[name] = _shape_of(config[name])
        elif of is ConfigDict:
            fields[name] = dict[str, Any]
        elif of is tuple:  # of names, or of anything
            fields[name] = list[str] if config[name] else list[Any]
        else:
            fields[name] = of if config[name] is not None else of | None
    return TypedDict("Section", fields)  # type: ignore[operator]  # as PEP 589 has it, made here
