"""Evaluate a trained run: tcam evaluate --workdir=DIR --split=test."""

from pathlib import Path

from absl import flags

from tcam_jax.commands import command_line
from tcam_jax.config.record import load_config
from tcam_jax.report.results_tables import results_table
from tcam_jax.runs.evaluate import evaluate_run

_WORKDIR = flags.DEFINE_string("workdir", None, "folder of a trained run")
_SPLIT = flags.DEFINE_enum("split", "test", ["validation", "test"], "what to evaluate on")


def main() -> None:
    """Write results.json and predictions.jsonl, print the table."""
    workdir = Path(_WORKDIR.value)
    results = evaluate_run(workdir, _SPLIT.value)
    print(results_table(results, load_config(workdir)))
    print(f"results: {workdir / 'results.json'}")


def run() -> None:
    """Run the command with the flags of the command line."""
    command_line.run(main, required=["workdir"])
