"""How good the seeds of a run are, before stage 2: python -m launch.benchmark_seeds --workdir=RUN.

By how many frames' CAMs are pooled, how, along the optical flow or not, and by how much motion
counts. The run's classifier is looked at on --dataset_config, the same training frames with true
boxes: train_boxes of moving_shapes and moving_photos. Ten minutes on two cores.
"""

import json
from pathlib import Path

from absl import flags

from tcam_jax.benchmark.about import about
from tcam_jax.benchmark.seed_quality import OVER_TIME, WITH_MOTION, seed_quality
from tcam_jax.commands import command_line
from tcam_jax.config.record import load_config
from tcam_jax.data.builders.registry import prepared_folder
from tcam_jax.runtime import devices
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import write_whole
from tcam_jax.runtime.interruption import Interruption

_WORKDIR = command_line.define_path("workdir", "folder of a run whose classifier is trained")
_OUTPUT = command_line.define_path("output", "where to write the figures, JSON")
_CONFIG = flags.DEFINE_string("dataset_config", "train_boxes", "of the dataset, with true boxes")
_STEPS = flags.DEFINE_integer("steps", 20, "batches of stage 2 that are looked at", lower_bound=1)


def main() -> None:
    """Measure, print and write."""
    command_line.check_output(_OUTPUT.value)
    workdir = Path(_WORKDIR.value)
    config = load_config(workdir)
    name, config.dataset.config = config.dataset.name, _CONFIG.value
    if not prepared_folder(config.dataset.data_dir, name, _CONFIG.value):
        raise InputError(
            f"{name} has no prepared configuration {_CONFIG.value!r}; --dataset_config must be one "
            "whose training frames have true boxes, such as train_boxes of moving_photos."
        )
    with Interruption() as stop:
        devices.prepare(config)
        rows = seed_quality(config, workdir, OVER_TIME | WITH_MOTION, _STEPS.value, stop)
    print("| seed maps | CorLoc | foreground right | background right | recall |")
    print("| --- | --- | --- | --- | --- |")
    for title, row in rows.items():
        print(f"| {title} | " + " | ".join(f"{value:.1f}" for value in row.values()) + " |")
    if _OUTPUT.value:
        windows = _STEPS.value * config.tcam.batch_size
        figures = {**about(), "windows": windows, "rows": rows}
        write_whole(Path(_OUTPUT.value), json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    command_line.run(main, required=["workdir"])
