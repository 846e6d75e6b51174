"""`dataset_report.json`: what a prepared dataset holds, and what became of every fault."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

from tcam_jax.data.builders.findings import RULES, Action, Findings
from tcam_jax.data.builders.shard_summary import ShardSummary
from tcam_jax.runtime.json_files import read_json
from tcam_jax.runtime.shapes import Count, FileName
from tcam_jax.runtime.terminal import one_line

REPORT_FILE = "dataset_report.json"
SCHEMA = 1

_LARGEST = 1 << 28  # bytes: all places of every fault
_EXAMPLES = 3  # places named for each kind of fault in the printed report


class _Counts(TypedDict):
    videos: Count
    shots: Count
    frames: Count
    boxed_frames: Count
    boxes: Count


class _Split(TypedDict):
    classes: dict[str, _Counts]
    total: dict[str, Count]  # without zeros
    bytes: Count
    sizes: dict[str, Count]


class _Place(TypedDict):
    where: FileName
    detail: FileName


class _Kind(TypedDict):
    action: Action
    meaning: str
    count: Count
    places: list[_Place]


class _Report(TypedDict):
    schema: int
    name: str
    config: str
    splits: dict[str, _Split]
    findings: dict[str, _Kind]


def read_report(folder: Path) -> dict[str, Any]:
    """The report of the dataset in `folder`.

    Raises:
        InputError: it is not there, or damaged.
    """
    advice = "Delete the folder of the dataset and prepare it again."
    report: dict[str, Any] = read_json(folder / REPORT_FILE, _Report, advice, _LARGEST)
    return report


def make_report(
    name: str,
    config: str,
    class_names: Sequence[str],
    summaries: Sequence[ShardSummary],
    findings: Findings,
) -> dict[str, Any]:
    """The report as it is written to JSON.

    Keys: `schema`; `name`, `config` of the dataset; `splits`: for each split `classes` (for each
    class the numbers of `videos`, `shots`, `frames`, `boxed_frames`, `boxes`), `total` (the same
    over the classes), `bytes` (of its records), `sizes` (frames for each source size, "1280x720");
    `findings`: for each kind of fault `action` (doubtful, kept, repaired, skipped or
    ignored), `meaning`, `count` and `places`, all of them.
    """
    splits: dict[str, Any] = {}
    for summary in summaries:
        if summary.split not in splits:
            splits[summary.split] = {"bytes": 0, "sizes": Counter(), "shots": []}
        split = splits[summary.split]
        split["bytes"] += summary.num_bytes
        split["sizes"] += summary.sizes
        split["shots"] += summary.shots
    for split in splits.values():
        shots = split.pop("shots")
        split["classes"] = {
            class_name: _count([shot for shot in shots if shot.class_name == class_name])
            for class_name in class_names
        }
        split["total"] = dict(sum(map(Counter, split["classes"].values()), Counter()))
        split["sizes"] = dict(split["sizes"].most_common())
    kinds = by_kind(findings)
    return {"schema": SCHEMA, "name": name, "config": config, "splits": splits, "findings": kinds}


def by_kind(findings: Findings) -> dict[str, Any]:
    """The part `findings` of a report, see `make_report`."""
    kinds: dict[str, Any] = {}
    for finding in findings.all:
        rule = RULES[finding.kind]
        kind = kinds.setdefault(finding.kind, {**rule._asdict(), "count": 0, "places": []})
        kind["count"] += 1
        kind["places"].append({"where": finding.where, "detail": finding.detail})
    return kinds


def _count(shots: Sequence[Any]) -> dict[str, int]:
    return {
        "videos": len({shot.video for shot in shots}),
        "shots": len(shots),
        "frames": sum(len(shot.boxes) for shot in shots),
        "boxed_frames": sum(boxes > 0 for shot in shots for boxes in shot.boxes),
        "boxes": sum(sum(shot.boxes) for shot in shots),
    }


def in_words(report: dict[str, Any]) -> str:
    """The report for a terminal: a line a split, and what is wrong and where."""
    lines = [f"{report['name']}/{report['config']}"]
    for name, split in report["splits"].items():
        total = Counter(split["total"])
        lines.append(
            f"  {name}: {len(split['classes'])} classes, {total['videos']} videos, "
            f"{total['shots']} shots, {total['frames']} frames, {total['boxed_frames']} of them "
            f"with boxes ({total['boxes']}), {split['bytes'] / 1e6:.1f} MB"
        )
        lines += [
            f"    class {class_name!r} has no frame in this split"
            for class_name, counts in split["classes"].items()
            if not counts["frames"]
        ]
    lines += findings_in_words(report["findings"]) or ["  nothing was found wrong"]
    return "\n".join(map(one_line, lines))


def findings_in_words(kinds: dict[str, Any]) -> list[str]:
    """Lines of what `by_kind` returns, the worst first, some places of each kind."""
    lines = []
    for action in ("doubtful", "skipped", "repaired", "kept", "ignored"):
        for kind in kinds.values():
            if kind["action"] != action:
                continue
            lines.append(f"  {action}, {kind['count']} times: {kind['meaning']}")
            for place in kind["places"][:_EXAMPLES]:
                detail = f" ({place['detail']})" if place["detail"] else ""
                lines.append(f"    {place['where']}{detail}")
            if kind["count"] > _EXAMPLES:
                lines.append(f"    and {kind['count'] - _EXAMPLES} more")
    return lines
