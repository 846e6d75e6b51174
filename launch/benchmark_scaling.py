"""Compile both training steps for TPUs and H100s, without any: python -m launch.benchmark_scaling.

    pip install "jax[tpu]"                                     # libtpu; no TPU is needed
    pip install --no-deps jax-cuda12-{plugin,pjrt}==VERSION    # of jax; no GPU is needed
    python -m launch.benchmark_scaling --batch_per_device=32,2 --output=docs/scaling.json

Steps of configs/youtube_objects.py in bfloat16: what they hold in memory, compute and send, as
compiled; then the times that a model makes of that. What that is worth: docs/scaling.md. About a
minute and a half a program on two cores.
"""

import json
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import jax
from absl import flags

from configs import youtube_objects
from tcam_jax.benchmark import described, scaling
from tcam_jax.benchmark.step_time import CHIPS, EFFICIENCIES, step_time
from tcam_jax.benchmark.training import STAGES
from tcam_jax.commands import command_line
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import write_whole

_TOPOLOGIES = flags.DEFINE_list(
    "topologies",
    ["v4:2x2x4", "v5e:2x4", "h100:8"],
    "slices, by libtpu's names, and h100:N",
)
_BATCHES = flags.DEFINE_list("batch_per_device", ["32"], "samples a device; several with commas")
_OUTPUT = command_line.define_path("output", "where to write the figures, JSON")
# What a core prepares of frames stored at 256 x 256, measured by launch.benchmark_data.
_THROUGHPUT = Path(__file__).parents[1] / "docs/data_throughput.json"
_PER_CORE = {"classifier": "frames_per_s_per_core", "tcam": "windows_per_s_per_core"}
_COMPILED = ("hbm_bytes", "counted_flops", "moved_bytes", "all_reduce_bytes")
_MODELLED = ("compute_ms", "memory_ms", "transfer_ms", "latency_ms", "total_ms")


def main() -> None:
    """Compile, model, print and write."""
    command_line.check_output(_OUTPUT.value)
    batches = [_positive(text) for text in _BATCHES.value]
    jax.config.update("jax_platforms", "cpu")  # nothing runs: leave this machine's devices alone
    slices = {name: described.described_devices(name) for name in _TOPOLOGIES.value}
    config = youtube_objects.get_config()
    config.precision = "bfloat16"

    compiled = []
    _header("slice", "stage", "batch", *_COMPILED, "kernels", "all_reduces")
    for name, devices in slices.items():
        for stage in STAGES:
            for batch in batches:
                row = {"slice": name, "devices": len(devices), "stage": stage, "batch": batch}
                start = time.perf_counter()
                traced = scaling.trace_step(config, stage, devices, batch)
                options = described.COMPILER_OPTIONS.get(devices[0].platform)
                row |= scaling.figures(traced, options)
                row["compile_s"] = round(time.perf_counter() - start)
                compiled.append(row)
                print(_label(row), *(f"{row[k] / 1e9:.3f} G |" for k in _COMPILED), end=" ")
                print(row["kernels"], "|", row["all_reduces"], "|", flush=True)

    modelled = [line for row in compiled for line in _model(row)]
    print()
    _header("slice", "stage", "batch", "efficiency", *_MODELLED, "samples_per_s", "input_cores")
    for row in modelled:
        print(_label(row), row["efficiency"], "|", *(f"{row[k]:.1f} |" for k in _MODELLED), end=" ")
        print(f"{row['samples_per_s']:.0f} | {row['input_cores']:.1f} |")
    if _OUTPUT.value:
        packages = ("jax", "libtpu", "jax_cuda12_plugin", "jax_cuda13_plugin")
        versions = {name: version(name) for name in packages if find_spec(name)}
        figures = {"versions": versions, "compiled": compiled, "modelled": modelled}
        write_whole(Path(_OUTPUT.value), json.dumps(figures, indent=1) + "\n")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"--batch_per_device takes whole numbers from 1; got {text!r}")
    return int(text)


def _model(row: dict) -> list[dict]:
    """Return the row's times at each efficiency; none for a chip without published figures here."""
    chip = CHIPS.get(row["slice"].partition(":")[0])
    speeds = json.loads(_THROUGHPUT.read_text())["speed"]
    (stored,) = (speed["pipeline"] for speed in speeds if speed["size"] == "256x256")
    lines = []
    for efficiency in EFFICIENCIES if chip else ():
        times = step_time(chip, row["devices"], efficiency, row)
        samples = row["devices"] * row["batch"] / times.total
        lines.append(
            {name: row[name] for name in ("slice", "devices", "stage", "batch")}
            | {"efficiency": efficiency}
            | {f"{name}_ms": round(1e3 * value, 2) for name, value in times._asdict().items()}
            | {"samples_per_s": round(samples)}
            | {"input_cores": round(samples / stored[_PER_CORE[row["stage"]]], 1)}
        )
    return lines


def _header(*names: str) -> None:
    print("| " + " | ".join(names) + " |\n" + "| --- " * len(names) + "|")


def _label(row: dict) -> str:
    return f"| {row['slice']} ({row['devices']}) | {row['stage']} | {row['batch']} |"


if __name__ == "__main__":
    command_line.run(main)
