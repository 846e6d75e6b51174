"""Train variants of a config and compare them: tcam ablate --config=configs/demo.py --workdir=DIR.

Tables, each a list of changes to the config, over seeds: losses (the paper's Table 3), temporal
(Fig. 3), seeds (where they come from), bounds (seeds from true boxes), extra_losses, recipes (every
method of the family), search (what each knob of stage 2 is worth). One classifier a seed serves all
variants that would train the same. A sweep that was stopped goes on; finished runs are only read.
After every run the tables so far are written into the workdir: ablation.json, .csv, .md, and a
picture a table; at the end, or by `tcam report --workdir=DIR`, the page sweep.html.

--full: n = 0 to 10, all CAM methods, further losses, every table over every seed.
--split=validation: to choose by, without looking at the test split; files have it in their names.
"""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
from absl import flags
from ml_collections import ConfigDict

from tcam_jax.commands import command_line, config_flag
from tcam_jax.config.ablation import Ablation, RunKey, planned, with_methods
from tcam_jax.config.ablation_tables import TABLES, tables_of
from tcam_jax.config.continuation import LENGTHS
from tcam_jax.config.places import located
from tcam_jax.config.record import check_goes_on, load_config
from tcam_jax.config.rules import flatten, validate
from tcam_jax.data.builders.registry import prepare, prepared_folder
from tcam_jax.data.records import dataset_folder
from tcam_jax.evaluate.results import file_of_split
from tcam_jax.report.ablation import Summary, score_shown
from tcam_jax.report.ablation_plots import bars, temporal_range
from tcam_jax.report.ablation_scores import FinishedRun, read_run, summarise
from tcam_jax.report.ablation_tables import to_csv, to_markdown
from tcam_jax.report.sweep import sweep_page
from tcam_jax.runs.cost import measure_costs
from tcam_jax.runs.evaluate import evaluate_run
from tcam_jax.runs.experiment import check_runs, train_and_evaluate
from tcam_jax.runs.shared_classifier import share_classifier
from tcam_jax.runtime import devices
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import write_whole
from tcam_jax.runtime.interruption import Interruption
from tcam_jax.runtime.terminal import say
from tcam_jax.train.stage import is_finished
from tcam_jax.train.stages import TCAM_DIR

_CONFIG = config_flag.define_config()
_WORKDIR = command_line.define_path("workdir", "folder of the sweep")
_SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "training seeds")
_FULL = flags.DEFINE_bool("full", False, "every table in full, over every seed")
_TABLES = flags.DEFINE_list("tables", [], f"of {', '.join(TABLES)}; by default those of the paper")
_SPLIT = flags.DEFINE_enum("split", "test", ["validation", "test"], "what to score the runs on")


def ablate(
    config: ConfigDict,
    workdir: Path,
    tables: Sequence[Ablation],
    seeds: Sequence[int],
    stop: Interruption | None = None,
    split: str = "test",
) -> Summary:
    """Train what is missing, write the tables after each run; return them.

    Args:
      config: what the tables change.
      workdir: of the sweep.
      tables: see `config.ablation_tables.tables_of`.
      seeds: of the runs.
      stop: asked at safe points.
      split: on which the runs are scored; with "validation" the test split is not looked at.

    Raises:
      InputError: a variant does not fit the config, or a run cannot be started.
      Interrupted: `stop` was requested; the run under way is saved.
    """
    stop, tables = stop or Interruption(), [with_methods(table, config) for table in tables]
    runs = dict(planned(config, tables, seeds))
    if (workdir / "config.json").exists():
        raise InputError(f"--workdir={workdir} holds a run; a sweep needs a folder of its own.")
    for key, one in runs.items():  # what is wrong in the list should not surface after an hour
        _check(key, one)
    folders = {key: workdir / f"seed{key[1]}" / key[0] for key in runs}
    for key, folder in folders.items():
        check_goes_on(located(runs[key]), folder)
    finished = {  # a sweep that goes on starts with the tables it had
        key: read_run(folder, runs[key], split)
        for key, folder in folders.items()
        if is_finished(folder / TCAM_DIR)
        and (folder / file_of_split("results.json", split)).exists()
        and _is_as_long(folder, runs[key])
    }
    check_runs({key[0]: one for key, one in runs.items() if key not in finished}, split)
    start = time.monotonic()
    for number, (key, one) in enumerate(runs.items(), start=1):
        folder = folders[key]
        say(f"run {number} of {len(runs)}: {folder}")
        share_classifier(folder, one)
        train_and_evaluate(one, folder, stop, split=split)
        finished[key] = read_run(folder, one, split)
        if not finished[key].is_comparable:  # it was evaluated by a version of before
            evaluate_run(folder, split, data_dir=one.dataset.data_dir)
            finished[key] = read_run(folder, one, split)
        jax.clear_caches()  # no run uses another's programs
        summary = _write(tables, finished, workdir)
        minutes = (time.monotonic() - start) / 60
        say(f"run {number} of {len(runs)} is there, {minutes:.0f} min so far")
    if _measure(tables, runs, folders, seeds, stop):
        finished = {key: read_run(folders[key], runs[key], split) for key in runs}
        summary = _write(tables, finished, workdir)
    return summary


def _is_as_long(folder: Path, config: ConfigDict) -> bool:
    """Tell whether a run was trained as long as it is to be now: shorter ones are no row yet."""
    there, now = flatten(load_config(folder)), flatten(config)
    return all(there[field] == now[field] for fields in LENGTHS.values() for field in fields)


def _check(key: RunKey, config: ConfigDict) -> None:
    """Check a run's config and that its dataset is there, which is generated if it can be."""
    try:
        validate(config)
    except InputError as error:
        raise InputError(f"the run {key[0]} does not fit the config: {error}") from error
    dataset = config.dataset
    if dataset.name == "moving_shapes" and not prepared_folder(
        dataset.data_dir, dataset.name, dataset.config
    ):
        prepare(dataset.name, dataset.config, dataset.data_dir)
    dataset_folder(dataset.data_dir, dataset.name, dataset.config)


def _measure(
    tables: Sequence[Ablation],
    runs: Mapping[RunKey, ConfigDict],
    folders: Mapping[RunKey, Path],
    seeds: Sequence[int],
    stop: Interruption,
) -> bool:
    """Measure what the first seed's runs cost, where it is not known; tell whether any was."""
    methods: dict[str, list[str]] = {}
    for table in tables:
        for variant in table.variants:
            methods.setdefault(variant.run, []).append(variant.method)
    of_first = [(runs[key], folders[key], methods[key[0]]) for key in runs if key[1] == seeds[0]]
    return measure_costs(stop.between(of_first))


def _write(
    tables: Sequence[Ablation], finished: Mapping[RunKey, FinishedRun], workdir: Path
) -> Summary:
    summary = summarise(tables, finished)

    def path(name: str) -> Path:
        return workdir / file_of_split(name, summary["split"])

    write_whole(path("ablation.json"), json.dumps(summary, indent=1) + "\n")
    write_whole(path("ablation.csv"), to_csv(summary))
    write_whole(path("ablation.md"), to_markdown(summary) + "\n")
    for table in summary["tables"]:
        shown = score_shown(table["rows"])
        if any(row[shown]["mean"] is not None for row in table["rows"]):
            draw = temporal_range if table["name"] == "temporal" else bars
            draw(table, summary["dataset"], path(f"{table['name']}.png"))
    return summary


def main() -> None:
    """Run the sweep, print its tables."""
    if not all(seed.strip().isdecimal() for seed in _SEEDS.value) or not _SEEDS.value:
        raise InputError(
            f"--seeds must be whole numbers such as 0,1,2; got {','.join(_SEEDS.value)!r}"
        )
    seeds = list(dict.fromkeys(int(seed) for seed in _SEEDS.value))
    config, workdir = _CONFIG.value, Path(_WORKDIR.value)
    tables = tables_of(config, _FULL.value, [name.strip() for name in _TABLES.value])
    with Interruption() as stop:
        devices.prepare(config)
        summary = ablate(config, workdir, tables, seeds, stop, _SPLIT.value)
        page = workdir / file_of_split("sweep.html", summary["split"])
        write_whole(page, sweep_page(summary, workdir))
        say(*to_markdown(summary).split("\n"))
    say(f"tables and plots: {page}")


def run() -> None:
    """Run the command with the flags of the command line."""
    command_line.run(main, required=["config", "workdir"])
