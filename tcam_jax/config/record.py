"""Recording a config in a run's workdir, and reading it back."""

import functools
import json
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from tcam_jax.config.rules import flatten
from tcam_jax.losses.schedule import SCHEDULE, is_on
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import write_whole

RECORDED_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")

# Fields that the config.json of an earlier version does not have, and what it did.
_ADDED = {
    "deterministic": False,
    "classifier.accumulation": 1,
    "tcam.accumulation": 1,
    "tcam.remat_decoder": False,
    "checkpoint.keep_last": 2,
    "checkpoint.keep_every_steps": 0,
    "checkpoint.skips_before_rollback": 5,
    "model.head": "wgap",
    "model.head_options": {},
    "model.pretrained": "",
    "classifier.label_smoothing": 0.0,
    "tcam.window.cam_tmp": True,
    "tcam.seed_dir": "",
    "tcam.seeds.region": "all",
    "tcam.losses.crf.backend": "exact",
    "tcam.losses.crf.accuracy": "default",
}
# Fields that say where and how a run is carried out, not what it computes: they may change.
CHANGEABLE = (
    "dataset.data_dir",
    "dataset.manual_dir",
    "tcam.seed_dir",
    "eval.batch_size",
    "parallel",
    "deterministic",
    "tcam.remat_decoder",
    "checkpoint.keep_last",
    "checkpoint.keep_every_steps",
)


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


def record_config(config: ConfigDict, workdir: Path) -> None:
    """Write `config.json` and `environment.json` into `workdir`, making it if need be.

    Raises:
      InputError: the workdir cannot be written, or holds a run of another config.
    """
    make_writable(workdir)
    path = workdir / "config.json"
    if path.exists():
        now = _complete(ConfigDict(config.to_dict()))
        _check_same(flatten(load_config(workdir)), flatten(now), workdir)
    write_whole(path, json.dumps(config.to_dict(), indent=2) + "\n")
    environment = {
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in RECORDED_PACKAGES},
        "devices": [device.device_kind for device in jax.devices()],
        "processes": jax.process_count(),
        "git_revision": _git_revision(),
    }
    write_whole(workdir / "environment.json", json.dumps(environment, indent=2) + "\n")


def _check_same(old: dict[str, Any], new: dict[str, Any], workdir: Path) -> None:
    absent = "(absent)"
    changes = [
        f"  {field}: {old.get(field, absent)!r} there, {new.get(field, absent)!r} now"
        for field in sorted(old.keys() | new.keys())
        if field not in CHANGEABLE
        and old.get(field, absent) != new.get(field, absent)
        and not (_is_of_idle_loss(field, old) and _is_of_idle_loss(field, new))
    ]
    if changes:
        raise InputError(
            f"{workdir} holds a run of another config; these fields differ:\n"
            + "\n".join(changes)
            + "\nUse the same config to go on with that run, or another workdir."
        )


def _is_of_idle_loss(field: str, flat: dict[str, Any]) -> bool:
    """Tell whether a field belongs to a loss that is off or absent: it changes nothing."""
    if not field.startswith("tcam.losses."):
        return False
    loss = ".".join(field.split(".")[:3])
    return not is_on({name: flat.get(f"{loss}.{name}") for name in ("weight", "final_weight")})


def _git_revision() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None  # an installed package is no checkout


def load_config(workdir: str | Path) -> ConfigDict:
    """Read the config which `record_config` wrote.

    Raises:
      InputError: there is none.
    """
    path = Path(workdir) / "config.json"
    if not path.is_file():
        raise InputError(
            f"{workdir} must hold a run (a config.json); there is none. "
            f"Train one with `tcam train --config=… --workdir={workdir}`, in Python with "
            f"tcam_jax.train_and_evaluate(config, {str(workdir)!r}), or check the path."
        )
    return _complete(ConfigDict(json.loads(path.read_text())))


def _complete(config: ConfigDict) -> ConfigDict:
    """Give `config` what those of earlier versions lack, and losses the schedule they leave out."""
    added = _ADDED | {
        f"tcam.losses.{loss}.{name}": value
        for loss in config.tcam.losses
        for name, value in SCHEDULE.items()
    }
    for field, value in added.items():
        *sections, name = field.split(".")
        section = functools.reduce(lambda part, key: part.get(key, {}), sections, config)
        if name not in section:
            section[name] = value
    return config
