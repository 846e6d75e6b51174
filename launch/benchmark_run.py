"""Where every second of a run goes: python -m launch.benchmark_run [--output=FOLDER].

Both stages of configs/youtube_objects.py and the evaluation, on a generated dataset of the real
counts and sizes. On a CPU a small network stands in, so that the figures are of what is around the
steps; --null_step takes the steps away altogether, --step_ms=20 puts an accelerator's in their
place. The dataset takes up to 2.5 GB and some minutes; --data_dir keeps it for the next time.

    python -m launch.benchmark_run --null_step                       # v1.0_train256
    python -m launch.benchmark_run --config=configs/youtube_objects.py:v2.2_train256 --step_ms=20
    python -m launch.benchmark_run --network=full --config=configs/youtube_objects.py \\
        --config.precision=bfloat16                                  # an accelerator
"""

import os
import tempfile
import time
from pathlib import Path

from absl import flags

from configs import youtube_objects
from tcam_jax.benchmark.about import about
from tcam_jax.commands import command_line, config_flag
from tcam_jax.runtime.cores import usable_cores
from tcam_jax.runtime.errors import InputError

_CONFIG = config_flag.define_config()
_EPOCHS = flags.DEFINE_integer("epochs", 3, "of each stage; one tells no rate", lower_bound=1)
_NULL_STEP = flags.DEFINE_boolean("null_step", False, "steps that return at once, training nothing")
_STEP_MS = flags.DEFINE_float(
    "step_ms", None, "steps that train nothing in so many milliseconds", lower_bound=0
)
_NETWORK = flags.DEFINE_enum(
    "network", None, ["full", "small"], "the config's or a stand-in; small by default on a CPU"
)
_EVALUATION = flags.DEFINE_boolean("evaluation", True, "evaluate on the test split at the end")
_DATA_DIR = command_line.define_path("data_dir", "where the generated dataset is kept")
_OUTPUT = command_line.define_path("output", "folder for run.json and run.md")


def main() -> None:
    """Generate, run, print and write."""
    config = _CONFIG.value or youtube_objects.get_config("v1.0_train256")
    if config.dataset.name != "youtube_objects":
        raise InputError(
            "--config must be configs/youtube_objects.py, of whose dataset the counts are known; "
            f"this one names {config.dataset.name!r}."
        )
    if _NULL_STEP.value and _STEP_MS.value:
        raise InputError("--null_step takes no time: give it, or --step_ms.")
    step_ms = 0.0 if _NULL_STEP.value else _STEP_MS.value
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(_DATA_DIR.value or folder)
        generating = time.monotonic()
        _prepare(config, data_dir)
        # The dataset is there before a run begins.
        began = _process_start() + time.monotonic() - generating
        figures = {
            **about(),
            "cores": usable_cores(),
            "dataset": config.dataset.config,
            "step": _step_in_words(step_ms),
            "epochs": _EPOCHS.value,
            **_measure(config, Path(folder) / "run", began, step_ms),
        }
    # Imported where it is used: it loads what a run needs.
    from tcam_jax.benchmark import run_tables

    print(run_tables.to_tables(figures))
    if _OUTPUT.value:
        run_tables.write(figures, Path(_OUTPUT.value))


def _prepare(config, data_dir: Path) -> None:
    from tcam_jax.benchmark import generated_objects

    name = config.dataset.config
    generated_objects.prepared(data_dir, name, generated_objects.published_counts(name))
    config.dataset.data_dir = str(data_dir.absolute())


def _measure(config, workdir: Path, began: float, step_ms: float | None) -> dict:
    # Imports and devices are a run's first seconds: they are where they are needed.
    import jax

    from tcam_jax.benchmark import run_time, small_network
    from tcam_jax.runtime import devices

    network = _NETWORK.value or ("small" if jax.default_backend() == "cpu" else "full")
    if network == "small":
        small_network.scale_down(config)
    devices.prepare(config)
    measured = run_time.measure(config, _EPOCHS.value, workdir, began, step_ms, _EVALUATION.value)
    return {"network": network, **measured}


def _step_in_words(step_ms: float | None) -> str:
    if step_ms is None:
        return "real steps"
    return f"steps that wait {step_ms:g} ms" if step_ms else "null steps"


def _process_start() -> float:
    """Return when this process began, by `time.monotonic`; where the system does not say, now."""
    if not Path("/proc/self/stat").exists():
        return time.monotonic()
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    since_boot = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.monotonic() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot)


if __name__ == "__main__":
    command_line.run(main)
