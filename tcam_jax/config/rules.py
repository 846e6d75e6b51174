"""What the fields of a config may hold: every value that would only fail deep inside."""

import inspect
import math
from collections.abc import Collection, Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from tcam_jax.cams.methods import CAM_METHODS
from tcam_jax.config.model_rules import check_encoder, check_head, reject
from tcam_jax.data.duration import duration_of
from tcam_jax.data.sampler import WindowMode, window_offsets
from tcam_jax.evaluate.maps import METHOD_OF_MAP
from tcam_jax.evaluate.pseudo_boxes import PSEUDO_BOXES
from tcam_jax.losses.inputs import LossInputs, Window
from tcam_jax.losses.objective import LOSSES, WINDOW_LOSSES, objective, settings_at
from tcam_jax.losses.schedule import SCHEDULE, is_on
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.heads import HEADS
from tcam_jax.pseudo_labels.regions import REGIONS
from tcam_jax.pseudo_labels.sampling import SEED_RULES
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
    "tcam.cam_method": CAM_METHODS,
    "eval.map": METHOD_OF_MAP,
    "tcam.encoder_checkpoint": CHECKPOINT_ROLES,
    "tcam.seed_checkpoint": CHECKPOINT_ROLES,
    "tcam.seed_source": ("cam", "boxes", "files"),
    "tcam.seed_view": ("frame", "crop"),
    "tcam.seeds.rule": SEED_RULES,
    "tcam.seeds.region": REGIONS,
}
_NEEDED_TO = {"tcam.cam_method": ("train", "evaluate"), "tcam.seeds.rule": ("train",)}
# Beyond these, a few frames would fill the memory.
_AT_MOST = {
    "dataset.resize": 8192,
    "dataset.crop": 8192,
    "eval.batch_size": 8192,
    "model.decoder_width": 64,
}
_POSITIVE = (
    "dataset.resize",
    "dataset.crop",
    "dataset.frames_per_shot",
    "classifier.batch_size",
    "classifier.optimizer.learning_rate",
    "classifier.optimizer.step_epochs",
    "tcam.batch_size",
    "tcam.optimizer.learning_rate",
    "tcam.optimizer.step_epochs",
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
# Parameters of the losses here that must be above 0; a user's own may have any.
_POSITIVE_PARAMETERS = ("sigma_rgb", "sigma_xy", "scale", "kernel_scale", "target", "tolerance")


def flatten(config: Mapping[str, Any] | ConfigDict, prefix: str = "") -> dict[str, Any]:
    """Return {dotted field name: value}, tuples as lists (as JSON reads them back)."""
    flat = {}
    for name, value in config.items():
        if isinstance(value, Mapping | ConfigDict):
            flat.update(flatten(value, f"{prefix}{name}."))
        else:
            flat[prefix + name] = list(value) if isinstance(value, tuple | list) else value
    return flat


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
    if use == "predict":
        return
    by = ("boxes", "cam", *PSEUDO_BOXES)
    if config.eval.select_by not in by:
        reject("eval.select_by", f"one of {', '.join(by)}", config.eval.select_by)
    for field, known in (("eval.cam_methods", CAM_METHODS), ("eval.other_maps", METHOD_OF_MAP)):
        unknown = set(flat[field]) - set(known)
        if unknown:
            reject(field, f"made of {', '.join(known)}", sorted(unknown))
    if config.tcam.cam_method not in flat["eval.cam_methods"]:
        given = flat["eval.cam_methods"]
        reject("eval.cam_methods", f"with tcam.cam_method={config.tcam.cam_method} in it", given)
    if use == "evaluate":
        return
    if not 0 <= flat["classifier.label_smoothing"] < 1:
        smoothing = flat["classifier.label_smoothing"]
        reject("classifier.label_smoothing", "at least 0 and less than 1", smoothing)
    for name, settings in config.tcam.losses.items():
        _check_loss(name, settings)
        if settings.get("start_epoch", 1) > config.tcam.epochs > 0:
            expected = f"at most tcam.epochs={config.tcam.epochs}"
            reject(f"tcam.losses.{name}.start_epoch", expected, settings.start_epoch)
        if name in WINDOW_LOSSES and is_on(settings) and config.tcam.window.n < 1:
            reject("tcam.window.n", f"1 or more for the loss {name}", config.tcam.window.n)
    _try_losses(config)
    from_files, folder = config.tcam.seed_source == "files", config.tcam.seed_dir
    if from_files != bool(folder):
        expected = "a folder of maps with" if from_files else "empty unless"
        reject("tcam.seed_dir", f'{expected} tcam.seed_source="files"', folder)
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


def _check_loss(name: str, settings: ConfigDict) -> None:
    if name not in LOSSES:
        reject("tcam.losses", f"made of {', '.join(LOSSES)}", name)
    field = f"tcam.losses.{name}"
    if "weight" not in settings:
        reject(field, "given a weight", dict(settings))
    parameters = inspect.signature(LOSSES[name]).parameters
    types = get_type_hints(LOSSES[name])
    known = [*SCHEDULE, *list(parameters)[1:]]
    for parameter, value in settings.items():
        if parameter not in known:
            reject(field, f"made of {', '.join(known)}", parameter)
        if parameter in SCHEDULE:
            _check_schedule(f"{field}.{parameter}", parameter, value)
            continue
        annotated = types.get(parameter)
        if get_origin(annotated) is Literal and value not in get_args(annotated):
            expected = f"one of {', '.join(get_args(annotated))}"
            reject(f"{field}.{parameter}", expected, value)
        if annotated in (int, float) and not _is_number(value):
            reject(f"{field}.{parameter}", "a finite number", value)
        if parameter in _POSITIVE_PARAMETERS and not value > 0:
            reject(f"{field}.{parameter}", "greater than 0", value)
    for parameter in list(parameters)[1:]:
        if parameter not in settings and parameters[parameter].default is inspect.Parameter.empty:
            reject(field, f"given {parameter}", dict(settings))
    first, last = settings.get("start_epoch", 1), settings.get("end_epoch")
    if last is not None and last < first:
        reject(f"{field}.end_epoch", f"at least start_epoch={first}", last)


def _check_schedule(field: str, name: str, value: Any) -> None:
    if value is None and name in ("final_weight", "end_epoch"):
        return
    if not _is_number(value):
        reject(field, "a finite number", value)
    if name in ("start_epoch", "end_epoch") and value < 1:
        reject(field, "1 or more", value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _try_losses(config: ConfigDict) -> None:
    """Trace the objective as a step would: what the losses refuse is known before training."""
    crop = config.dataset.crop
    t = len(window_offsets(config.tcam.window.n, config.tcam.window.mode))
    if not any(map(is_on, config.tcam.losses.values())):
        reject("tcam.losses", "of a weight other than 0, one at least", "0 for all")

    def image(*shape: int, dtype: type = jnp.float32) -> Any:  # a shape in an array's place
        return jax.ShapeDtypeStruct((1, *shape), dtype)

    barrier_t: Any = jax.ShapeDtypeStruct((), jnp.float32)
    window = Window(image(t, crop, crop, 2), image(t, crop, crop, 3), image(t, dtype=bool))
    inputs = LossInputs(
        map_logits=image(crop, crop, 2),
        images=image(crop, crop, 3),
        seeds=image(crop, crop, dtype=jnp.int32),
        barrier_t=barrier_t,
        object_box=image(crop, crop, dtype=bool),
        window=window,
    )
    try:
        losses = settings_at(config.tcam.losses, crop)
        jax.eval_shape(lambda inputs: objective(inputs, losses)[0], inputs)
    except (ValueError, ArithmeticError) as error:
        raise InputError(f"config.tcam.losses, at crops of {crop} pixels: {error}") from error
