"""What the fields of a config may hold: every value that would only fail deep inside."""

from collections.abc import Collection, Mapping
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from tcam_jax.cams.methods import CAM_METHODS
from tcam_jax.config.defaults import get_config
from tcam_jax.config.loss_rules import check_losses
from tcam_jax.config.model_rules import (
    check_encoder,
    check_head,
    check_what_is_read,
    reject,
)
from tcam_jax.config.seed_rules import check_motion_map, check_seeds
from tcam_jax.data.duration import duration_of
from tcam_jax.data.window_frames import WindowMode, WindowSampling
from tcam_jax.evaluate.maps import METHOD_OF_MAP
from tcam_jax.evaluate.pseudo_boxes import PSEUDO_BOXES
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.heads import HEADS
from tcam_jax.pseudo_labels.roi import BOXES, SEED_REGIONS
from tcam_jax.pseudo_labels.sampling import SEED_RULES
from tcam_jax.pseudo_labels.temporal import POOLINGS
from tcam_jax.runtime.counted import few
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.recurring import every

Use = Literal["train", "evaluate", "predict"]
CHECKPOINT_ROLES = ("best_classification", "best_localization")
PARALLEL_MODES = ("auto", "pmap", "shard_map", "jit")

# What a field may be, by its name. Registries as they are when asked: users add to them.
CHOICES: dict[str, Collection[Any]] = {
    "parallel": PARALLEL_MODES,
    "precision": ("float32", "bfloat16", "float64"),
    "model.encoder": ENCODERS,
    "model.head": HEADS,
    "tcam.window.mode": get_args(WindowMode),
    "tcam.window.sampling": get_args(WindowSampling),
    "tcam.window.labelled": ("target", "all"),
    "tcam.window.pooling": POOLINGS,
    "tcam.cam_method": CAM_METHODS,
    "eval.map": METHOD_OF_MAP,
    "tcam.encoder_checkpoint": CHECKPOINT_ROLES,
    "tcam.seed_checkpoint": CHECKPOINT_ROLES,
    "tcam.seed_source": ("cam", "boxes", "files"),
    "tcam.seed_view": ("frame", "source", "crop"),
    "tcam.seeds.rule": SEED_RULES,
    "tcam.seeds.region": SEED_REGIONS,
    "tcam.seeds.box": BOXES,
}
_NEEDED_TO = {
    "tcam.cam_method": ("train", "evaluate"),
    "tcam.seeds.rule": ("train",),
    "tcam.window.pooling": ("train",),
}
# Beyond these, a few frames would fill the memory; no share is more than all.
_AT_MOST = {
    "seed": 2**32 - 1,  # JAX's keys take 32 bits of it: larger ones would be smaller ones again
    "dataset.resize": 8192,
    "dataset.crop": 8192,
    "dataset.middle_share": 1,
    "eval.batch_size": 8192,
    "tcam.window.n": 1000,
    "model.decoder_width": 64,
}
_POSITIVE = (
    "dataset.resize",
    "dataset.crop",
    "dataset.frames_per_shot",
    "dataset.middle_share",
    "classifier.batch_size",
    "classifier.optimizer.learning_rate",
    "classifier.optimizer.step_epochs",
    "tcam.batch_size",
    "tcam.optimizer.learning_rate",
    "tcam.optimizer.step_epochs",
    "tcam.window.sigma_t",
    "tcam.seeds.fg_pixels",
    "tcam.seeds.bg_pixels",
    "eval.batch_size",
    "tcam.barrier.initial",
    "tcam.barrier.maximum",
    "tcam.barrier.growth",
    "classifier.accumulation",
    "tcam.accumulation",
    "checkpoint.keep_last",
    "checkpoint.skips_before_rollback",
    "model.decoder_width",
)


def flatten(config: Mapping[str, Any] | ConfigDict, prefix: str = "") -> dict[str, Any]:
    """Return {dotted field name: value}, all tuples as lists (as JSON reads them back)."""
    flat = {}
    for name, value in config.items():
        if isinstance(value, Mapping | ConfigDict):
            flat.update(flatten(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = _in_lists(value)
    return flat


def _in_lists(value: Any) -> Any:
    return [_in_lists(x) for x in value] if isinstance(value, tuple | list) else value


def check_complete(config: object, name: str = "config") -> None:
    """Refuse what is no config, or one that was not made from the defaults.

    Args:
      config: what a file's get_config() returned, or a caller gave.
      name: what the message calls it.

    Raises:
      InputError: says what it is, or names fields that it lacks.
    """
    getattr(config, "keys", None)  # a file that cannot be read fails only when used
    if not isinstance(config, ConfigDict):
        raise InputError(f"{name} must be a ConfigDict; it is of type {type(config).__name__}.")
    fields = flatten(get_config()).keys() - flatten(config).keys()
    # A run's losses are its own.
    missing = sorted({field for field in fields if not field.startswith("tcam.losses.")})
    if missing:
        raise InputError(
            f"{name} lacks {few(missing)}: begin it with "
            "config = tcam_jax.config.defaults.get_config(), and change what differs."
        )


def validate(config: ConfigDict, use: Use = "train") -> None:
    """Check every field whose wrong value would only fail deep inside.

    Args:
      config: a new one, or one that a run has recorded.
      use: what it is for: to predict neither devices nor a user's own methods need to be there.

    Raises:
      InputError: names the field, what it may be and what it is.
    """
    flat = flatten(config)
    for field, allowed in CHOICES.items():
        if flat[field] not in allowed and use in _NEEDED_TO.get(field, get_args(Use)):
            reject(field, f"one of {', '.join(map(str, allowed))}", flat[field])
    for field, most in _AT_MOST.items():
        if flat[field] > most:
            reject(field, f"at most {most}", flat[field])
    for field in _POSITIVE:
        if not flat[field] > 0:
            reject(field, "greater than 0", flat[field])
    if flat["tcam.window.n"] < 0:
        reject("tcam.window.n", "0 or more", flat["tcam.window.n"])
    for field in ("seed", "checkpoint.keep_every_steps"):
        if flat[field] < 0:
            reject(field, "0 or more", flat[field])
    _check_durations(config)
    for section in ("eval", "checkpoint"):
        try:
            every(config[section].every)
        except InputError as error:
            raise InputError(f"config.{section}.every: {error}") from error
    if flat["dataset.crop"] > flat["dataset.resize"]:
        expected = f"at most dataset.resize={flat['dataset.resize']}"
        reject("dataset.crop", expected, flat["dataset.crop"])
    if config.eval.frames < 0:
        reject("eval.frames", "0 or more", config.eval.frames)
    check_encoder(config)
    check_head(config.model.head, config.model.head_options)
    check_what_is_read(config)
    if use == "predict":
        return
    by = ("boxes", "none", "cam", *PSEUDO_BOXES)
    if config.eval.select_by not in by:
        reject("eval.select_by", f"one of {', '.join(by)}", config.eval.select_by)
    for field, known in (("eval.cam_methods", CAM_METHODS), ("eval.other_maps", METHOD_OF_MAP)):
        unknown = set(flat[field]) - set(known)
        if unknown:
            reject(field, f"made of {', '.join(known)}", sorted(unknown))
    check_motion_map(config)
    if config.tcam.cam_method not in flat["eval.cam_methods"]:
        given = flat["eval.cam_methods"]
        reject("eval.cam_methods", f"with tcam.cam_method={config.tcam.cam_method} in it", given)
    if use == "evaluate":
        return
    if not 0 <= flat["classifier.label_smoothing"] < 1:
        smoothing = flat["classifier.label_smoothing"]
        reject("classifier.label_smoothing", "at least 0 and less than 1", smoothing)
    check_losses(config)
    check_seeds(config)
    if flat["precision"] == "float64" and jax.dtypes.canonicalize_dtype(float) == jnp.float32:
        reject("precision", "float32 or bfloat16 unless JAX_ENABLE_X64=1 is set", "float64")
    for section in ("classifier", "tcam"):
        batch_size, devices = flat[f"{section}.batch_size"], jax.device_count()
        m = flat[f"{section}.accumulation"]
        if batch_size % (devices * m):
            expected = f"a multiple of the {devices} devices"
            if m > 1:
                expected += f" times {section}.accumulation={m}"
            reject(f"{section}.batch_size", expected, batch_size)


def _check_durations(config: ConfigDict) -> None:
    for section in ("classifier", "tcam"):
        try:
            duration = duration_of(config[section])
        except InputError as error:
            raise InputError(f"config.{section}: {error}") from error
        if duration is None and section == "classifier":
            reject("classifier.epochs", "greater than 0, or steps, examples or passes", 0)
