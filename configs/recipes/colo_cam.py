"""CoLo-CAM (Pattern Recognition, 2025) over any dataset config; CONFIG or CONFIG/ARGUMENT.

    tcam train --config=configs/recipes/colo_cam.py:video_folder/NAME --workdir=runs/colo_cam

Seeds in every frame of a window, one colour model for them all. docs/recipes/colo_cam.md
"""

from ml_collections import ConfigDict

from configs.recipes import recipe_over


def get_config(base: str = "moving_photos") -> ConfigDict:
    return recipe_over("colo_cam", base)
