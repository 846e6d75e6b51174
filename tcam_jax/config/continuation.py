"""What of a config may differ when a run goes on in its workdir."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tcam_jax.data.duration import UNITS
from tcam_jax.losses.schedule import is_on
from tcam_jax.runtime.errors import InputError

# Fields that say where and how a run is carried out, not what it computes: they may change.
CHANGEABLE = (
    "dataset.data_dir",
    "dataset.manual_dir",
    "tcam.seed_dir",
    "eval.batch_size",
    "parallel",
    "deterministic",
    "tcam.remat_decoder",
    "checkpoint.every",
    "checkpoint.keep_last",
    "checkpoint.keep_every_steps",
)
LENGTHS = {
    section: frozenset(f"{section}.{unit}" for unit in UNITS) for section in ("classifier", "tcam")
}
"""Stage -> the fields that say how long it trains."""

# Learning rates that do not depend on how long the training is.
_OPEN_ENDED = ("step", "constant")


def check_same(old: dict[str, Any], new: dict[str, Any], workdir: Path) -> None:
    """Refuse to go on in `workdir` with a config that computes something else.

    How long a stage trains may change, see `_check_length`.

    Args:
      old, new: flat configs, {dotted field name: value}.
      workdir: of the run.

    Raises:
      InputError: names the fields that differ.
    """
    absent = "(absent)"
    changed = {
        field
        for field in old.keys() | new.keys()
        if old.get(field, absent) != new.get(field, absent)
    }
    lengths = {section: changed & fields for section, fields in LENGTHS.items()}
    changes = [
        f"  {field}: {old.get(field, absent)!r} there, {new.get(field, absent)!r} now"
        for field in sorted(changed.difference(*lengths.values()))
        if field not in CHANGEABLE
        and not (is_of_idle_loss(field, old) and is_of_idle_loss(field, new))
    ]
    if changes:
        raise InputError(
            f"{workdir} holds a run of another config; these fields differ:",
            *changes,
            "Use the same config to go on with that run, or another workdir.",
        )
    for section, fields in lengths.items():
        if fields:
            _check_length(section, new, workdir)


def _check_length(section: str, new: dict[str, Any], workdir: Path) -> None:
    """Refuse another length of a stage that would have trained otherwise from its start.

    Raises:
      InputError: the next stage stands on it already, or something in it follows its whole length.
    """
    if section == "classifier" and _has_begun(workdir, "tcam"):
        raise InputError(
            f"config.classifier must train as long as before in {workdir}: its tcam stage stands "
            "on that classifier. Take another workdir with "
            f"--config.model.pretrained={workdir / 'classifier'}."
        )
    following = next(_follow_the_length(section, new), None)
    if _has_begun(workdir, section) and following:
        raise InputError(
            f"config.{section} must train as long as before in {workdir}: {following} follows the "
            "length of the whole training. Take another workdir."
        )


def _has_begun(workdir: Path, section: str) -> bool:
    return (workdir / section / "checkpoints").exists()


def _follow_the_length(section: str, flat: dict[str, Any]) -> Iterator[str]:
    schedule = flat[f"{section}.optimizer.schedule"]
    if schedule not in _OPEN_ENDED:
        yield f"optimizer.schedule={schedule}"
    if section == "tcam" and 0 < flat["tcam.seeds.self_training_start"] < 1:
        yield "seeds.self_training_start"
    for field, value in flat.items():
        if field.startswith(f"{section}.losses.") and field.endswith(".final_weight"):
            end = flat.get(field.replace("final_weight", "end_epoch"))
            if value is not None and end is None:
                yield field


def is_of_idle_loss(field: str, flat: Mapping[str, Any]) -> bool:
    """Tell whether a field belongs to a loss that is off or absent: it changes nothing."""
    if not field.startswith("tcam.losses."):
        return False
    loss = ".".join(field.split(".")[:3])
    return not is_on({name: flat.get(f"{loss}.{name}") for name in ("weight", "final_weight")})
