"""What a config's windows and seeds may be, and what has to fit them."""

import math

from ml_collections import ConfigDict

from tcam_jax.config.model_rules import reject
from tcam_jax.data.duration import duration_of
from tcam_jax.data.optical_flow import LEAST_SIDE
from tcam_jax.evaluate.maps import methods_of_maps, see_neighbours
from tcam_jax.pseudo_labels.otsu import MOST_PIXELS


def check_seeds(config: ConfigDict) -> None:
    """Check `tcam.window`, `tcam.seeds` and where seeds come from.

    Raises:
      InputError: see `rules.validate`.
    """
    if config.tcam.window.labelled == "all" and config.tcam.seed_source == "boxes":
        expected = 'cam or files with tcam.window.labelled="all": targets alone have true boxes'
        reject("tcam.seed_source", expected, "boxes")
    _check_sizes(config)
    window = config.tcam.window
    if window.align and not window.cam_tmp:
        reject("tcam.window.align", "False where window.cam_tmp=False: nothing is pooled", True)
    if window.align and config.tcam.seed_source == "boxes":
        reject("tcam.window.align", 'False with tcam.seed_source="boxes": no CAM is pooled', True)
    if window.pooling != "max" and not window.cam_tmp:
        expected = "max where window.cam_tmp=False: nothing is pooled"
        reject("tcam.window.pooling", expected, window.pooling)
    if window.align and window.labelled == "all":
        reject("tcam.window.align", 'False with window.labelled="all": maps go to the target', True)
    if not 0 <= config.tcam.seeds.motion <= 1:
        reject("tcam.seeds.motion", "0 to 1", config.tcam.seeds.motion)
    if config.tcam.seeds.motion and config.tcam.seed_source == "boxes":
        reject("tcam.seeds.motion", '0 with tcam.seed_source="boxes"', config.tcam.seeds.motion)
    from_files, folder = config.tcam.seed_source == "files", config.tcam.seed_dir
    if from_files != bool(folder):
        expected = "a folder of maps with" if from_files else "empty unless"
        reject("tcam.seed_dir", f'{expected} tcam.seed_source="files"', folder)
    if config.tcam.seeds.motion or window.align:
        _check_flow(config, "tcam.seeds.motion or tcam.window.align")
    _check_self_training(config)


def check_motion_map(config: ConfigDict) -> None:
    """Check that frames are large enough for the maps that look at neighbours.

    Raises:
      InputError: see `rules.validate`.
    """
    if see_neighbours(methods_of_maps(config)):
        _check_flow(config, "the map motion")


def _check_sizes(config: ConfigDict) -> None:
    crop = config.dataset.crop
    if crop * crop > MOST_PIXELS and duration_of(config.tcam) is not None:
        expected = f"at most {math.isqrt(MOST_PIXELS)} where stage 2 is trained"
        reject("dataset.crop", f"{expected}: Otsu's threshold takes no larger maps", crop)
    for field in ("fg_pixels", "bg_pixels"):
        if config.tcam.seeds[field] > crop * crop:
            expected = f"at most {crop * crop}, the pixels of a crop of {crop}"
            reject(f"tcam.seeds.{field}", expected, config.tcam.seeds[field])


def _check_flow(config: ConfigDict, because: str) -> None:
    if config.dataset.crop < LEAST_SIDE:
        expected = f"{LEAST_SIDE} or more with {because}: no flow is found in smaller frames"
        reject("dataset.crop", expected, config.dataset.crop)


def _check_self_training(config: ConfigDict) -> None:
    start = config.tcam.seeds.self_training_start
    if not 0 <= start <= 1:
        reject("tcam.seeds.self_training_start", "from 0 to 1, a share of the steps", start)
    if start == 1:
        return
    because = f"with tcam.seeds.self_training_start={start}"
    if not config.tcam.optimizer.ema > 0:
        expected = f"above 0, such as 0.99, {because}: that average makes the maps"
        reject("tcam.optimizer.ema", expected, config.tcam.optimizer.ema)
    if config.tcam.seed_source == "boxes":
        reject("tcam.seed_source", f"cam or files {because}", "boxes")
    if start == 0 and not config.model.pretrained:
        expected = "above 0 without model.pretrained: maps of a random decoder teach nothing"
        reject("tcam.seeds.self_training_start", expected, start)
