"""From a batch of shot windows to all that the decoder learns from, but the losses."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import jax
from jaxtyping import Array, Float
from ml_collections import ConfigDict

from tcam_jax.data.geometry import random_geometry, sample_keys, transform
from tcam_jax.data.protocol import Batch
from tcam_jax.models.tcam import TCAM
from tcam_jax.pseudo_labels.roi import object_box, region_of_interest
from tcam_jax.pseudo_labels.sampling import SEED_RULES
from tcam_jax.pseudo_labels.seed_maps import FrozenClassifiers, features_and_seed_maps
from tcam_jax.pseudo_labels.seeds import seed_map

ChooseMaps = Callable[[Mapping[str, Array], Float[Array, "f h w"]], Float[Array, "f h w"]]
"""(features, maps), see `features_and_seed_maps` -> the maps that seeds are drawn from."""


class LabelledWindows(NamedTuple):
    """What the frozen networks make of windows: all that the decoder's training needs."""

    features: Mapping[str, Array]  # of the targets' crops, or of all crops: [b or b * t, y, x, c]
    views: Array  # the crops, uint8 [b, t, h, w, 3]
    valid: Array  # bool [b, t]
    # Of the labelled frames: of the targets, [b, h, w], or of all, [b * t, h, w].
    seeds: Array  # int32
    object_box: Array  # bool


def label_windows(
    frozen: FrozenClassifiers,
    batch: Batch,
    number: Array,
    target: int,
    whole_window: bool,
    *,
    config: ConfigDict,
    model: TCAM,
    choose_maps: ChooseMaps | None = None,
) -> LabelledWindows:
    """Crop the windows, look at them with the frozen classifiers, draw seeds in labelled frames.

    Args:
      frozen: the fixed classifiers.
      batch: see `data.protocol.Batch`.
      number: of the batch; with the seed and the slot it decides every draw.
      target: position of the target frame on the t axis.
      whole_window: whether all frames are decoded, not the target alone.
      config, model: the run's.
      choose_maps: may put other maps in the place of the classifier's.
    """
    crop, resize = config.dataset.crop, config.dataset.resize
    keys = sample_keys(config.seed, number, batch["slot"])
    keys = jax.vmap(lambda key: jax.random.split(key))(keys)  # [b, 2]
    geometry = jax.vmap(lambda key: random_geometry(key, resize, crop))(keys[:, 0])
    views = jax.vmap(  # [b, t, crop, crop, 3]
        lambda window, g: jax.vmap(lambda frame: transform(frame, g, crop))(window)
    )(batch["frames"], geometry)
    features, maps = features_and_seed_maps(
        frozen, batch, views, geometry, target, whole_window, config=config, model=model
    )
    if choose_maps is not None:
        maps = choose_maps(features, maps)
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
    draw_keys = keys[:, 1]
    if config.tcam.window.labelled == "all":
        t = views.shape[1]
        draw_keys = jax.vmap(lambda key: jax.random.split(key, t))(draw_keys).reshape(-1)
    seeds = jax.vmap(draw)(draw_keys, maps)
    region, box = config.tcam.seeds.region, config.tcam.seeds.box
    boxes = jax.vmap(
        lambda cam: object_box(region_of_interest(cam, region=region), region=region, box=box)
    )(maps)
    return LabelledWindows(features, views, batch["valid"], seeds, boxes)
