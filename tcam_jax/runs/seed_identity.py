"""Which seed maps of a user's a run is trained on: recorded, and compared whenever it goes on."""

from pathlib import Path
from typing import TypedDict

from ml_collections import ConfigDict

from tcam_jax.data.background import localised
from tcam_jax.data.dataset import Dataset
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import write_whole
from tcam_jax.runtime.json_files import read_json
from tcam_jax.train.stages import TCAM_DIR

FILE_NAME = "seed_files.json"


class _Recorded(TypedDict):
    digest: str


def record_seed_files(config: ConfigDict, workdir: Path, data: Dataset) -> None:
    """Record in `workdir` which maps are in `tcam.seed_dir`, or compare them with those recorded.

    The folder may change, what is in it may not once stage 2 has begun. Maps of frames spread over
    the training split are read; nothing is done where seeds come from elsewhere.

    Raises:
      InputError: stage 2 was trained on other maps; or a map, or the record, cannot be read.
    """
    if config.tcam.seed_source != "files":
        return
    path = workdir / FILE_NAME
    now = localised(config, data).seed_files_digest(config.tcam.seed_dir)
    if path.exists() and (workdir / TCAM_DIR).exists():
        there = read_json(path, _Recorded, "Put back a copy of it, or use another workdir.")
        if there["digest"] != now:
            raise InputError(
                f"{workdir} was trained on other seed maps than those in {config.tcam.seed_dir}. "
                "Use the maps as they were to go on with that run, or another workdir."
            )
    else:
        write_whole(path, f'{{"digest": "{now}"}}\n')
