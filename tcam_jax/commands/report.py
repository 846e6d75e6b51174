"""The report of a run: tcam report --workdir=DIR.

Writes report.html into the workdir, one page that needs no network: results beside published ones,
what classes are taken for, frames of every class whose thresholds a slider moves, best and worst
frames, failures, clips of held-out videos, curves; the tables as report.md, all numbers as
report.csv. Without true boxes it shows what can be known without them. The ablation of a sweep that
the run belongs to, and the figures of launch.benchmark_frames --workdir, are shown where they are.

Of the folder of a `tcam ablate` it writes sweep.html (sweep_validation.html): tables, bars, curves,
and the same frames under every row; --beside=OTHER, which may come again, puts the tables of other
sweeps, of other datasets or encoders, beside its own.
"""

from collections.abc import Sequence
from pathlib import Path

import jax
from absl import flags

from tcam_jax.commands import command_line
from tcam_jax.config.record import load_config, read_environment
from tcam_jax.config.rules import validate
from tcam_jax.data.dataset import Dataset
from tcam_jax.data.truth import share_of_trained_videos
from tcam_jax.evaluate.results import file_of_split, read_results
from tcam_jax.report import sections
from tcam_jax.report.ablation import Summary, summaries_in
from tcam_jax.report.csv_file import to_csv
from tcam_jax.report.frames import Maps
from tcam_jax.report.gallery import choose, read_lines
from tcam_jax.report.page import render
from tcam_jax.report.results_tables import check_complete, results_table
from tcam_jax.report.run_boxes import methods_of
from tcam_jax.report.sweep import sweep_page
from tcam_jax.report.table import to_markdown
from tcam_jax.runs.identity import check_dataset
from tcam_jax.runs.networks import fitting, load_networks
from tcam_jax.runtime import devices
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import write_whole
from tcam_jax.runtime.markdown import markdown
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.runtime.terminal import say
from tcam_jax.train.stages import make_model

_WORKDIR = command_line.define_path("workdir", "folder of a trained and evaluated run")
_DATA_DIR = command_line.define_path("data_dir", "where the prepared dataset lies, if moved")
_BESIDE = command_line.define_paths("beside", "another sweep's folder, to show beside this one's")
_PER_CLASS = flags.DEFINE_integer(
    "per_class", 3, "frames of each class whose threshold a slider moves", lower_bound=1
)


def main() -> None:
    """Write the report's files and print where they are."""
    workdir = Path(_WORKDIR.value)
    if not (workdir / "config.json").exists() and (sweeps := summaries_in(workdir)):
        _report_sweeps(workdir, sweeps)
        return
    if _BESIDE.value:
        raise InputError(f"--beside is for the folder of a `tcam ablate`; {workdir} is none.")
    config, results = load_config(workdir, _DATA_DIR.value), read_results(workdir)
    devices.prepare(config)
    environment = read_environment(workdir)
    validate(config, "evaluate")
    data, split = Dataset(config), results["split"]
    check_dataset(config, workdir, data)
    methods = methods_of(config)  # the run's own first
    check_complete(results, config, methods, data.class_names, workdir)
    truth, baseline = data.truth(split), config.tcam.cam_method
    lines = read_lines(workdir, truth, data.class_names, methods)
    beside = [
        sections.time_section(workdir / "time_per_frame.json"),
        sections.ablation_section(workdir.parent.parent / "ablation.json"),
    ]
    parallel = Parallel(config.parallel, jax.devices()[:1])
    networks = load_networks(config, workdir, len(data.class_names), parallel)
    by_method = {baseline: networks.seeds.variables}
    if networks.tcam is not None:
        by_method[methods[0]] = networks.tcam.variables
    maps = Maps(make_model(config, len(data.class_names)), by_method, config, parallel)
    chosen = choose(lines, truth, methods[0], _PER_CLASS.value)
    held_out = {name: data.records(name) for name in (split, "validation")}
    with fitting(workdir):
        found = [
            sections.results_section(results, config, methods),
            sections.classes_section(results, lines, truth, methods),
            *sections.gallery_sections(
                chosen, lines, truth, held_out[split], maps, methods, results
            ),
            sections.clips_section(held_out, maps, methods[0], results["tau"][methods[0]]),
            sections.training_section(workdir, results),
            *beside,
        ]
    shown = [section for section in found if section is not None]
    trained_videos = share_of_trained_videos(truth.ids, data.records("train"))
    about = sections.summary(workdir, config, results, environment, lines, trained_videos)
    page = render(about, shown)
    tables = [
        to_markdown(table)
        for section in shown
        for group in section.groups
        for table in group.tables
    ]
    files = {
        "report.html": page,
        "report.md": "\n\n".join([f"# {markdown(workdir.name)}", *tables]) + "\n",
        "report.csv": to_csv(results),
    }
    say(*results_table(results, config).split("\n"))
    for name, text in files.items():
        write_whole(workdir / name, text)
        say(workdir / name)


def _report_sweeps(workdir: Path, sweeps: Sequence[Summary]) -> None:
    devices.keep_programs()
    others = [summary for other in _BESIDE.value or [] for summary in _beside(Path(other))]
    for summary in sweeps:
        alike = [other for other in others if other["split"] == summary["split"]]
        path = workdir / file_of_split("sweep.html", summary["split"])
        write_whole(path, sweep_page(summary, workdir, alike, _DATA_DIR.value))
        say(path)


def _beside(workdir: Path) -> list[Summary]:
    found = summaries_in(workdir)
    if not found:
        raise InputError(
            f"--beside={workdir} must be the folder of a `tcam ablate`, with an ablation.json; "
            "there is none."
        )
    return found


def run() -> None:
    """Run the command with the flags of the command line."""
    command_line.run(main, required=["workdir"])
