"""Checking a config, recording it in a run's workdir, and reading it back."""

import dataclasses
import inspect
import json
import platform
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, get_args

import jax
from ml_collections import ConfigDict

from tcam_jax.cams.methods import CAM_METHODS
from tcam_jax.data.sampler import WindowMode
from tcam_jax.errors import InputError
from tcam_jax.losses.objective import LOSSES
from tcam_jax.models.heads import HEADS
from tcam_jax.models.resnet import ARCHITECTURES
from tcam_jax.pseudo_labels.sampling import SEED_RULES

CHECKPOINT_ROLES = ("best_classification", "best_localization")
PARALLEL_MODES = ("pmap", "shard_map", "jit")
RECORDED_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")

_CHOICES = {
    "parallel": PARALLEL_MODES,
    "precision": ("float32", "bfloat16"),
    "model.depth": tuple(ARCHITECTURES),
    "model.head": tuple(HEADS),
    "tcam.window.mode": get_args(WindowMode),
    "tcam.cam_method": CAM_METHODS,
    "tcam.encoder_checkpoint": CHECKPOINT_ROLES,
    "tcam.seed_checkpoint": CHECKPOINT_ROLES,
    "tcam.seed_source": ("cam", "boxes"),
    "tcam.seed_view": ("frame", "crop"),
    "tcam.seeds.rule": tuple(SEED_RULES),
}
_POSITIVE = (
    "dataset.resize",
    "dataset.crop",
    "classifier.batch_size",
    "classifier.epochs",
    "classifier.optimizer.learning_rate",
    "classifier.optimizer.step_epochs",
    "tcam.batch_size",
    "tcam.epochs",
    "tcam.optimizer.learning_rate",
    "tcam.optimizer.step_epochs",
    "tcam.seeds.fg_pixels",
    "tcam.seeds.bg_pixels",
    "eval.batch_size",
    "tcam.barrier.initial",
    "tcam.barrier.maximum",
    "tcam.barrier.growth",
    "checkpoint.every_steps",
)
# Fields that the config.json of an earlier version does not have, and what it did.
_ADDED = {
    "model.head": "wgap",
    "model.head_options": {},
    "model.pretrained": "",
    "classifier.label_smoothing": 0.0,
}
# Attributes of every head module, which no config sets.
_EVERY_HEAD = ("num_classes", "parent", "name")
# Fields that say where and how a run is carried out, not what it computes: they may change.
_CHANGEABLE = ("dataset.data_dir", "dataset.manual_dir", "eval.batch_size")


def flatten(config: Mapping[str, Any] | ConfigDict, prefix: str = "") -> dict[str, Any]:
    """Return {dotted field name: value}, tuples as lists (as JSON reads them back)."""
    flat = {}
    for name, value in config.items():
        if isinstance(value, Mapping | ConfigDict):
            flat.update(flatten(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = list(value) if isinstance(value, tuple | list) else value
    return flat


def validate(config: ConfigDict) -> None:
    """Check every field whose wrong value would only fail deep inside.

    Raises:
      InputError: names the field, what it may be and what it is.
    """
    flat = flatten(config)
    for field, allowed in _CHOICES.items():
        if flat[field] not in allowed:
            _reject(field, f"one of {', '.join(map(str, allowed))}", flat[field])
    for field in _POSITIVE:
        if not flat[field] > 0:
            _reject(field, "greater than 0", flat[field])
    if flat["tcam.window.n"] < 0:
        _reject("tcam.window.n", "0 or more", flat["tcam.window.n"])
    if flat["seed"] < 0:
        _reject("seed", "0 or more", flat["seed"])
    if flat["dataset.crop"] > flat["dataset.resize"]:
        expected = f"at most dataset.resize={flat['dataset.resize']}"
        _reject("dataset.crop", expected, flat["dataset.crop"])
    if len(flat["model.strides"]) != 4 or not set(flat["model.strides"]) <= {1, 2}:
        _reject("model.strides", "four strides of 1 or 2", flat["model.strides"])
    unknown = set(flat["eval.cam_methods"]) - set(CAM_METHODS)
    if unknown:
        _reject("eval.cam_methods", f"made of {', '.join(CAM_METHODS)}", sorted(unknown))
    if config.tcam.cam_method not in flat["eval.cam_methods"]:
        given = flat["eval.cam_methods"]
        _reject("eval.cam_methods", f"with tcam.cam_method={config.tcam.cam_method} in it", given)
    if not 0 <= flat["classifier.label_smoothing"] < 1:
        smoothing = flat["classifier.label_smoothing"]
        _reject("classifier.label_smoothing", "at least 0 and less than 1", smoothing)
    _check_head(config.model.head, config.model.head_options)
    for name, settings in config.tcam.losses.items():
        _check_loss(name, settings)
    for section in ("classifier", "tcam"):
        batch_size, devices = flat[f"{section}.batch_size"], jax.device_count()
        if batch_size % devices:
            _reject(f"{section}.batch_size", f"a multiple of the {devices} devices", batch_size)


def _check_head(name: str, options: ConfigDict) -> None:
    own = {x.name: x.type for x in dataclasses.fields(HEADS[name]) if x.name not in _EVERY_HEAD}
    for option, value in options.items():
        if option not in own:
            _reject("model.head_options", f"made of {', '.join(own) or 'nothing'}", option)
        if not isinstance(value, own[option] if own[option] is int else int | float):
            _reject(f"model.head_options.{option}", f"of type {own[option].__name__}", value)
        may_be_zero = option in ("bottom", "alpha")
        if value < 0 or (value == 0 and not may_be_zero):
            expected = "0 or more" if may_be_zero else "greater than 0"
            _reject(f"model.head_options.{option}", expected, value)
        if option in ("top", "bottom") and value > 1:
            _reject(f"model.head_options.{option}", "a share, at most 1", value)


def _check_loss(name: str, settings: ConfigDict) -> None:
    if name not in LOSSES:
        _reject("tcam.losses", f"made of {', '.join(LOSSES)}", name)
    known = ["weight", *list(inspect.signature(LOSSES[name]).parameters)[1:]]
    for parameter, value in settings.items():
        if parameter not in known:
            _reject(f"tcam.losses.{name}", f"made of {', '.join(known)}", parameter)
        if not value > 0 and parameter != "weight":
            _reject(f"tcam.losses.{name}.{parameter}", "greater than 0", value)
    if "weight" not in settings:
        _reject(f"tcam.losses.{name}", "given a weight", dict(settings))


def _reject(field: str, expected: str, value: Any) -> None:
    raise InputError(f"config.{field} must be {expected}; it is {value!r}. Set --config.{field}=…")


def record(config: ConfigDict, workdir: Path) -> None:
    """Write `config.json` and `environment.json` into `workdir`, making it if need be.

    Raises:
      InputError: the workdir cannot be written, or holds a run of another config.
    """
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        (workdir / ".writable").touch()
        (workdir / ".writable").unlink()
    except OSError as error:
        raise InputError(
            f"--workdir={workdir} must be a folder that can be written: {error.strerror}. "
            "Choose another one, or change its permissions."
        ) from error
    path = workdir / "config.json"
    if path.exists():
        _check_same(flatten(load(workdir)), flatten(config), workdir)
    _write(path, config.to_dict())
    environment = {
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in RECORDED_PACKAGES},
        "devices": [device.device_kind for device in jax.devices()],
        "git_revision": _git_revision(),
    }
    _write(workdir / "environment.json", environment)


def _write(path: Path, content: dict[str, Any]) -> None:
    # Whole or not at all: a kill in between must not leave half a file that nothing can read.
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=2) + "\n")
    temporary.replace(path)


def _check_same(old: dict[str, Any], new: dict[str, Any], workdir: Path) -> None:
    absent = "(absent)"
    changes = [
        f"  {field}: {old.get(field, absent)!r} there, {new.get(field, absent)!r} now"
        for field in sorted(old.keys() | new.keys())
        if field not in _CHANGEABLE and old.get(field, absent) != new.get(field, absent)
    ]
    if changes:
        raise InputError(
            f"{workdir} holds a run of another config; these fields differ:\n"
            + "\n".join(changes)
            + "\nUse the same config to go on with that run, or another --workdir."
        )


def _git_revision() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None  # an installed package is no checkout


def load(workdir: str | Path) -> ConfigDict:
    """Read the config which `record` wrote.

    Raises:
      InputError: there is none.
    """
    path = Path(workdir) / "config.json"
    if not path.is_file():
        raise InputError(
            f"--workdir={workdir} must hold a run (a config.json); there is none. "
            "Train one with `python -m launch.train --config=… --workdir=…`."
        )
    config = ConfigDict(json.loads(path.read_text()))
    for field, value in _ADDED.items():
        section, name = field.split(".")
        if name not in config[section]:
            config[section][name] = value
    return config
