"""What the losses of a config may be given: every one is asked before training."""

import inspect
import math
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict, FrozenConfigDict

from tcam_jax.config.model_rules import reject
from tcam_jax.data.window_frames import window_offsets
from tcam_jax.losses.inputs import LossInputs, Window
from tcam_jax.losses.objective import LOSSES, WINDOW_LOSSES, Loss, objective, settings_at
from tcam_jax.losses.schedule import SCHEDULE, is_on
from tcam_jax.runtime.errors import InputError

# Parameters of the losses here that must be above 0; a user's own may have any.
_POSITIVE_PARAMETERS = ("sigma_rgb", "sigma_xy", "scale", "kernel_scale", "target", "tolerance")


def check_losses(config: ConfigDict) -> None:
    """Check `tcam.losses`, and that together they can be computed.

    Raises:
      InputError: see `rules.validate`.
    """
    for name, settings in config.tcam.losses.items():
        _check_loss(name, settings)
        if name in WINDOW_LOSSES and is_on(settings) and config.tcam.window.n < 1:
            reject("tcam.window.n", f"1 or more for the loss {name}", config.tcam.window.n)
    _try_losses(config)


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
    crop, losses = config.dataset.crop, config.tcam.losses
    t = len(window_offsets(config.tcam.window.n, config.tcam.window.mode))
    if not any(map(is_on, losses.values())):
        reject("tcam.losses", "of a weight other than 0, one at least", "0 for all")
    functions = tuple(LOSSES[name] for name in losses)
    every_frame = config.tcam.window.labelled == "all"
    try:
        _trace(FrozenConfigDict(losses), functions, crop, t, every_frame)
    except (ValueError, ArithmeticError) as error:
        raise InputError(f"config.tcam.losses, at crops of {crop} pixels: {error}") from error


@lru_cache(maxsize=256)  # a command looks at its config several times, a sweep at many alike
def _trace(
    losses: FrozenConfigDict, functions: tuple[Loss, ...], crop: int, t: int, every_frame: bool
) -> None:
    """Trace the objective of windows of `t` frames.

    `functions` are those that `losses` name: another one of a known name is traced anew.
    """

    def like(*shape: int, dtype: type = jnp.float32) -> Any:  # a shape in an array's place
        return jax.ShapeDtypeStruct(shape, dtype)

    b = t if every_frame else 1
    inputs = LossInputs(
        map_logits=like(b, crop, crop, 2),
        images=like(b, crop, crop, 3),
        seeds=like(b, crop, crop, dtype=jnp.int32),
        barrier_t=like(),
        object_box=like(b, crop, crop, dtype=bool),
        window=Window(like(1, t, crop, crop, 2), like(1, t, crop, crop, 3), like(1, t, dtype=bool)),
        valid=like(b, dtype=bool) if every_frame else None,
    )
    settings = settings_at(losses, crop)
    jax.eval_shape(lambda inputs: objective(inputs, settings)[0], inputs)
