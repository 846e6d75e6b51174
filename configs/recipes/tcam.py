"""TCAM (WACV 2023) over any dataset config; the argument is CONFIG or CONFIG/ARGUMENT.

    tcam train --config=configs/recipes/tcam.py:video_folder/NAME --workdir=runs/tcam

CAMs of two neighbouring frames, max-pooled, one seed of each kind: docs/recipes/tcam.md
"""

from ml_collections import ConfigDict

from configs.recipes import recipe_over


def get_config(base: str = "moving_photos") -> ConfigDict:
    return recipe_over("tcam", base)
