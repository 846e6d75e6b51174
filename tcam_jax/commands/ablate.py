"""Reproduce the paper's ablations: tcam ablate --config=configs/demo.py --workdir=DIR.

Trains the variants of tcam_jax/config/paper_ablations.py over seeds: the loss table (Table 3), the
temporal range (Fig. 3), where seeds come from. One classifier a seed serves all its variants. A
sweep that was stopped goes on; finished runs are only read. After every run the tables so far are
written into the workdir: ablation.json, .csv, .md, losses.png, temporal.png.

--full: n = 0 to 10, all CAM methods, further losses, every table over every seed.
"""

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
from absl import flags
from ml_collections import ConfigDict

from tcam_jax.cams.methods import CAM_METHODS
from tcam_jax.commands import command_line, config_flag
from tcam_jax.config.ablation import Ablation, Variant
from tcam_jax.config.continuation import CHANGEABLE
from tcam_jax.config.paper_ablations import ablations
from tcam_jax.config.record import load_config
from tcam_jax.config.rules import flatten, validate
from tcam_jax.data.builders.registry import prepare, prepared_folder
from tcam_jax.evaluate.results import read_results
from tcam_jax.report.ablation import Summary, summarise, to_csv, to_markdown
from tcam_jax.report.ablation_plots import bars, temporal_range
from tcam_jax.runs.experiment import train_and_evaluate
from tcam_jax.runtime import devices
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import write_whole
from tcam_jax.runtime.interruption import Interruption
from tcam_jax.runtime.terminal import say
from tcam_jax.train.stage import is_finished
from tcam_jax.train.stages import CLASSIFIER_DIR, TCAM_DIR

_CONFIG = config_flag.define_config()
_WORKDIR = command_line.define_path("workdir", "folder of the sweep")
_SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "training seeds")
_FULL = flags.DEFINE_bool("full", False, "every table in full, over every seed")

_COPYING = "copying_"


def ablate(
    config: ConfigDict,
    workdir: Path,
    tables: Sequence[Ablation],
    seeds: Sequence[int],
    stop: Interruption | None = None,
) -> Summary:
    """Train what is missing, write the tables after each run; return them.

    Raises:
      InputError: a variant does not fit the config, or a run cannot be started.
      Interrupted: `stop` was requested; the run under way is saved.
    """
    planned = dict(_planned(config, tables, seeds))
    for one in planned.values():  # what is wrong in the list should not surface after an hour
        validate(one)
    folders = {key: workdir / f"seed{key[1]}" / key[0] for key in planned}
    results = {  # a sweep that goes on starts with the tables it had
        key: read_results(folder)
        for key, folder in folders.items()
        if is_finished(folder / TCAM_DIR) and (folder / "results.json").exists()
    }
    start = time.monotonic()
    for number, (key, one) in enumerate(planned.items(), start=1):
        dataset = (one.dataset.name, one.dataset.config)
        if one.dataset.name == "moving_shapes" and not prepared_folder(
            one.dataset.data_dir, *dataset
        ):
            prepare(*dataset, one.dataset.data_dir)  # generated: nobody has to fetch anything
        folder = folders[key]
        _share_classifier(folder, one)
        results[key] = train_and_evaluate(one, folder, stop)
        jax.clear_caches()  # no run uses another's programs
        summary = summarise(tables, results)
        _write(summary, workdir)
        minutes = (time.monotonic() - start) / 60
        say(f"run {number} of {len(planned)}: {folder}, {minutes:.0f} min so far")
    return summary


def _planned(
    config: ConfigDict, tables: Sequence[Ablation], seeds: Sequence[int]
) -> Iterator[tuple[tuple[str, int], ConfigDict]]:
    overrides: dict[str, Variant] = {}
    for table in tables:
        for seed in seeds if table.every_seed else seeds[:1]:
            for variant in table.variants:
                first = overrides.setdefault(variant.run, variant)
                if first.overrides != variant.overrides:
                    raise InputError(
                        f"the rows {first.title!r} and {variant.title!r} share the run "
                        f"{variant.run!r} and must have the same overrides; rename one."
                    )
                one = config.copy_and_resolve_references()
                try:
                    one.update_from_flattened_dict({**variant.overrides, "seed": seed})
                except (KeyError, TypeError) as error:
                    raise InputError(
                        f"the overrides of the run {variant.run!r} must be fields of the config, "
                        f"with values of their types: {error.args[0]}"
                    ) from error
                if variant.method in CAM_METHODS and variant.method not in one.eval.cam_methods:
                    raise InputError(
                        f"config.eval.cam_methods must have {variant.method} in it for the row "
                        f"{variant.title!r}; it is {one.eval.cam_methods}."
                    )
                yield (variant.run, seed), one


def _share_classifier(folder: Path, config: ConfigDict) -> None:
    """Give a new run the same classifier of another run, if there is one, whole or not at all."""
    if folder.exists():
        return
    for stage in sorted(folder.parent.glob(f"*/{CLASSIFIER_DIR}")):
        run = stage.parent
        if run.name.startswith(_COPYING) or not is_finished(stage):
            continue
        if _same_classifier(load_config(run), config):
            copy = folder.with_name(_COPYING + folder.name)
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(stage, copy / CLASSIFIER_DIR)
            copy.rename(folder)
            return


def _same_classifier(other: ConfigDict, config: ConfigDict) -> bool:
    """Tell whether the first stage of `other` is what `config` would train and select."""
    ours, theirs = flatten(config), flatten(other)
    compared = {
        field
        for field in ours.keys() | theirs.keys()
        if field.split(".")[0] in ("seed", "precision", "dataset", "model", "classifier")
    }.difference(CHANGEABLE)
    if config.dataset.name == "moving_shapes":
        compared -= {"dataset.config"}  # they have the same frames
    if "best_localization" in (config.tcam.encoder_checkpoint, config.tcam.seed_checkpoint):
        compared |= {"tcam.cam_method"}  # it decides which step that is
    return all(ours.get(field) == theirs.get(field) for field in compared)


def _write(summary: Summary, workdir: Path) -> None:
    write_whole(workdir / "ablation.json", json.dumps(summary, indent=1) + "\n")
    write_whole(workdir / "ablation.csv", to_csv(summary))
    write_whole(workdir / "ablation.md", to_markdown(summary) + "\n")
    for table in summary["tables"]:
        if any(row["val"]["mean"] is not None for row in table["rows"]):
            draw = temporal_range if table["name"] == "temporal" else bars
            draw(table, summary["dataset"], workdir / f"{table['name']}.png")


def main() -> None:
    """Run the sweep, print its tables."""
    if not all(seed.strip().isdecimal() for seed in _SEEDS.value) or not _SEEDS.value:
        raise InputError(
            f"--seeds must be whole numbers such as 0,1,2; got {','.join(_SEEDS.value)!r}"
        )
    seeds = list(dict.fromkeys(int(seed) for seed in _SEEDS.value))
    config, workdir = _CONFIG.value, Path(_WORKDIR.value)
    tables = ablations(config.dataset.name, _FULL.value)
    with Interruption() as stop:
        devices.prepare(config)
        say(*to_markdown(ablate(config, workdir, tables, seeds, stop)).split("\n"))
    say(f"tables and plots: {workdir}")


def run() -> None:
    """Run the command with the flags of the command line."""
    command_line.run(main, required=["config", "workdir"])
