"""The datasets by name, and their preparation. Importing this module imports no TensorFlow."""

import difflib
import importlib
import inspect
import json
import logging
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from tcam_jax.data.builders.dataset_report import by_kind, findings_in_words, read_report
from tcam_jax.data.builders.findings import Findings, is_harmless
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.extras import require
from tcam_jax.runtime.json_files import read_json
from tcam_jax.runtime.terminal import one_line

_logger = logging.getLogger(__name__)

# Each module has one function `make_builder(config, *, data_dir, manual_dir, **options)`.
BUILDERS = {
    "moving_photos": "tcam_jax.data.builders.moving_photos.builder",
    "moving_shapes": "tcam_jax.data.builders.moving_shapes.builder",
    "video_folder": "tcam_jax.data.builders.video_folder.builder",
    "youtube_objects": "tcam_jax.data.builders.youtube_objects.builder",
}

# Packages of the extra `train` that preparation imports.
NEEDED = ("tensorflow", "tensorflow_datasets", "array_record", "scenedetect", "simplejpeg")

# Datasets made from files of the user's; once they are prepared, the files may go.
FROM_FILES = ("moving_photos", "video_folder", "youtube_objects")

# Where those prepared by an older version cannot be read as they are meant: up to 1.0.0,
# youtube_objects lacked the frames beside evaluated ones.
LEAST_VERSIONS = {"youtube_objects": "1.1.0"}


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
    *,
    strict: bool = False,
    **options: Any,
) -> Path:
    """Writes a dataset's records, shot table and report, unless they are there already.

    The dataset appears whole or not at all. An interrupted preparation goes on with the next shard.

    Args:
        name: a key of `BUILDERS`.
        config: one of the dataset's configurations; for `video_folder`, any name the user chooses.
            With the suffix `_train256` (or another number) training frames are stored as squares of
            that many pixels.
        data_dir: where prepared datasets live.
        manual_dir: the user's own source files, for datasets that need them; not needed for a
            dataset that is already prepared.
        strict: stop at the first fault instead of repairing or skipping; refuse a dataset that was
            prepared from a source with faults.
        **options: further arguments of the dataset's `make_builder`, e.g. `split_by`.

    Returns:
        The dataset's folder, `data_dir/name/config/version`.

    Raises:
        InputError: an unknown name, configuration or option, unusable source files, packages of
            the extra `train` that are not installed, or a dataset of this name that was prepared
            from other files or with other options.
    """
    module = _module(name, options)
    prepared = prepared_folder(data_dir, name, config)
    if prepared and not manual_dir and name in FROM_FILES and not strict:
        check_same(prepared, options)
        return prepared
    builder = module.make_builder(config, data_dir=data_dir, manual_dir=manual_dir, **options)
    folder = Path(builder.data_dir)
    if folder.exists():
        check_same(folder, builder.origin())
        if strict:
            _check_clean(folder, builder.published)
        return folder
    import tensorflow_datasets as tfds

    builder.strict = strict
    tfds.disable_progress_bar()  # shards have their own
    # No look-up on the network: all datasets here are made from local files.
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(try_download_gcs=False)
    )
    return folder


def _check_clean(folder: Path, published: frozenset[str]) -> None:
    """Raises InputError where the report of a finished dataset lists what strictness forbids."""
    report = read_report(folder)
    for kind, found in report["findings"].items():
        if not is_harmless(kind, published):
            raise InputError(
                f"{folder} was prepared without --strict, from a source with faults; the first: "
                f"{found['places'][0]['where']}: {found['meaning']}; mend the source and delete "
                "the folder, or go on without --strict"
            )


def validate(
    name: str,
    config: str,
    data_dir: str | Path,
    manual_dir: str | Path | None = None,
    *,
    strict: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Reads and decodes all source files as `prepare` does, but makes no dataset.

    Archives are unpacked and videos decoded under `data_dir`, where `prepare` finds them again.
    Where no dataset can be made, what was found before that is logged.

    Returns:
        The report, see `dataset_report.make_report`.

    Raises:
        InputError: as `prepare`.
    """
    module = _module(name, options)
    builder = module.make_builder(config, data_dir=data_dir, manual_dir=manual_dir, **options)
    findings = Findings(strict, builder.published)
    try:
        return builder.validate(findings)
    except InputError:
        for line in findings_in_words(by_kind(findings)):
            _logger.warning(one_line(line.strip()))
        raise


def _module(name: str, options: dict[str, Any]) -> ModuleType:
    """The dataset's module; raises InputError for an unknown dataset or option."""
    check_name(name)
    require("train", *NEEDED)
    module = importlib.import_module(BUILDERS[name])
    known = list(inspect.signature(module.make_builder).parameters)[3:]
    for option in options:
        if option not in known:
            raise InputError(
                f"{name} has no option {option!r}; config.dataset.options may hold "
                f"{', '.join(known) or 'nothing'}"
            )
    return module


def prepared_folder(data_dir: str | Path, name: str, config: str) -> Path | None:
    """Folder of the newest prepared version of a dataset that can be read, None: there is none."""
    parent = Path(data_dir) / name / config
    least = _numbers(LEAST_VERSIONS.get(name, "0.0.0"))
    prepared = [
        folder
        for folder in (parent.iterdir() if parent.is_dir() else ())
        # An interrupted preparation leaves other names behind, which are no versions.
        if re.fullmatch(r"\d+\.\d+\.\d+", folder.name)
        and _numbers(folder.name) >= least
        and (folder / "dataset_info.json").exists()
    ]
    return max(prepared, key=lambda folder: _numbers(folder.name), default=None)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def training_size(config: str) -> int | None:
    """Pixels of the square to which the configuration named `config` shrinks training frames.

    The dataset's name says it: "v1.0_train256". None: they stay as they are.
    """
    suffix = re.fullmatch(r".+_train([1-9][0-9]*)", config)
    return int(suffix[1]) if suffix else None


def check_same(folder: Path, wanted: dict[str, Any]) -> None:
    """Raises InputError where the dataset in `folder` was made otherwise than `wanted`.

    A finished dataset must not stand in for one made from something else. `wanted`: items of the
    builder's `origin()`, among them the dataset's options.
    """
    made = read_origin(folder)
    for key, value in json.loads(json.dumps(wanted)).items():
        if made.get(key) != value:
            raise InputError(
                f"{folder} was prepared with {key}={made.get(key)!r}, but {key}={value!r} is "
                "wanted; choose another configuration name or data_dir, or delete the folder"
            )


def read_origin(folder: Path) -> dict[str, Any]:
    """What the dataset in `folder` was made from; raises InputError where nothing says it."""
    origin = folder / "origin.json"
    if not origin.exists():
        raise InputError(f"{folder} is no complete dataset (it has no origin.json); delete it")
    advice = "The dataset cannot be trusted: delete the folder and prepare it again."
    made: dict[str, Any] = read_json(origin, dict[str, Any], advice)
    return made
