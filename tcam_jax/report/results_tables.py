"""The results of a run as tables, published numbers beside."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ml_collections import ConfigDict

from tcam_jax.evaluate.protocols import (
    AGREEMENT,
    CLASS_FROM,
    IOUS,
    LOCALISATIONS,
    own_rule,
    thresholds_of,
)
from tcam_jax.evaluate.results import Results, find_row, tau_of
from tcam_jax.evaluate.rows import Row
from tcam_jax.evaluate.threshold_rules import THRESHOLD_RULES
from tcam_jax.report.published import Published, published_rows
from tcam_jax.report.run_boxes import methods_of, threshold_of_run
from tcam_jax.report.table import Table, number, to_markdown
from tcam_jax.runtime.errors import InputError

_TITLES: dict[str | None, str] = {
    "val": "τ from validation",
    "test": "τ maximised on {split}",
    "val_per_class": "τ per class from validation",
    "test_per_class": "τ per class, maximised on {split}",
    "fixed": "τ fixed",
    "otsu": "Otsu's, per map",
    AGREEMENT: "agreement with CAMs",
    **{rule: f"{rule.replace('_', ' ')}, per map" for rule in THRESHOLD_RULES if rule != "otsu"},
    None: "fixed box",
}


def _headline_thresholds(method: str) -> tuple[str, ...]:
    """Of two methods and a box there are then at most 8 rows: CAMs have no agreement with CAMs."""
    return ("val", AGREEMENT, own_rule(method), "test")


def headline_table(results: Results, methods: Sequence[str]) -> Table:
    """Return CorLoc per class and their mean, at most 8 rows of this run.

    Where numbers were published for this dataset, they follow with their sources.

    Args:
      results: see `tcam_jax.evaluate.results`.
      methods: those compared, see `methods_of`.
    """
    found = [
        row
        for method in methods
        for threshold in _headline_thresholds(method)
        for row in _paper_rows(results)
        if (row["method"], row["threshold"]) == (method, threshold) and row["corloc"] is not None
    ]
    found += [row for row in _paper_rows(results) if row["method"] == "centre_box"]
    rows = _corloc_rows(found, results)
    classes, published = results["classes"], _published(results)
    for other in published:
        cells = [f"{other.method} ({other.reference})", other.protocol, "–"]
        cells += [number(other.per_class.get(name)) for name in classes]
        rows.append([*cells, number(other.mean), "–"])
    note = (
        f"CorLoc: percent of frames whose largest region has an IoU ≥ 0.5, mean over classes; "
        f"{results['dataset']}, {results['split']} split, {results['frames']} frames of "
        f"{results['videos']} videos. 95 %: interval of CorLoc when videos are resampled, "
        "not known where a class has a single video. "
        f"Bold: the best whose threshold was not chosen on the {results['split']} split."
    )
    if published:
        sources = dict.fromkeys(row.source for row in published)
        note += f" Rows with a reference are published: {'; '.join(sources)}."
        note += "".join(f" {row.note}." for row in published if row.note)
    return Table(
        "", _header(results), rows, note, names=2, others=len(published), best=_best(found, results)
    )


def _best(rows: Sequence[Row], results: Results) -> list[int]:
    """Return where the best rows are; what was chosen on the split itself by boxes is no rival."""
    chosen_there = {"test", "test_per_class"}
    if results["split"] == "validation":
        chosen_there |= {"val", "val_per_class"}
    honest = {
        i: row["corloc"]
        for i, row in enumerate(rows)
        if row["corloc"] is not None and row["threshold"] not in chosen_there
    }
    return [i for i, corloc in honest.items() if corloc == max(honest.values())]


def _header(results: Results) -> list[str]:
    return ["method", "threshold", "τ", *results["classes"], "CorLoc", "95 %"]


def _corloc_rows(found: Sequence[Row], results: Results) -> list[list[str]]:
    rows = []
    for row in found:
        tau = row["tau"] if isinstance(row["tau"], float) else None
        cells = [row["method"], _title(row["threshold"], results), number(tau, 3)]
        cells += [number(value) for value in row["per_class"]]
        rows.append([*cells, number(row["corloc"]), _interval(row["interval"])])
    return rows


def _title(threshold: str | None, results: Results) -> str:
    # A rule that somebody registered where this was evaluated need not be known here.
    return _TITLES.get(threshold, str(threshold)).replace("{split}", results["split"])


def _paper_rows(results: Results) -> list[Row]:
    """Return the rows under the protocol of the paper's tables, at every threshold."""
    return [
        row
        for row in results["rows"]
        if (row["iou"], row["localisation"]) == (0.5, "gt_known")
        and row["regions"] in ("largest", None)
        and row["class_from"] in ("truth", None)
    ]


def accuracy_table(results: Results) -> Table:
    """Return classification accuracy of each checkpoint, published ones beside."""
    rows = [[name, number(value)] for name, value in results["classification"].items()]
    others = [row for row in _published(results) if row.accuracy is not None]
    rows += [[f"{row.method} ({row.reference})", number(row.accuracy)] for row in others]
    note = f"Percent of frames. Published: {others[0].source}." if others else "Percent of frames."
    return Table(
        "Classification accuracy", ["checkpoint", "accuracy"], rows, note, others=len(others)
    )


def protocol_tables(results: Results, config: ConfigDict) -> list[Table]:
    """Return CorLoc under every protocol: by class, by IoU, by what else must be right.

    Args:
      results: see `tcam_jax.evaluate.results`.
      config: the run's.
    """
    every = _paper_rows(results)
    methods = [row["method"] for row in every if row["threshold"] == "val"]
    rows = _corloc_rows(every, results)
    by_regions = [Table("By class", _header(results), rows, names=2, best=_best(every, results))]
    for regions, title in (("largest", "The largest region's box"), ("all", "All regions' boxes")):
        rows, means = [], []
        for method in methods:
            for threshold in thresholds_of(method):
                found = [find_row(results, method, threshold, regions, iou) for iou in _ious()]
                cells = [method, _title(threshold, results)]
                rows.append(cells + [number(row["corloc"]) for row in found])
                means.append(found[-1])
        header = ["method", "threshold", *(f"IoU ≥ {iou}" for iou in IOUS), "mean"]
        note = "CorLoc, mean over classes; the class is known."
        if regions == "all":
            note += " The best box counts; a hole in a region has one too, as in the authors' code."
            note += " The mean with τ maximised on the split itself is MaxBoxAccV2."
        by_regions.append(Table(title, header, rows, note, names=2, best=_best(means, results)))

    rows, known = [], []
    for method in methods:
        threshold = threshold_of_run(config, results, method)
        for class_from in CLASS_FROM:
            found = [
                find_row(results, method, threshold, class_from=class_from, localisation=what)
                for what in LOCALISATIONS
            ]
            cells = [method, _title(threshold, results), class_from]
            rows.append(cells + [number(row["corloc"]) for row in found])
            known.append(found[0])
    titles = ["method", "threshold", "class of the map"]
    header = [*titles, "class known", "top-1 right too", "top-5 right too"]
    note = "CorLoc, mean over classes; largest region, IoU ≥ 0.5."
    best = _best(known, results)
    return [*by_regions, Table("With classification", header, rows, note, names=3, best=best)]


def check_complete(
    results: Results,
    config: ConfigDict,
    methods: Sequence[str],
    class_names: Sequence[str],
    workdir: Path,
) -> None:
    """Refuse results without all that a report shows, before it is looked for.

    Args:
      results, config: of the run in `workdir`.
      methods: see `methods_of`.
      class_names: of the dataset.

    Raises:
      InputError: rows or a method's threshold are not there, or they are of other classes.
    """
    for method in methods:
        tau_of(results, method, workdir)
    problem = ""
    if results["classes"] != list(class_names):
        problem = f"its classes are {results['classes']}, the dataset's {list(class_names)}."
    try:
        for method in methods:
            headline(results, config, method)
        protocol_tables(results, config)
    except InputError as error:
        problem = str(error)
    if problem:
        path, command = workdir / "results.json", f"tcam evaluate --workdir={workdir}"
        raise InputError(f"{path} cannot be shown: {problem} Make it anew: `{command}`.")


def headline(results: Results, config: ConfigDict, method: str) -> tuple[str, str, str]:
    """Return CorLoc of a method's boxes as the run draws them, its interval, and their threshold.

    As text.
    """
    threshold = threshold_of_run(config, results, method)
    row = find_row(results, method, threshold)
    return number(row["corloc"]), _interval(row["interval"]), _title(threshold, results)


def _published(results: Results) -> list[Published]:
    return published_rows(results["dataset"], results["config"])


def _ious() -> tuple[float | Literal["mean"], ...]:
    return (*IOUS, "mean")


def _interval(interval: Sequence[float] | None) -> str:
    return " to ".join(map(number, interval)) if interval else "–"


def results_table(results: Results, config: ConfigDict) -> str:
    """Return what a command prints of a run: the headline table and the accuracies, as Markdown."""
    table = f"CorLoc is not known: the {results['split']} split has no true boxes."
    if results["boxes"]:
        table = to_markdown(headline_table(results, methods_of(config)))
    accuracies = [
        f"Classification accuracy {number(value)} % ({checkpoint})."
        for checkpoint, value in results["classification"].items()
    ]
    return "\n".join([table, *accuracies])
