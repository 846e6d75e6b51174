"""Score the demo over seeds: python -m launch.score_demo --output=runs/scores [--seeds=0,1,2].

For every seed one classifier, and three TCAM stages on it: n = 1, n = 0 (no temporal pooling), and
seeds drawn from true boxes (what the decoder could reach with a perfect seed map). Prints the table
and writes scores.json. Finished runs are not run again.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from configs import demo
from launch import command
from launch.train import train_and_evaluate
from tcam_jax.data.builders import registry
from tcam_jax.evaluate.results import find_row

_OUTPUT = flags.DEFINE_string("output", None, "folder of the runs")
_SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "training seeds")

# Title, method, threshold and run of each row.
ROWS = (
    ("centre box", "centre_box", None, "n1"),
    ("whole frame", "whole_frame", None, "n1"),
    ("CAM, τ from validation", "cam", "val", "n1"),
    ("LayerCAM, τ from validation", "layercam", "val", "n1"),
    ("LayerCAM, τ maximised on test", "layercam", "test", "n1"),
    ("TCAM n=0, τ from validation", "tcam", "val", "n0"),
    ("TCAM n=1, τ from validation", "tcam", "val", "n1"),
    ("TCAM n=1, τ maximised on test", "tcam", "test", "n1"),
    ("seeds from true boxes, τ from validation", "tcam", "val", "boxes"),
)


def main() -> None:
    """Run what is missing, print the table."""
    output = Path(_OUTPUT.value)
    results = {}
    for seed in _SEEDS.value:
        for variant in ("n1", "n0", "boxes"):
            config = demo.get_config()
            config.seed = int(seed)
            if variant == "n0":
                config.tcam.window.n = 0
            elif variant == "boxes":
                config.dataset.config = "train_boxes"
                config.tcam.seed_source = "boxes"
            registry.prepare(config.dataset.name, config.dataset.config, config.dataset.data_dir)
            workdir = output / f"seed{seed}" / variant
            classifier = output / f"seed{seed}" / "n1" / "classifier"
            if variant != "n1" and not workdir.exists():
                copy = workdir.with_name("copy")
                shutil.rmtree(copy, ignore_errors=True)
                shutil.copytree(classifier, copy / "classifier")
                copy.rename(workdir)
            results[seed, variant] = train_and_evaluate(config, workdir)

    print("| CorLoc, mean over classes | " + " | ".join(f"seed {s}" for s in _SEEDS.value), end="")
    print(" | mean |\n" + "| --- " * (len(_SEEDS.value) + 2) + "|")
    scores = {}
    for title, method, threshold, variant in ROWS:
        scores[title] = [
            find_row(results[seed, variant], method, threshold)["corloc"] for seed in _SEEDS.value
        ]
    scores["classification accuracy"] = [
        _tcam_accuracy(results[seed, "n1"]) for seed in _SEEDS.value
    ]
    for title, values in scores.items():
        print(f"| {title} | " + " | ".join(f"{v:.1f}" for v in (*values, np.mean(values))) + " |")
    (output / "scores.json").write_text(json.dumps(scores, indent=2) + "\n")


def _tcam_accuracy(results: dict[str, Any]) -> float:
    (accuracy,) = (v for k, v in results["classification"].items() if k.startswith("tcam/"))
    return accuracy


if __name__ == "__main__":
    command.run(main, required=["output"])
