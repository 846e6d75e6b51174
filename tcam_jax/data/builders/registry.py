"""The datasets by name, and their preparation. Importing this module imports no TensorFlow."""

import difflib
import importlib
import inspect
import json
import sys
from pathlib import Path
from typing import Any

from tcam_jax.errors import InputError

# Each module has one function `make_builder(config, *, data_dir, manual_dir, **options)`.
BUILDERS = {
    "moving_shapes": "tcam_jax.data.builders.moving_shapes",
    "video_folder": "tcam_jax.data.builders.video_folder",
}


def check_name(name: str) -> None:
    """Raises InputError, listing the known datasets, unless `name` is one of them."""
    if name not in BUILDERS:
        near = difflib.get_close_matches(name, BUILDERS, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise InputError(f"unknown dataset {name!r}{hint}; known datasets: {', '.join(BUILDERS)}")


def prepare(
    name: str,
    config: str,
    data_dir: str | Path,
    manual_dir: str | Path | None = None,
    **options: Any,
) -> Path:
    """Writes a dataset's records and shot table, unless they are there already.

    The dataset appears whole or not at all: it is written to a temporary folder and renamed.

    Args:
        name: a key of `BUILDERS`.
        config: one of the dataset's configurations; for `video_folder`, any name the user chooses.
        data_dir: where prepared datasets live.
        manual_dir: the user's own source files, for datasets that need them.
        **options: further arguments of the dataset's `make_builder`, e.g. `split_by`.

    Returns:
        The dataset's folder, `data_dir/name/config/version`.

    Raises:
        InputError: an unknown name, configuration or option, unusable source files, or a dataset
            of this name that was prepared from other files or with other options.
    """
    check_name(name)
    import tensorflow_datasets as tfds

    module = importlib.import_module(BUILDERS[name])
    known = list(inspect.signature(module.make_builder).parameters)[3:]
    for option in options:
        if option not in known:
            raise InputError(
                f"{name} has no option {option!r}; config.dataset.options may hold "
                f"{', '.join(known) or 'nothing'}"
            )
    builder = module.make_builder(config, data_dir=data_dir, manual_dir=manual_dir, **options)
    folder = Path(builder.data_dir)
    if folder.exists():
        _check_same(folder, builder.origin())
        return folder
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    # No look-up on the network: all datasets here are made from local files.
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(try_download_gcs=False)
    )
    return folder


def _check_same(folder: Path, wanted: dict[str, Any]) -> None:
    """A finished dataset must not stand in for one made from something else."""
    origin = folder / "origin.json"
    if not origin.exists():
        raise InputError(f"{folder} is no complete dataset (it has no origin.json); delete it")
    made = json.loads(origin.read_text())
    for key, value in json.loads(json.dumps(wanted)).items():
        if made.get(key) != value:
            raise InputError(
                f"{folder} was prepared with {key}={made.get(key)!r}, but {key}={value!r} is "
                "wanted; choose another name for the dataset's configuration or delete the folder"
            )
