"""What won when parts were combined, over any dataset config; CONFIG or CONFIG/ARGUMENT.

    tcam train --config=configs/recipes/best.py:video_folder/NAME --workdir=runs/best

TCAM whose many seeds come from where the class is seen and something moves: docs/recipes/best.md
"""

from ml_collections import ConfigDict

from configs.recipes import recipe_over


def get_config(base: str = "moving_photos") -> ConfigDict:
    return recipe_over("best", base)
