"""F-CAM (WACV 2022) over any dataset config; the argument is CONFIG or CONFIG/ARGUMENT.

    tcam train --config=configs/recipes/fcam.py:video_folder/NAME --workdir=runs/fcam

Frames on their own; seeds from the eroded region of a LayerCAM. docs/recipes/fcam.md
"""

from ml_collections import ConfigDict

from configs.recipes import recipe_over


def get_config(base: str = "moving_photos") -> ConfigDict:
    return recipe_over("fcam", base)
