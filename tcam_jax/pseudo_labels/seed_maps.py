"""From a batch of shot windows to the decoder's features and the maps that seeds are drawn from.

Frames of a window -> classifier -> CAM of the true class each -> pooled over time (CAM-TMP), along
the optical flow if that is wanted -> the crop -> weighed by what moves. The target frame of a
window is labelled, or all are (`window.labelled`). Seeds may see the whole frames, cropped
afterwards like the image, or only the crops (`seed_view` "crop"): the encoder then sees each frame
once. The whole frames are the training frames, shrunk ("frame"), or come straight from their
sources ("source", as in the authors' code: levels of CAMs differ by 1 to 1.6 of 255 in the mean).
"""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float
from ml_collections import ConfigDict

from tcam_jax.cams.displacement import undo
from tcam_jax.cams.methods import class_activation_maps
from tcam_jax.data.geometry import Geometry, resize_map, shrink_frames, transform
from tcam_jax.data.protocol import Batch
from tcam_jax.models.tcam import TCAM, ClassifierOutput, Variables
from tcam_jax.pseudo_labels.motion_prior import with_motion
from tcam_jax.pseudo_labels.temporal import moved_along, pool


class FrozenClassifiers(NamedTuple):
    """Stage 2's fixed networks, passed as an argument (closed over, they become constants).

    Attributes:
      encoder: variables of the classifier whose features the decoder reads.
      seeds: variables of the classifier whose CAMs give the seeds; None: the same one.
      displaced: how far that one shows things from where they are, `[2]`, see
        `cams.displacement`; None: its CAMs are taken as they are, as the reference does.
    """

    encoder: Variables
    seeds: Variables | None
    displaced: Array | None = None


def features_and_seed_maps(
    frozen: FrozenClassifiers,
    batch: Batch,
    views: Array,
    geometry: Geometry,
    target: int,
    whole_window: bool,
    *,
    config: ConfigDict,
    model: TCAM,
) -> tuple[Mapping[str, Array], Float[Array, "b h w"]]:
    """Classify what stage 2 needs: features to decode, and the maps that seeds are drawn from.

    Args:
      frozen: the fixed classifiers.
      batch: see `Batch`.
      views: the windows' frames in the sample's crop, uint8 `[b, t, h, w, 3]`.
      geometry: of each sample.
      target: position of the target frame on the t axis.
      whole_window: whether all frames are decoded, not the target alone.
      config, model: the run's.

    Returns:
      Encoder features of the targets' crops (whole_window: of all crops, `b * t` of them), and the
      maps of the labelled frames in the same crops, 0..1 `[f, h, w]`: f is b, or b * t where all
      frames are labelled.
    """
    crop = config.dataset.crop

    def classify(variables: Variables, normalised: Array) -> ClassifierOutput:
        return cast(ClassifierOutput, model.apply(variables, normalised, method="classify"))

    def features_of_views() -> Mapping[str, Array]:
        decoded = views.reshape(-1, *views.shape[2:]) if whole_window else views[:, target]
        return classify(frozen.encoder, model.normalise(decoded)).features

    b, t = batch["valid"].shape
    if config.tcam.window.labelled == "all":
        geometry = jax.tree.map(lambda x: x.repeat(t), geometry)
    if config.tcam.seed_source == "boxes":
        return features_of_views(), _box_maps(batch["boxes"], geometry, config)
    in_crops = partial(_in_crops, batch=batch, geometry=geometry, target=target, config=config)
    if config.tcam.seed_source == "files":
        return features_of_views(), in_crops(batch["seed_maps"], from_crop=False)

    from_crop = config.tcam.seed_view == "crop"
    match config.tcam.seed_view:
        case "crop":
            shown = views
        case "source":
            shown = batch["sources"]
        case _:
            shown = shrink_frames(batch["frames"], crop)
    seen = model.normalise(shown)
    seen = seen.reshape(b * t, *seen.shape[2:])
    seed_variables = frozen.encoder if frozen.seeds is None else frozen.seeds
    output = classify(seed_variables, seen)
    cams = class_activation_maps(
        model, seed_variables, seen, output, batch["label"].repeat(t), config.tcam.cam_method
    )
    if (displaced := frozen.displaced) is not None:
        cams = jax.vmap(lambda cam: undo(cam, displaced))(cams)
    maps = in_crops(cams.reshape(b, t, *cams.shape[1:]), from_crop=from_crop)

    if not from_crop or frozen.seeds is not None:
        return features_of_views(), maps
    if whole_window:  # these frames have already been through
        return output.features, maps
    features = {
        name: stage.reshape(b, t, *stage.shape[1:])[:, target]
        for name, stage in output.features.items()
    }
    return features, maps


def _in_crops(
    maps: Float[Array, "b t y x"],
    batch: Batch,
    geometry: Geometry,
    target: int,
    from_crop: bool,
    config: ConfigDict,
) -> Float[Array, "f h w"]:
    """Pool maps over their windows and bring those of the labelled frames into the crops.

    `geometry`: of each labelled frame. `from_crop`: the maps are of the crops already.
    """
    crop, resize = config.dataset.crop, config.dataset.resize
    size = crop if from_crop else resize
    if "flow" in batch:
        flow = batch["flow"]
        if from_crop:
            flow = jax.vmap(lambda window, g: _flow_in_crop(window, g, config))(flow, geometry)
        pooled = jax.vmap(partial(_aligned, size=size, config=config))(maps, flow, batch["valid"])
    else:
        pooled = _labelled(maps, batch["valid"], target, config)
        pooled = jax.vmap(lambda cam: resize_map(cam, size))(pooled)
    into_crop = jax.vmap(lambda cam, g: transform(cam, g, crop))
    if not from_crop:
        pooled = into_crop(pooled, geometry)
    if (share := config.tcam.seeds.motion) == 0:
        return pooled
    motion = batch["motion"].reshape(-1, *batch["motion"].shape[2:])
    moving = into_crop(jax.vmap(lambda places: resize_map(places, resize))(motion), geometry)
    return jax.vmap(lambda cam, places: with_motion(cam, places, share))(pooled, moving)


def _labelled(
    maps: Float[Array, "b t y x"], valid: Bool[Array, "b t"], target: int, config: ConfigDict
) -> Float[Array, "f y x"]:
    """Return the maps of the labelled frames, pooled over their windows or each frame's own."""
    window = config.tcam.window
    b, t, *place = maps.shape
    if window.labelled == "all" and not window.cam_tmp:
        return maps.reshape(b * t, *place)
    if not window.cam_tmp:
        valid = jnp.broadcast_to(jnp.arange(t) == target, valid.shape)
    pooled = jax.vmap(lambda cams, there: pool(cams, there, window.pooling))(maps, valid)
    return pooled.repeat(t, axis=0) if window.labelled == "all" else pooled


def _aligned(
    maps: Float[Array, "t y x"],
    flow: Float[Array, "t g1 g2 2"],
    valid: Bool[Array, " t"],
    size: int,
    config: ConfigDict,
) -> Float[Array, "size size"]:
    """Pool a window's maps where the target frame shows what they show."""
    flow = jax.image.resize(flow, (len(flow), size, size, 2), "linear", antialias=False)
    moved, there = jax.vmap(moved_along)(maps, flow)
    return pool(moved, there & valid[:, None, None], config.tcam.window.pooling)


def _flow_in_crop(
    flow: Float[Array, "t g g 2"], geometry: Geometry, config: ConfigDict
) -> Float[Array, "t h w 2"]:
    """Return the flow of a window's frames as one of its crops, in shares of the crop's sides."""
    crop, resize = config.dataset.crop, config.dataset.resize
    flow = jax.image.resize(flow, (len(flow), resize, resize, 2), "linear", antialias=False)
    cropped = jax.vmap(lambda frame: transform(frame, geometry, crop))(flow) * (resize / crop)
    mirrored = jnp.where(geometry.flip, jnp.array([1, -1]), 1)
    return cropped * mirrored


def _box_maps(boxes: Array, geometry: Geometry, config: ConfigDict) -> Float[Array, "b h w"]:
    """Return maps that are 1 inside a true box and 0 outside (the oracle's seeds)."""
    centres = (jnp.arange(config.dataset.resize) + 0.5) / config.dataset.resize

    def one(box: Array, g: Geometry) -> Array:
        across = (centres >= box[0]) & (centres <= box[2])
        down = (centres >= box[1]) & (centres <= box[3])
        inside = (down[:, None] & across[None, :]).astype(jnp.float32)
        return transform(inside, g, config.dataset.crop)

    return jax.vmap(one)(boxes, geometry)
