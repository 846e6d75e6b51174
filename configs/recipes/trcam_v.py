"""TrCAM-V (ANNPR 2024) over any dataset config; the argument is CONFIG or CONFIG/ARGUMENT.

    tcam train --config=configs/recipes/trcam_v.py:video_folder/NAME --workdir=runs/trcam_v \\
        --config.model.pretrained=FILE --config.tcam.seed_source=files --config.tcam.seed_dir=MAPS

A frozen transformer of yours, seeds from your maps of CLIP or CLIPSeg: docs/recipes/trcam_v.md
"""

from ml_collections import ConfigDict

from configs.recipes import recipe_over


def get_config(base: str = "moving_photos") -> ConfigDict:
    return recipe_over("trcam_v", base)
