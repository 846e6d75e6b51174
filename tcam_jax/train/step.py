"""The pure training steps of both stages, written for one device of a named axis.

One idiom for gradients: each device differentiates its own share of the global loss (its local sum
over the global count), and the gradients are summed over the devices. With `axis_name=None` the
same code sees the whole batch.

A batch is m microbatches `[m, b, ...]` whose gradients add up to one update (m is 1 but for
memory's sake). Batch norm, and the adaptive weights of losses, see one microbatch at a time: with
m = 2 training is not quite the same as with k = 1.
"""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, PyTree
from ml_collections import ConfigDict

from tcam_jax.data.geometry import random_geometry, sample_keys, transform
from tcam_jax.data.protocol import Batch
from tcam_jax.data.window_frames import target_position
from tcam_jax.losses.inputs import LossInputs, Window
from tcam_jax.losses.log_barrier import barrier_t
from tcam_jax.losses.objective import global_counts, objective, settings_at, window_losses
from tcam_jax.losses.schedule import is_scheduled, weight_at
from tcam_jax.models.tcam import TCAM
from tcam_jax.pseudo_labels.seed_maps import FrozenClassifiers
from tcam_jax.pseudo_labels.windows import LabelledWindows, label_windows
from tcam_jax.train.optimizer import Schedule
from tcam_jax.train.self_training import own_maps_from
from tcam_jax.train.state import TrainState
from tcam_jax.train.update import Metrics, accumulate, map_microbatches, over_devices, update


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
    """Stage 1: one step of cross-entropy on single frames (windows of t = 1).

    Nothing is frozen; the argument keeps the signature that `Parallel.compile` maps.
    """
    del frozen
    crop, resize = config.dataset.crop, config.dataset.resize
    count = over_devices(jnp.asarray(float(batch["label"].size)), axis_name)

    def loss(params: PyTree, batch_stats: PyTree, part: Batch) -> tuple[Array, tuple]:
        keys = sample_keys(config.seed, state.batch_number, part["slot"])
        geometry = jax.vmap(lambda key: random_geometry(key, resize, crop))(keys)
        images = jax.vmap(lambda frame, g: transform(frame, g, crop))(
            part["frames"][:, 0], geometry
        )
        output, updates = model.apply(
            {"params": params, "batch_stats": batch_stats},
            model.normalise(images),
            method="classify",
            mutable=["batch_stats"],
        )
        targets = jax.nn.one_hot(part["label"], output.logits.shape[-1], dtype=output.logits.dtype)
        targets = optax.smooth_labels(targets, config.classifier.label_smoothing)
        total = optax.softmax_cross_entropy(output.logits, targets).sum() / count
        correct = (output.logits.argmax(-1) == part["label"]).sum()
        return total, (updates.get("batch_stats", {}), {"total": total, "correct": correct})

    grads, batch_stats, sums = accumulate(loss, state, batch)
    sums = over_devices(sums, axis_name)
    updated, metrics = update(
        state,
        grads,
        batch_stats,
        sums["total"],
        optimizer=optimizer,
        schedule=schedule,
        ema=config.classifier.optimizer.ema,
        axis_name=axis_name,
    )
    return updated, metrics | {"train_accuracy": (100.0 * sums["correct"], count)}


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
    num_steps: int | None = None,
) -> tuple[TrainState, Metrics]:
    """Stage 2: one step of the decoder on seeds from temporal CAMs.

    Frames of a window → classifier → CAM of the true class each → maximum over time → seeds drawn
    in the target's crop → decoder's map of the target → losses. Where a loss looks at all frames of
    the window, or all of them are labelled, all are decoded (and counted in the decoder's batch
    statistics, those beyond a shot's end too). With `tcam.window.labelled` "all" every frame of a
    window has seeds of its own, and is a sample of the losses of single frames.

    `num_steps`: of the training, where it is not `config.tcam.epochs` that says how long it is.
    """
    crop = config.dataset.crop
    losses = settings_at(config.tcam.losses, crop)
    every_frame = config.tcam.window.labelled == "all"
    whole_window = every_frame or bool(window_losses(losses))
    target = target_position(config.tcam.window.n, config.tcam.window.mode)
    num_steps = num_steps or config.tcam.epochs * steps_per_epoch
    choose_maps = own_maps_from(
        state, config=config, model=model, num_steps=num_steps, target=target
    )

    def label(part: Batch) -> LabelledWindows:
        return label_windows(
            frozen,
            part,
            state.batch_number,
            target,
            whole_window,
            config=config,
            model=model,
            choose_maps=choose_maps,
        )

    seen = map_microbatches(label, batch)
    m = batch["label"].shape[0]
    finished_epochs = state.step // steps_per_epoch
    t = barrier_t(finished_epochs, **config.tcam.barrier)
    when = {"epoch": finished_epochs + 1, "epochs": -(-num_steps // steps_per_epoch)}

    def inputs_of(part: LabelledWindows, map_logits: Array) -> LossInputs:
        window = valid = None
        images = part.views[:, target].astype(jnp.float32)
        if whole_window:
            of_windows = map_logits.reshape(*part.views.shape[:-1], 2)
            window = Window(of_windows, part.views.astype(jnp.float32), part.valid)
            if every_frame:
                images, valid = window.images.reshape(-1, *images.shape[1:]), part.valid.reshape(-1)
            else:
                map_logits = of_windows[:, target]
        return LossInputs(map_logits, images, part.seeds, t, part.object_box, window, valid)

    counts = None
    if m > 1:  # microbatches share the counts of the whole batch, as devices do
        frames = seen.views.shape[1] * (seen.views.shape[2] if whole_window else 1)
        blank = jnp.zeros((frames, crop, crop, 2))
        counts = map_microbatches(
            lambda part: global_counts(inputs_of(part, blank), losses, axis_name=axis_name), seen
        )
        counts = jax.tree.map(lambda x: x.sum(0), counts)

    def loss(params: PyTree, batch_stats: PyTree, part: LabelledWindows) -> tuple[Array, tuple]:
        map_logits, updates = model.apply(
            {"params": params, "batch_stats": batch_stats},
            part.features,
            (crop, crop),
            method="localise",
            mutable=["batch_stats"],
        )
        total, terms = objective(
            inputs_of(part, map_logits), losses, **when, axis_name=axis_name, counts=counts
        )
        return total, (updates.get("batch_stats", {}), (total, terms))

    grads, batch_stats, (total, terms) = accumulate(loss, state, seen)
    updated, metrics = update(
        state,
        grads,
        batch_stats,
        over_devices(total, axis_name),
        optimizer=optimizer,
        schedule=schedule,
        ema=config.tcam.optimizer.ema,
        axis_name=axis_name,
    )
    return updated, {
        **metrics,
        **{f"loss_{name}": term for name, term in terms.items()},
        **{
            f"weight_{name}": (weight_at(losses[name], **when), jnp.ones(()))
            for name in terms
            if is_scheduled(losses[name])
        },
        "barrier_t": (t, jnp.ones(())),
    }
