"""The fields of a config that are places: `~` is the home, and a run keeps them whole.

A run is then used from any folder. Runs of earlier versions kept a relative `dataset.data_dir` as
it was given: it is looked for from where one stands, then from the workdir and each folder above.
"""

import os
from pathlib import Path

from ml_collections import ConfigDict

from tcam_jax.config.rules import check_complete
from tcam_jax.data.builders.registry import prepared_folder
from tcam_jax.models.weights.published import PUBLISHED

_FIELDS = {
    "dataset": ("data_dir", "manual_dir"),
    "model": ("pretrained",),
    "tcam": ("seed_dir",),
}


def locate(config: ConfigDict) -> ConfigDict:
    """Make the places in `config` absolute, from where one stands; return `config`."""
    for section, fields in _FIELDS.items():
        for field in fields:
            place = config[section][field]
            # Neither the names of weights are places, nor addresses, which have their own root.
            if place and place not in PUBLISHED and "://" not in place:
                config[section][field] = os.path.abspath(os.path.expanduser(place))
    # A dataset keeps how it was prepared, and is compared with that as it is.
    options = config.dataset.options
    if "splits_dir" in options:
        options.splits_dir = os.path.expanduser(options.splits_dir)
    return config


def located(config: ConfigDict) -> ConfigDict:
    """Return a copy of `config` whose places are absolute.

    Raises:
      InputError: it is no config, see `rules.check_complete`.
    """
    check_complete(config)
    return locate(config.copy_and_resolve_references())


def locate_recorded(config: ConfigDict, workdir: Path) -> ConfigDict:
    """Make the places in the config that `workdir` holds absolute; return it."""
    dataset = config.dataset
    given = Path(dataset.data_dir)
    if not given.is_absolute() and dataset.name:
        for folder in (Path(), *(workdir.absolute() / "_").parents):
            if prepared_folder(folder / given, dataset.name, dataset.config):
                dataset.data_dir = str(folder / given)
                break
    return locate(config)
