"""The sections of a run's report, from its files, its networks and its dataset."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ml_collections import ConfigDict

from tcam_jax.config.record import Environment
from tcam_jax.data.records import Split
from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.results import FrameLine, Results
from tcam_jax.report.ablation import read_summary
from tcam_jax.report.ablation_tables import ablation_note, ablation_tables
from tcam_jax.report.classes import (
    accuracy_of,
    area_table,
    class_table,
    commonest_share,
    confusion_table,
)
from tcam_jax.report.clips import MapsOf, choose_shots, clip
from tcam_jax.report.curves import threshold_curves, training_curves
from tcam_jax.report.frames import Maps, read_images
from tcam_jax.report.gallery import FAILURES, Chosen, figure
from tcam_jax.report.page import Group, Plot, Section, Summary
from tcam_jax.report.pictures import Figure
from tcam_jax.report.results_tables import (
    accuracy_table,
    headline,
    headline_table,
    protocol_tables,
)
from tcam_jax.report.table import number
from tcam_jax.report.thresholds import thresholds_section
from tcam_jax.report.times import Times, time_table
from tcam_jax.runs.networks import localising_method
from tcam_jax.runtime.json_files import read_json
from tcam_jax.train.logs import read_metrics

_STAGES = {"classifier": "Stage 1, classifier", "tcam": "Stage 2, TCAM"}


def summary(
    workdir: Path,
    config: ConfigDict,
    results: Results,
    environment: Environment,
    lines: Sequence[FrameLine],
    trained_videos: float,
) -> Summary:
    """Return the page's beginning.

    Args:
      workdir: of the run.
      config: the run's.
      results: see `evaluate.results`.
      environment: content of environment.json.
      lines: of predictions.jsonl.
      trained_videos: share of the evaluated frames whose videos were trained on too.
    """
    method = localising_method(config)
    figure, interval, threshold = headline(results, config, method)
    explanation = (
        f"CorLoc of {method} in percent, 95 % interval {interval}: mean over classes of the frames "
        f"whose box has an IoU of at least 0.5 with a true one; {results['split']} split; "
        f"threshold: {threshold}."
    )
    if results["boxes"] == 0:
        figure = number(accuracy_of(lines))
        explanation = (
            f"Classification accuracy in percent of the {results['split']} split's frames; who "
            f"always says the commonest class has {number(commonest_share(lines))}. CorLoc is not "
            "known: the dataset has no true boxes."
        )
    if trained_videos:
        explanation += (
            f" {number(100 * trained_videos)} % of these frames are of videos that were trained on "
            "(split by time): for other videos it is too good."
        )
    losses = [name for name, loss in config.tcam.losses.items() if loss.weight or loss.final_weight]
    facts = [
        ("Dataset", f"{results['dataset']} ({results['config']}), {results['split']} split"),
        ("Frames", f"{results['frames']} of {results['videos']} videos, {results['boxes']} boxes"),
        ("Network", f"{config.model.encoder}, head {config.model.head}"),
        ("Frames of the network", f"{config.dataset.crop} px, {config.precision}"),
        ("Seeds", _seeds(config)),
        ("Losses", ", ".join(losses)),
        ("Checkpoint", list(results["classification"])[-1]),
        ("Random seed", str(config.seed)),
        ("Device", f"{len(environment['devices'])} × {environment['devices'][0]}"),
        ("Versions", f"jax {environment['packages']['jax']}, Python {environment['python']}"),
        ("Revision", str(environment["git_revision"])),
    ]
    return Summary(f"TCAM on {results['dataset']}: {workdir.name}", figure, explanation, facts)


def _seeds(config: ConfigDict) -> str:
    section, window = config.tcam, config.tcam.window
    sources = {
        "cam": section.cam_method,
        "files": f"maps of {Path(section.seed_dir).name}",
        "boxes": "true boxes",
    }
    parts = [sources[section.seed_source], f"n = {window.n} {window.mode}"]
    if window.n > 0 and window.sampling != "adjacent":
        parts.append(window.sampling)
    if section.seeds.motion:
        parts.append(f"motion's share {section.seeds.motion:g}")
    if section.seeds.self_training_start < 1:
        parts.append(f"own maps from {section.seeds.self_training_start:g} of the steps on")
    return ", ".join(parts)


def results_section(results: Results, config: ConfigDict, methods: Sequence[str]) -> Section | None:
    """Return all tables of CorLoc; None without true boxes."""
    if results["boxes"] == 0:
        return None
    missing = ""
    if results["dataset"] != "youtube_objects":
        missing = (
            "No numbers are published for this dataset; those of YouTube-Objects stand beside "
            "runs on it."
        )
    protocols = Group("Every protocol", tables=protocol_tables(results, config), folded=True)
    groups = [Group(text=missing, tables=[headline_table(results, methods)]), protocols]
    return Section("results", "Results", groups)


def classes_section(
    results: Results, lines: Sequence[FrameLine], truth: Truth, methods: Sequence[str]
) -> Section:
    """Return what is known without true boxes.

    Args:
      results: see `evaluate.results`.
      lines: of predictions.jsonl, a line a frame of `truth`.
      truth: of the evaluated split.
      methods: see `run_boxes.methods_of`.
    """
    classes = results["classes"]
    accuracies = [accuracy_table(results), class_table(lines, classes)]
    matrix = confusion_table(lines, classes)
    areas = area_table(lines, truth, classes, methods)
    groups = [Group(tables=[*accuracies, matrix]), Group(tables=[areas])]
    return Section("classes", "Classes and areas", groups)


def training_section(workdir: Path, results: Results) -> Section:
    """Return the curves of both stages, and CorLoc against the threshold."""
    groups = []
    thresholds = threshold_curves(results)
    if thresholds:
        caption = f"CorLoc on the {results['split']} split against the threshold"
        groups.append(Group(plots=[Plot(thresholds, caption)]))
    for stage, title in _STAGES.items():
        curves = training_curves(read_metrics(workdir / stage / "metrics.jsonl"), title)
        plots = [Plot(svg, f"{name} against the epoch") for name, svg in curves]
        groups.append(Group(title, plots=plots))
    return Section("curves", "Curves", groups)


def ablation_section(path: Path) -> Section | None:
    """Return the tables of the sweep whose ablation.json is at `path`; None without one."""
    if not path.is_file():
        return None
    found = read_summary(path)
    groups = [Group(text=ablation_note(found), tables=ablation_tables(found))]
    return Section("ablation", "Ablation", groups)


def time_section(path: Path) -> Section | None:
    """Return the table of `launch.benchmark_frames --workdir`; None where that was not run."""
    if not path.is_file():
        return None
    advice = "Delete it, or make it anew with `python -m launch.benchmark_frames --workdir=…`."
    table = time_table(read_json(path, Times, advice))
    return Section("time", "Time per frame", [Group(tables=[table])])


def gallery_sections(
    chosen: Chosen,
    lines: list[FrameLine],
    truth: Truth,
    split: Split,
    maps: Maps,
    methods: Sequence[str],
    results: Results,
) -> list[Section]:
    """Return the sections of frames: every class under the sliders, best and worst, failures.

    Args:
      chosen: see `report.gallery`.
      lines: of predictions.jsonl.
      truth: of the evaluated split, whose records are `split`.
      maps: of all methods.
      methods: see `run_boxes.methods_of`.
      results: see `evaluate.results`.
    """
    method, tau = methods[0], results["tau"][methods[0]]
    shown = chosen.shown()
    read = read_images(split, truth.records[shown].tolist())
    images = dict(zip(shown, read.images, strict=True))
    levels = dict(zip(shown, maps(read, truth.labels[shown].tolist()), strict=True))

    def draw(frames: list[int]) -> list[Figure]:
        return [
            figure(lines[i], images[i], levels[i][method], truth.boxes[i], method, tau)
            for i in frames
        ]

    side_by_side = methods[::-1]  # the baseline left
    sections = [
        thresholds_section(chosen.of_classes, lines, truth, images, levels, side_by_side, results)
    ]
    title, words = "Best and worst", ("Best", "The highest IoU with a true box.", "Worst")
    if not truth.has_boxes:
        words = ("Most certain", "The highest probability of any class.", "Least certain")
        title = "Most and least certain"
    groups = [
        Group(words[0], words[1], figures=draw(chosen.best)),
        Group(words[2], "The lowest.", figures=draw(chosen.worst)),
    ]
    sections.append(Section("extremes", title, groups))
    groups = [
        Group(
            f"{kind.capitalize()}: {len(frames)} of {len(lines)} frames",
            FAILURES[kind],
            figures=draw(chosen.examples(kind)),
        )
        for kind, frames in chosen.failures.items()
        if frames
    ]
    if not groups:
        unknown = "" if truth.has_boxes else " Of wrong boxes nothing is known without true ones."
        groups = [Group(text=f"There is none.{unknown}")]
    return [*sections, Section("failures", "Failures", groups)]


def clips_section(
    splits: Mapping[str, Split], maps: MapsOf, method: str, tau: float | None
) -> Section | None:
    """Return clips of the first of `splits` that has shots long enough; None where none has."""
    for name, split in splits.items():
        figures = [clip(split, records, maps, method, tau) for records in choose_shots(split.table)]
        if figures:
            group = Group(text=f"Frames of the {name} split: not trained on.", figures=figures)
            return Section("clips", "Clips", [group])
    return None
