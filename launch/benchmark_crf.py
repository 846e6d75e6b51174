"""Measure the CRF kernel's evaluations: python -m launch.benchmark_crf [--output=docs/crf.json].

Errors against the exact kernel on seven photographs and three kinds of maps, and times, beside
pydensecrf's lattice where it is installed (`pip install pydensecrf2`). Two minutes on two cores.
"""

import json
from pathlib import Path

import jax
import numpy as np
from absl import flags

from tcam_jax.benchmark import crf_kernels
from tcam_jax.commands import command_line
from tcam_jax.runtime.cores import usable_cores
from tcam_jax.runtime.files import write_whole

_OUTPUT = command_line.define_path("output", "where to write the figures, JSON")
_ROUNDS = flags.DEFINE_integer("rounds", 7, "measurements of each way", lower_bound=1)
_BATCHES = flags.DEFINE_multi_integer("batch", [1, 8, 32], "images at a time", lower_bound=1)
_ERRORS = ("loss", "gradient", "logit_gradient")


def main() -> None:
    """Measure, print and write."""
    command_line.check_output(_OUTPUT.value)
    rows = crf_kernels.errors()
    print("| errors in %, mean / worst | map | " + " | ".join(_ERRORS) + " |")
    print("| --- " * (len(_ERRORS) + 2) + "|")
    for backend, accuracy in dict.fromkeys((r["backend"], r["accuracy"]) for r in rows):
        for kind in dict.fromkeys(row["map"] for row in rows):
            own = [
                row
                for row in rows
                if (row["backend"], row["accuracy"], row["map"]) == (backend, accuracy, kind)
            ]
            cells = [_cell([row[name] for row in own if name in row]) for name in _ERRORS]
            print(f"| {backend} {accuracy} | {kind} | " + " | ".join(cells) + " |")
    times = crf_kernels.speed(tuple(_BATCHES.value), _ROUNDS.value)
    print("\n| ms per image (÷ pydensecrf, 1 thread, with its set-up) | batch | |")
    print("| --- | --- | --- |")
    for row in times:
        ratio = f" ({row['ratio']:.2f})" if "ratio" in row else ""
        way = f"{row['backend']} {row['accuracy']}".strip()
        print(f"| {way} | {row['batch']} | {row['ms_per_image']:.1f}{ratio} |")
    if _OUTPUT.value:
        machine = {"cores": usable_cores(), "device": jax.devices()[0].device_kind}
        figures = {"machine": machine, "errors_percent": rows, "speed": times}
        write_whole(Path(_OUTPUT.value), json.dumps(figures, indent=1) + "\n")


def _cell(values: list[float]) -> str:
    return f"{np.mean(values):.2f} / {max(values):.2f}" if values else "–"


if __name__ == "__main__":
    command_line.run(main)
