"""Any optimiser of optax by name, learning rates over the training, and factors of them by layer.

The defaults are SGD with Nesterov momentum and a stepped learning rate, in torch's order of
operations.
"""

import inspect
import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax.traverse_util import flatten_dict
from jaxtyping import Array, Bool, Float, Int, PyTree
from ml_collections import ConfigDict

from tcam_jax.models.tcam import TCAM
from tcam_jax.runtime.errors import InputError

Schedule = Callable[[Int[Array, ""]], Float[Array, ""]]

# What an optimiser's arguments are where the config has none; optax's own for all others.
USUAL_ARGS: dict[str, dict[str, Any]] = {"sgd": {"momentum": 0.9, "nesterov": True}}


def make_schedule(config: ConfigDict, steps_per_epoch: int, num_steps: int) -> Schedule:
    """Return step -> learning rate, by `config.schedule`, one of `SCHEDULES`.

    Args:
      config: an `optimizer` section, see `tcam_jax/config/defaults.py`.
      steps_per_epoch, num_steps: of the training.
    """
    return SCHEDULES[config.schedule](config, steps_per_epoch, num_steps)


def _step(config: ConfigDict, steps_per_epoch: int, num_steps: int) -> Schedule:
    def schedule(step: Int[Array, ""]) -> Float[Array, ""]:
        drops = step // (steps_per_epoch * config.step_epochs)
        return jnp.maximum(config.learning_rate * config.gamma**drops, config.min_learning_rate)

    return schedule


def _constant(config: ConfigDict, steps_per_epoch: int, num_steps: int) -> Schedule:
    return lambda step: jnp.asarray(config.learning_rate, jnp.float32)


def _cosine(config: ConfigDict, steps_per_epoch: int, num_steps: int) -> Schedule:
    floor = config.min_learning_rate / config.learning_rate
    return optax.cosine_decay_schedule(config.learning_rate, num_steps, floor)


def _warmup_cosine(config: ConfigDict, steps_per_epoch: int, num_steps: int) -> Schedule:
    warmup = min(round(config.warmup_epochs * steps_per_epoch), num_steps - 1)
    return optax.warmup_cosine_decay_schedule(
        0.0, config.learning_rate, warmup, num_steps, config.min_learning_rate
    )


SCHEDULES: dict[str, Callable[[ConfigDict, int, int], Schedule]] = {
    "step": _step,
    "constant": _constant,
    "cosine": _cosine,
    "warmup_cosine": _warmup_cosine,
}


def make_optimizer(config: ConfigDict, model: TCAM) -> optax.GradientTransformation:
    """Return the optimiser of an `optimizer` section, at learning rate 1.

    `train.update` multiplies its updates by the learning rate afterwards, of the step that the
    state counts: a count of the optimiser's own would stand still at skipped steps.

    Weight decay is the optimiser's own where it takes a `weight_decay` (adamw, lamb, lion …), and
    joins the gradient before it otherwise, for every parameter (biases and batch norm too), as
    torch's. With `new_layers_ratio` in the config, the last stage of `model`'s encoder and the head
    get that multiple of the learning rate, as in the reference; `multipliers` add to it.
    """
    transforms = []
    if config.clip_norm:
        transforms.append(optax.clip_by_global_norm(config.clip_norm))
    make = getattr(optax, config.name)
    args = dict(config.args) or USUAL_ARGS.get(config.name, {})
    if "weight_decay" in inspect.signature(make).parameters:
        args = {"weight_decay": config.weight_decay, **args}
    elif config.weight_decay:
        transforms.append(optax.add_decayed_weights(config.weight_decay))
    transforms.append(make(learning_rate=1.0, **args))
    factors = list(config.multipliers)
    if "new_layers_ratio" in config:
        new = (*model.declared.last_stage, "classification_head")
        pattern = rf"(^|/)({'|'.join(map(re.escape, new))})"
        factors.append((pattern, config.new_layers_ratio))
    for pattern, factor in factors:
        mask = partial(matching, pattern)
        change = optax.scale(factor) if factor else optax.set_to_zero()
        transforms.append(optax.masked(change, mask))
    return optax.chain(*transforms)


def matching(pattern: str, params: PyTree) -> PyTree:
    """Return which leaves have a path such as "encoder/layer4_0/conv1/kernel" that has `pattern`.

    Raises:
      InputError: none has.
    """

    def matches(path: tuple, _: Array) -> bool:
        return re.search(pattern, "/".join(key.key for key in path)) is not None

    found = jax.tree_util.tree_map_with_path(matches, params)
    if not any(jax.tree.leaves(found)):
        paths = flatten_dict(params, sep="/")
        raise InputError(
            f"optimizer.multipliers: no trained parameter has {pattern!r} in its path; paths are "
            f"such as {', '.join(list(paths)[:: len(paths) // 3 + 1])}."
        )
    return found


def check_optimizer(config: ConfigDict, section: str, model: TCAM, params: PyTree) -> None:
    """Check an `optimizer` section before anything is trained.

    Args:
      config: of the run.
      section: "classifier" or "tcam".
      model: the network.
      params: what the section trains; shapes will do.

    Raises:
      InputError: names the field, what it may be and what it is.
    """
    settings, field = config[section].optimizer, f"config.{section}.optimizer"
    make = getattr(optax, settings.name, None)
    known = list(inspect.signature(make).parameters) if callable(make) else []
    if known[:1] != ["learning_rate"]:
        raise InputError(
            f"{field}.name must be an optimiser of optax, such as sgd, adamw or lion; it is "
            f"{settings.name!r}."
        )
    allowed = [name for name in known if name not in ("learning_rate", "weight_decay")]
    unknown = [name for name in settings.args if name not in allowed]
    if unknown:
        raise InputError(
            f"{field}.args must be made of {', '.join(allowed)} for {settings.name}; it has "
            f"{unknown[0]!r}."
        )
    if settings.schedule not in SCHEDULES:
        raise InputError(
            f"{field}.schedule must be one of {', '.join(SCHEDULES)}; it is {settings.schedule!r}."
        )
    for name, low, high in (
        ("ema", 0, 1),
        ("clip_norm", 0, math.inf),
        ("warmup_epochs", 0, math.inf),
    ):
        if not low <= settings[name] < high:
            raise InputError(
                f"{field}.{name} must be at least 0 and below {high}; it is {settings[name]}."
            )
    try:
        factor = learning_rate_is_a_factor(settings.name, dict(settings.args))
        optimizer = make_optimizer(settings, model)
        for pattern, _ in settings.multipliers:
            re.compile(pattern)
    except (TypeError, ValueError, re.error) as error:
        raise InputError(f"{field}: {error}") from error
    if not factor:
        raise InputError(
            f"{field}.name={settings.name}: its updates are not proportional to the learning rate, "
            "which the schedules here rely on; choose another, such as sgd, adamw or lion."
        )
    jax.eval_shape(optimizer.init, params)


def learning_rate_is_a_factor(name: str, args: Mapping[str, Any]) -> bool:
    """Tell whether updates at a learning rate are those at 1 times it, as `train.update` takes it.

    Three steps of a toy problem at changing learning rates, both ways.
    """
    return bool(jax.jit(partial(_is_a_factor, partial(getattr(optax, name), **args)))())


def _is_a_factor(make: Callable[..., optax.GradientTransformation]) -> Bool[Array, ""]:
    params = {"a": jnp.linspace(0.5, 2.0, 6).reshape(2, 3), "b": jnp.linspace(-1.0, 1.0, 3)}
    at_one = make(learning_rate=1.0)
    one = at_one.init(params)
    direct = make(learning_rate=1.0).init(params)
    all_close = []
    for step, rate in enumerate((0.5, 0.1, 0.3)):
        gradient = jax.tree.map(lambda x, step=step: jnp.cos(x * (step + 1)), params)
        unit, one = at_one.update(gradient, one, params)
        expected, direct = make(learning_rate=rate).update(gradient, direct, params)
        close = jax.tree.map(
            lambda u, e, rate=rate: jnp.allclose(rate * u, e, rtol=1e-4, atol=1e-7),
            unit,
            expected,
        )
        all_close += jax.tree.leaves(close)
    return jnp.stack(all_close).all()
