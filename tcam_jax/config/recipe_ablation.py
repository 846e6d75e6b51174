"""The table "recipes": every method of the family over one dataset and encoder, side by side."""

from ml_collections import ConfigDict

from tcam_jax.config.ablation import Ablation, Variant
from tcam_jax.config.recipes import RECIPES, overrides, use_recipe
from tcam_jax.runtime.errors import InputError

LAYERCAM = 65.6
"""Its published CorLoc, as of `PUBLISHED`."""

PUBLISHED = {"fcam": 70.0, "tcam": 73.0, "colo_cam": 82.1, "trcam_v": 84.8}
"""Mean CorLoc on YouTube-Objects v1.0, percent: TCAM's Table 1, CoLo-CAM's and TrCAM-V's own."""

_TITLES = {"fcam": "F-CAM", "tcam": "TCAM", "colo_cam": "CoLo-CAM", "trcam_v": "TrCAM-V"}
_NO_WEIGHTS = (
    "TrCAM-V is left out: the transformer that it leaves as it is must have weights, "
    "--config.model.encoder=deit_small_patch16 --config.model.pretrained=FILE."
)
_OWN_SEEDS = (
    "TrCAM-V's seeds are of the transformer's own CAMs, the published ones of CLIP's: "
    "--config.tcam.seed_source=files --config.tcam.seed_dir=MAPS, which no other row takes."
)


def recipes(config: ConfigDict) -> Ablation:
    """Return a row for LayerCAM, of TCAM's run, and one for each of `RECIPES`.

    TrCAM-V, which trains no encoder, has one where there are weights.

    Raises:
      InputError: the config asks for seeds from files, which TrCAM-V alone takes, and lacks its
        weights.
    """
    trcam_v = use_recipe(config, "trcam_v")
    has_weights = trcam_v.model.pretrained != ""
    if config.tcam.seed_source == "files" and not has_weights:
        raise InputError(
            f"config.tcam.seed_dir={config.tcam.seed_dir}: of the recipes TrCAM-V alone takes "
            "its seeds from files, and it must have weights: "
            "--config.model.encoder=deit_small_patch16 --config.model.pretrained=FILE."
        )
    note = "" if trcam_v.tcam.seed_source == "files" else _OWN_SEEDS
    rows = {
        name: Variant(
            f"recipe_{name}",
            _TITLES.get(name, name),
            overrides(config, name),
            PUBLISHED.get(name),
        )
        for name in RECIPES
        if name != "trcam_v" or has_weights
    }
    layercam = rows["tcam"]._replace(title="LayerCAM", published=LAYERCAM, method="layercam")
    return Ablation(
        "recipes",
        "Recipes",
        (layercam, *rows.values()),
        note=note if has_weights else _NO_WEIGHTS,
        baseline=rows["tcam"].run,
    )
