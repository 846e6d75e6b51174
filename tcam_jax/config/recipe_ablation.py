"""The table "recipes": every method of the family over one dataset and encoder, side by side."""

from ml_collections import ConfigDict

from tcam_jax.config.ablation import Ablation, Variant
from tcam_jax.config.recipes import RECIPES, overrides, use_recipe

LAYERCAM = 65.6
"""Its published CorLoc, as of `PUBLISHED`."""

PUBLISHED = {"fcam": 70.0, "tcam": 73.0, "colo_cam": 82.1, "trcam_v": 84.8}
"""Mean CorLoc on YouTube-Objects v1.0, percent: TCAM's Table 1, CoLo-CAM's and TrCAM-V's own."""

_TITLES = {"fcam": "F-CAM", "tcam": "TCAM", "colo_cam": "CoLo-CAM", "trcam_v": "TrCAM-V"}
_NO_WEIGHTS = (
    "TrCAM-V is left out: the transformer that it leaves as it is must have weights, "
    "--config.model.encoder=deit_small_patch16 --config.model.pretrained=FILE."
)


def recipes(config: ConfigDict) -> Ablation:
    """Return a row for LayerCAM, of TCAM's run, and one for each of `RECIPES`.

    TrCAM-V, which trains no encoder, has one where there are weights.
    """
    has_weights = use_recipe(config, "trcam_v").model.pretrained != ""
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
        note="" if has_weights else _NO_WEIGHTS,
        baseline=rows["tcam"].run,
    )
