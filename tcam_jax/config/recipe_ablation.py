"""The table "recipes": every method of the family over one dataset and encoder, side by side."""

from ml_collections import ConfigDict

from tcam_jax.config.ablation import Ablation, Variant
from tcam_jax.config.recipes import RECIPES, overrides

LAYERCAM = 65.6
"""Its published CorLoc, as of `PUBLISHED`."""

PUBLISHED = {"fcam": 70.0, "tcam": 73.0, "colo_cam": 82.1, "trcam_v": 84.8}
"""Mean CorLoc on YouTube-Objects v1.0, percent: TCAM's Table 1, CoLo-CAM's and TrCAM-V's own."""

_TITLES = {"fcam": "F-CAM", "tcam": "TCAM", "colo_cam": "CoLo-CAM", "trcam_v": "TrCAM-V"}


def recipes(config: ConfigDict) -> Ablation:
    """Return a row for LayerCAM, of TCAM's run, and one for each of `RECIPES`."""
    rows = {
        name: Variant(
            f"recipe_{name}",
            _TITLES.get(name, name),
            overrides(config, name),
            PUBLISHED.get(name),
        )
        for name in RECIPES
    }
    layercam = rows["tcam"]._replace(title="LayerCAM", published=LAYERCAM, method="layercam")
    return Ablation("recipes", "Recipes", (layercam, *rows.values()), baseline=rows["tcam"].run)
