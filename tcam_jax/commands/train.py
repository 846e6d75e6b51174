"""Train both stages and evaluate: tcam train --config=configs/demo.py --workdir=DIR.

A run that was stopped goes on where it was; a finished one only evaluates, or goes on where its
stages are to be longer. --dry_run checks everything, says how long training would be, and writes
nothing. SIGTERM, SIGINT and SIGHUP save and end with status 75. --distributed: one of several
processes, see docs/distributed.md.
"""

from pathlib import Path

from absl import flags

from tcam_jax.commands import command_line, config_flag
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.interruption import Interruption

_CONFIG = config_flag.define_config()
_WORKDIR = command_line.define_path("workdir", "folder of the run")
_DISTRIBUTED = flags.DEFINE_bool("distributed", False, "this process is one of several")
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "check, and say what would be trained")


def main() -> None:
    """Train, evaluate, print the table."""
    with Interruption() as stop:  # before the imports, which take seconds
        from tcam_jax.report.results_tables import results_table
        from tcam_jax.runs.experiment import dry_run, train_and_evaluate
        from tcam_jax.runtime import devices, processes
        from tcam_jax.runtime.log import log_to_terminal
        from tcam_jax.runtime.terminal import say

        devices.prepare(_CONFIG.value, _DISTRIBUTED.value)
        if _DRY_RUN.value:
            log_to_terminal(quiet=not processes.is_first())
            dry_run(_CONFIG.value, workdir=_WORKDIR.value and Path(_WORKDIR.value))
            return
        if _WORKDIR.value is None:
            raise InputError("--workdir must be the folder of the run, or give --dry_run.")
        workdir = Path(_WORKDIR.value)
        results = train_and_evaluate(_CONFIG.value, workdir, stop)
        if processes.is_first():
            say(*results_table(results, _CONFIG.value).split("\n"))
            say(f"results: {workdir / 'results.json'}")


def run() -> None:
    """Run the command with the flags of the command line."""
    command_line.run(main, required=["config"], one_of_several=lambda: _DISTRIBUTED.value)
