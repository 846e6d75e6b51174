"""One file = one method of the family, over any of the dataset configs beside this folder.

`configs/recipes/colo_cam.py:video_folder/NAME` is the method colo_cam over
`configs/video_folder.py:NAME`; what a method changes stands in `tcam_jax/config/recipes.py`.
"""

from importlib import import_module
from pathlib import Path

from ml_collections import ConfigDict

from tcam_jax.config.recipes import use_recipe
from tcam_jax.runtime.errors import InputError

_BASES = sorted(path.stem for path in Path(__file__).parent.parent.glob("[!_]*.py"))


def recipe_over(name: str, base: str) -> ConfigDict:
    """Return a recipe's config over a dataset's: `CONFIG` or `CONFIG/ARGUMENT`."""
    config, slash, argument = base.partition("/")
    if config not in _BASES:
        raise InputError(
            f"configs/recipes/{name}.py takes a dataset config of configs/ and its argument, such "
            f"as video_folder/NAME; there is {', '.join(_BASES)}, got {base!r}"
        )
    get_config = import_module(f"configs.{config}").get_config
    return use_recipe(get_config(argument) if slash else get_config(), name)
