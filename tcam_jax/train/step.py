"""The pure training steps of both stages, written for one device of a named axis.

One idiom for gradients: each device differentiates its own share of the global loss (its local sum
over the global count), and the gradients are summed over the devices. With `axis_name=None` the
same code sees the whole batch.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Key, PyTree
from ml_collections import ConfigDict

from tcam_jax.data.geometry import normalise, random_geometry, transform
from tcam_jax.data.sampler import target_position
from tcam_jax.losses.inputs import LossInputs, Window
from tcam_jax.losses.log_barrier import barrier_t
from tcam_jax.losses.objective import needs_window, objective, settings_at
from tcam_jax.losses.schedule import is_scheduled, weight_at
from tcam_jax.models.tcam import TCAM
from tcam_jax.pseudo_labels.regions import region_box
from tcam_jax.pseudo_labels.roi import region_of_interest
from tcam_jax.pseudo_labels.sampling import SEED_RULES
from tcam_jax.pseudo_labels.seeds import seed_map
from tcam_jax.train.optimizer import Schedule
from tcam_jax.train.seed_maps import Batch, FrozenClassifiers, features_and_seed_maps
from tcam_jax.train.state import TrainState

# Metrics: name -> (sum, count) over the global batch.
Metrics = dict[str, tuple[Array, Array]]


def sample_keys(seed: int, step: Array, batch: Batch) -> Key[Array, " b"]:
    """Return one key a sample, a function of (seed, step, global slot), not of the device."""
    step_key = jax.random.fold_in(jax.random.key(seed), step)
    return jax.vmap(jax.random.fold_in, (None, 0))(step_key, batch["slot"])


def classifier_step(
    state: TrainState,
    frozen: None,
    batch: Batch,
    *,
    config: ConfigDict,
    model: TCAM,
    optimizer: optax.GradientTransformation,
    schedule: Schedule,
    axis_name: str | None,
) -> tuple[TrainState, Metrics]:
    """Stage 1: one SGD step of cross-entropy on single frames (windows of t = 1).

    Nothing is frozen; the argument keeps the signature that `Parallel.compile` maps.
    """
    del frozen
    crop, resize = config.dataset.crop, config.dataset.resize
    keys = sample_keys(config.seed, state.step, batch)
    geometry = jax.vmap(lambda key: random_geometry(key, resize, crop))(keys)
    images = jax.vmap(lambda frame, g: transform(frame, g, crop))(batch["frames"][:, 0], geometry)
    count = _global_count(images.shape[0], axis_name)

    def loss(params: PyTree) -> tuple[Array, tuple]:
        output, updates = model.apply(
            {"params": params, "batch_stats": state.batch_stats},
            normalise(images),
            method="classify",
            mutable=["batch_stats"],
        )
        targets = jax.nn.one_hot(batch["label"], output.logits.shape[-1], dtype=output.logits.dtype)
        targets = optax.smooth_labels(targets, config.classifier.label_smoothing)
        losses = optax.softmax_cross_entropy(output.logits, targets)
        return losses.sum() / count, (output.logits, losses, updates["batch_stats"])

    grads, (logits, losses, batch_stats) = jax.grad(loss, has_aux=True)(state.params)
    correct = (logits.argmax(-1) == batch["label"]).sum()
    updated, gradient_norm = _update(state, grads, batch_stats, optimizer, axis_name)
    return updated, {
        "loss": (_sum(losses.sum(), axis_name), count),
        "train_accuracy": (100.0 * _sum(correct, axis_name), count),
        "gradient_norm": (gradient_norm, jnp.ones(())),
        "learning_rate": (schedule(state.step), jnp.ones(())),
    }


def tcam_step(
    state: TrainState,
    frozen: FrozenClassifiers,
    batch: Batch,
    *,
    config: ConfigDict,
    model: TCAM,
    optimizer: optax.GradientTransformation,
    schedule: Schedule,
    steps_per_epoch: int,
    axis_name: str | None,
) -> tuple[TrainState, Metrics]:
    """Stage 2: one SGD step of the decoder on seeds from temporal CAMs.

    Frames of a window → classifier → CAM of the true class each → maximum over time → seeds drawn
    in the target's crop → decoder's map of the target → losses. Where a loss looks at all frames of
    the window, all of them are decoded (and counted in the decoder's batch statistics).
    """
    crop, resize = config.dataset.crop, config.dataset.resize
    keys = sample_keys(config.seed, state.step, batch)
    keys = jax.vmap(lambda key: jax.random.split(key))(keys)  # [b, 2]
    geometry = jax.vmap(lambda key: random_geometry(key, resize, crop))(keys[:, 0])
    views = jax.vmap(  # [b, t, crop, crop, 3]
        lambda window, g: jax.vmap(lambda frame: transform(frame, g, crop))(window)
    )(batch["frames"], geometry)
    target = target_position(config.tcam.window.n, config.tcam.window.mode)
    images = views[:, target].astype(jnp.float32)
    losses = settings_at(config.tcam.losses, crop)
    whole_window = needs_window(losses)

    features, maps = features_and_seed_maps(
        frozen, batch, views, geometry, target, whole_window, config=config, model=model
    )
    rule = SEED_RULES[config.tcam.seeds.rule]
    if config.tcam.seed_source == "boxes":
        # No pixel of a true box is better than another: all of it, and all around it.
        rule = rule._replace(fg_fraction=1.0, bg="complement")
    draw = partial(
        seed_map,
        rule=rule,
        fg_pixels=config.tcam.seeds.fg_pixels,
        bg_pixels=config.tcam.seeds.bg_pixels,
        region=config.tcam.seeds.region,
    )
    seeds = jax.vmap(draw)(keys[:, 1], maps)
    object_box = jax.vmap(
        lambda cam: region_box(region_of_interest(cam, region=config.tcam.seeds.region))
    )(maps)
    finished_epochs = state.step // steps_per_epoch
    t = barrier_t(finished_epochs, **config.tcam.barrier)
    when = {"epoch": finished_epochs + 1, "epochs": config.tcam.epochs}

    def loss(params: PyTree) -> tuple[Array, tuple]:
        map_logits, updates = model.apply(
            {"params": params, "batch_stats": state.batch_stats},
            features,
            (crop, crop),
            method="localise",
            mutable=["batch_stats"],
        )
        window = None
        if whole_window:
            map_logits = map_logits.reshape(*views.shape[:-1], 2)
            window = Window(map_logits, views.astype(jnp.float32), batch["valid"])
            map_logits = map_logits[:, target]
        inputs = LossInputs(map_logits, images, seeds, t, object_box, window)
        total, terms = objective(inputs, losses, **when, axis_name=axis_name)
        return total, (total, terms, updates["batch_stats"])

    grads, (total, terms, batch_stats) = jax.grad(loss, has_aux=True)(state.params)
    updated, gradient_norm = _update(state, grads, batch_stats, optimizer, axis_name)
    return updated, {
        "loss": (_sum(total, axis_name), jnp.ones(())),
        **{f"loss_{name}": term for name, term in terms.items()},
        **{
            f"weight_{name}": (weight_at(losses[name], **when), jnp.ones(()))
            for name in terms
            if is_scheduled(losses[name])
        },
        "barrier_t": (t, jnp.ones(())),
        "gradient_norm": (gradient_norm, jnp.ones(())),
        "learning_rate": (schedule(state.step), jnp.ones(())),
    }


def _global_count(local: int, axis_name: str | None) -> Array:
    return _sum(jnp.asarray(float(local)), axis_name)


def _sum(local: Any, axis_name: str | None) -> Any:
    return local if axis_name is None else lax.psum(local, axis_name)


def _update(
    state: TrainState,
    local_grads: PyTree,
    batch_stats: PyTree,
    optimizer: optax.GradientTransformation,
    axis_name: str | None,
) -> tuple[TrainState, Array]:
    """Return the state after one update, and the norm of the global gradient."""
    grads = _sum(local_grads, axis_name)
    updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
    updated = TrainState(
        step=state.step + 1,
        params=optax.apply_updates(state.params, updates),
        batch_stats=batch_stats,
        opt_state=opt_state,
    )
    return updated, optax.tree.norm(grads)
