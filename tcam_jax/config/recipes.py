"""The family's methods as changes of a config: what a method is, over any dataset and encoder.

A recipe says what is drawn, pooled and penalised. How long is trained, by which optimiser, on
frames of which size, the strength of the loss `crf` (2e-9 in all of the family's publications) and
whose boxes are compared are the dataset's config's, so that methods are compared with all else
alike; but for youtube_objects, where a method has a published training of its own.
"""

from collections.abc import Callable, Mapping

from ml_collections import ConfigDict

from tcam_jax.config.defaults import get_config
from tcam_jax.config.rules import flatten
from tcam_jax.losses.schedule import SCHEDULE
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.runtime.errors import InputError

Recipe = Callable[[ConfigDict], None]
"""Changes a config into the method."""

# Of a loss that a dataset's config may have switched on; `adaptive` belongs to the loss itself.
_OFF = {field: value for field, value in SCHEDULE.items() if field != "adaptive"}
_PUBLISHED_CROP = 224  # pixels; numbers of seeds are of frames of this size


def fcam(config: ConfigDict) -> None:
    """Belharbi et al., "F-CAM: Full Resolution Class Activation Maps …", WACV 2022."""
    _single_frames(config)
    config.tcam.seeds.rule = "fcam"
    config.tcam.losses.size.weight = 0.1


def tcam(config: ConfigDict) -> None:
    """Belharbi et al., "TCAM: Temporal Class Activation Maps …", WACV 2023."""
    _single_frames(config)
    config.tcam.window.n, config.tcam.window.cam_tmp = 1, True


def colo_cam(config: ConfigDict) -> None:
    """Belharbi et al., "CoLo-CAM …", Pattern Recognition 162:111358, 2025: its authors' command.

    On YouTube-Objects that includes how many epochs stage 2 trains, and on what of the shots.
    """
    _single_frames(config)
    config.tcam.window.n, config.tcam.window.labelled = 1, "all"
    config.tcam.seeds.rule, config.tcam.seeds.region = "colo_cam", "largest_box"
    share = (config.dataset.crop / _PUBLISHED_CROP) ** 2
    config.tcam.seeds.fg_pixels = config.tcam.seeds.bg_pixels = max(1, round(1000 * share))
    joint = _loss(config, "joint_color_crf")
    joint.weight, joint.adaptive, joint.sigma_rgb = 9.0, True, 15.0
    if config.dataset.name == "youtube_objects":
        config.dataset.middle_share = 0.6
        config.tcam.batch_size = 16  # 32 frames a step, which is windows of two
        if config.tcam.epochs:  # ten, and a learning rate that falls; other lengths are the user's
            config.tcam.epochs, config.tcam.optimizer.step_epochs = 10, 5


def trcam_v(config: ConfigDict) -> None:
    """Murtaza et al., "Leveraging Transformers for WSOL in Unconstrained Videos", ANNPR 2024.

    A transformer that the config has stays, with its weights; others, which have no class tokens,
    give way to DeiT-S, whose weights are for a flag to say. Seeds stay those of the config's files,
    if it has any: the published ones are CLIP's.
    """
    own_maps = config.tcam.seed_dir
    _single_frames(config)
    if own_maps:
        config.tcam.seed_source, config.tcam.seed_dir = "files", own_maps
    if ENCODERS[config.model.encoder]().class_tokens is None:
        config.model.encoder, config.model.pretrained = "deit_small_patch16", ""
        config.model.output_stride, config.model.encoder_options = None, ConfigDict()
    config.model.head, config.model.head_options = "class_tokens", ConfigDict()
    config.classifier.optimizer.multipliers = (("^encoder/", 0.0),)
    # Where there are no files, the transformer's own.
    config.tcam.cam_method, config.eval.cam_methods = "gradcam", ("gradcam", "rollout")
    config.tcam.losses.size.weight = 0.0


def best(config: ConfigDict) -> None:
    """What won on moving_photos and moving_shapes when parts were combined: docs/recipes/best.md.

    TCAM, but seeds come from where the class is seen and something moves, and there are many; and
    what moves counts in its maps too.
    """
    tcam(config)
    config.tcam.seeds.motion = 0.5
    config.tcam.seeds.rule = "paper"
    share = (config.dataset.crop / 160) ** 2  # chosen at 160 pixels
    config.tcam.seeds.fg_pixels = config.tcam.seeds.bg_pixels = max(1, round(64 * share))
    config.tcam.align_seeds = True
    config.eval.map = "motion"
    config.eval.other_maps = (*(x for x in config.eval.other_maps if x != "crf"), "crf")


RECIPES: dict[str, Recipe] = {
    "fcam": fcam,
    "tcam": tcam,
    "colo_cam": colo_cam,
    "trcam_v": trcam_v,
    "best": best,
}
"""By name; a user's own joins them."""


def use_recipe(config: ConfigDict, name: str) -> ConfigDict:
    """Return a copy of a dataset's config, changed into the method of one of `RECIPES`.

    Raises:
      InputError: there is no such recipe.
    """
    if name not in RECIPES:
        raise InputError(f"the recipe must be one of {', '.join(RECIPES)}; it is {name!r}.")
    changed = config.copy_and_resolve_references()
    RECIPES[name](changed)
    return changed


def overrides(config: ConfigDict, name: str) -> Mapping[str, object]:
    """Return what the recipe changes of a config, {dotted field: value}.

    Raises:
      InputError: it takes fields out, as of options of another encoder, or has losses that the
        config lacks: no value of a field can say it.
    """
    before, after = flatten(config), flatten(use_recipe(config, name))
    for what, fields in (
        ("takes out", before.keys() - after.keys()),
        ("adds", after.keys() - before.keys()),
    ):
        if fields:
            raise InputError(
                f"the recipe {name} cannot be written as values of fields: it {what} "
                f"{', '.join(sorted(fields))}. Begin with a config without or with them, or call "
                "use_recipe."
            )
    return {field: value for field, value in after.items() if before[field] != value}


def _loss(config: ConfigDict, name: str) -> ConfigDict:
    """Return a loss's settings, the defaults' where the config has its own losses without it."""
    losses = config.tcam.losses
    if name not in losses:
        losses[name] = get_config().tcam.losses[name]
    return losses[name]


def _single_frames(config: ConfigDict) -> None:
    """What the whole family has in common, whatever the dataset's config has."""
    section = config.tcam
    section.window.n, section.window.mode, section.window.sampling = 0, "before", "adjacent"
    section.window.cam_tmp, section.window.labelled = False, "target"
    section.window.pooling, section.window.align, section.seeds.motion = "max", False, 0.0
    section.cam_method, section.seed_source, section.align_seeds = "layercam", "cam", False
    section.seeds.rule, section.seeds.region, section.seeds.box = "reference", "all", "tight"
    section.seeds.fg_pixels = section.seeds.bg_pixels = 1
    section.seeds.self_training_start = 1.0
    section.seed_dir = ""
    for name, loss in section.losses.items():
        if name != "crf":
            loss.update({field: value for field, value in _OFF.items() if field in loss})
    _loss(config, "partial_ce").weight = 1.0
    _loss(config, "size").weight = 0.01
    if section.cam_method not in config.eval.cam_methods:
        config.eval.cam_methods = (*config.eval.cam_methods, section.cam_method)
