"""How good seeds are before anything is trained on them: against true boxes of training frames.

The windows, maps and draws are those of stage 2 (`pseudo_labels.windows`), so that what is chosen
here, such as how many frames are pooled and how, is what training gets.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from ml_collections import ConfigDict

from tcam_jax.data.dataset import Dataset
from tcam_jax.data.protocol import Batch, seed_arguments
from tcam_jax.data.window_frames import target_position
from tcam_jax.models.tcam import CLASSIFIER_PARTS, TCAM, select, variable_shapes
from tcam_jax.pseudo_labels.seed_maps import FrozenClassifiers
from tcam_jax.pseudo_labels.seeds import BACKGROUND, FOREGROUND
from tcam_jax.pseudo_labels.windows import LabelledWindows, label_windows
from tcam_jax.runtime.interruption import Interruption
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.train.alignment import seed_displacement
from tcam_jax.train.finished import Finished
from tcam_jax.train.stages import CLASSIFIER_DIR, make_model


class Quality(TypedDict):
    """Of seeds, percent, means over windows.

    Attributes:
      corloc: windows of whose maps the box of the largest region has an IoU of 0.5 or more with
        the true one, mean over classes.
      foreground: foreground seeds inside the true box.
      background: background seeds outside of it.
      recall: the true box's pixels that lie in the box of the map's region.
    """

    corloc: float
    foreground: float
    background: float
    recall: float


Rows = Mapping[str, Mapping[str, Any]]
"""title -> {field of `config.tcam`: value}"""

OVER_TIME: Rows = {"n = 0": {"window.n": 0, "seeds.motion": 0.0}} | {
    f"n = {n}, {pooling}{', along the flow' if align else ''}": {
        "window.n": n,
        "window.pooling": pooling,
        "window.align": align,
        "seeds.motion": 0.0,
    }
    for n in (1, 2, 4, 8)
    for pooling in ("max", "mean", "softmax")
    for align in (False, True)
}
"""How many frames are pooled, and how."""

WITH_MOTION: Rows = {
    f"motion's share {share}": {"window.n": 0, "seeds.motion": share}
    for share in (0.25, 0.5, 0.75, 1.0)
}
"""How much motion counts beside the maps of frames on their own."""


def seed_quality(
    config: ConfigDict, workdir: Path, rows: Rows, steps: int, stop: Interruption
) -> dict[str, Quality]:
    """Measure the seeds of stage 2's first steps in whole frames, the same ones for every row.

    Args:
      config: of a run, its dataset with a true box on every training frame.
      workdir: of the run, whose classifier is trained to its end.
      rows: what is changed in `config.tcam`.
      steps: how many of `config.tcam.batch_size` windows.
      stop: asked between batches.

    Raises:
      InputError: the dataset has no such boxes, or the classifier is not there.
    """
    config = config.copy_and_resolve_references()
    config.dataset.resize = config.dataset.crop  # whole frames: a crop might miss the thing
    data, parallel = Dataset(config), Parallel("jit", jax.devices()[:1])
    model = make_model(config, len(data.class_names))
    finished = Finished(workdir / CLASSIFIER_DIR)

    def like() -> Any:
        return select(variable_shapes(model, config.dataset.crop), CLASSIFIER_PARTS)

    variables = finished.variables(finished.best_step(config.tcam.seed_checkpoint), like)
    displaced = None
    if config.tcam.align_seeds:
        found = seed_displacement(config, data, parallel, model, variables, stop)
        displaced = jnp.array(found, jnp.float32)
    frozen = FrozenClassifiers(variables, None, displaced)
    changed = {title: _changed(config, changes) for title, changes in rows.items()}
    return {
        title: _measured(one, model, frozen, stop.between(_batches(one, data, steps)))
        for title, one in changed.items()
    }


def _changed(config: ConfigDict, changes: Mapping[str, Any]) -> ConfigDict:
    changed = config.copy_and_resolve_references()
    changed.update_from_flattened_dict({f"tcam.{field}": x for field, x in changes.items()})
    # One frame a window is labelled; the box of its largest region is what CorLoc judges.
    changed.tcam.window.labelled, changed.tcam.window.cam_tmp = "target", True
    changed.tcam.seed_source = "cam"
    changed.tcam.seeds.box = "tight"
    return changed


def _batches(config: ConfigDict, data: Dataset, steps: int) -> Iterator[Mapping[str, np.ndarray]]:
    window = config.tcam.window
    return data.training_batches(
        batch_size=config.tcam.batch_size,
        n=window.n,
        mode=window.mode,
        first_step=0,
        num_steps=steps,
        **{**seed_arguments(data, config), "boxes": True},
    )


def _measured(
    config: ConfigDict,
    model: TCAM,
    frozen: FrozenClassifiers,
    batches: Iterable[Mapping[str, np.ndarray]],
) -> Quality:
    look = jax.jit(partial(_look, config=config, model=model))
    seen = [
        jax.device_get(look(frozen, batch, jnp.int32(number)))
        for number, batch in enumerate(batches)
    ]
    found = _Seen(*(np.concatenate(parts) for parts in zip(*seen, strict=True)))
    of_class = [found.overlap[found.label == label] >= 0.5 for label in np.unique(found.label)]
    # A map that is the same everywhere has no seeds: NaN.
    return {
        "corloc": 100 * float(np.mean([hits.mean() for hits in of_class])),
        "foreground": 100 * float(np.nanmean(found.foreground)),
        "background": 100 * float(np.nanmean(found.background)),
        "recall": 100 * float(np.nanmean(found.recall)),
    }


class _Seen(NamedTuple):
    """Of each window, `[b]`."""

    label: Array
    overlap: Array  # IoU
    foreground: Array  # shares, 0..1
    background: Array
    recall: Array


def _look(
    frozen: FrozenClassifiers, batch: Batch, number: Array, config: ConfigDict, model: TCAM
) -> _Seen:
    target = target_position(config.tcam.window.n, config.tcam.window.mode)

    def labelled(**changes: Any) -> LabelledWindows:
        one = config.copy_and_resolve_references()
        one.update_from_flattened_dict(changes)
        return label_windows(frozen, batch, number, target, False, config=one, model=model)

    seeds = labelled().seeds
    # The same crops of the same windows: the compiler finds what they have in common.
    found = labelled(**{"tcam.seeds.region": "largest"}).object_box
    true = labelled(**{"tcam.seed_source": "boxes", "tcam.seeds.motion": 0.0}).object_box
    pixels = partial(jnp.sum, axis=(1, 2))
    both = pixels(found & true)
    fg, bg = seeds == FOREGROUND, seeds == BACKGROUND
    return _Seen(
        batch["label"],
        both / pixels(found | true),
        pixels(fg & true) / pixels(fg),
        pixels(bg & ~true) / pixels(bg),
        both / pixels(true),
    )
