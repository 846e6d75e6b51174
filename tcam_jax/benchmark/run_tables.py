"""The figures of `benchmark.run_time` as tables."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tcam_jax.benchmark.run_time import PUBLISHED_EPOCHS
from tcam_jax.benchmark.time_shares import BESIDE
from tcam_jax.report.table import Table, number, to_markdown
from tcam_jax.runtime.files import write_whole

_STAGES = {"stage 1": "classifier", "stage 2": "tcam"}
_OF_LOOP = {
    "steps": "step",
    "waiting for data": "data",
    "waiting for validation": "validation",
    "waiting for saves": "save",
}
_BESIDE = {"validation beside steps": BESIDE[0], "saves beside steps": BESIDE[1]}


def write(figures: Mapping[str, Any], folder: Path) -> None:
    """Write the figures into `folder`, made if need be, as `run.json` and as `run.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "run.json", json.dumps(figures, indent=1) + "\n")
    write_whole(folder / "run.md", to_tables(figures) + "\n")


def to_tables(figures: Mapping[str, Any]) -> str:
    """Return the figures of `run_time.measure`, and of the machine, as Markdown."""
    environment = figures["environment"]
    devices = environment["devices"]
    machine = (
        f"{figures['dataset']}, {figures['network']} network, {figures['step']}, "
        f"{figures['epochs']} epochs a stage; {len(devices)} x {devices[0]}, {figures['cores']} "
        f"cores; {figures['date']}, {environment['git_revision']}."
    )
    hours = figures["projected_hours"]
    projected = (
        "One epoch does not tell what more would take: give --epochs=2 or more."
        if hours is None
        else f"{PUBLISHED_EPOCHS} + {PUBLISHED_EPOCHS} epochs at this rate: {hours:.2f} hours."
    )
    tables = [_whole(figures), _epoch(figures["stages"]), _validation(figures["stages"])]
    return "\n\n".join([machine, *map(to_markdown, tables), projected])


def _whole(figures: Mapping[str, Any]) -> Table:
    parts, wall = figures["parts"], figures["wall_s"]
    stages = [figures["stages"][name]["seconds"] for name in _STAGES.values()]
    built = [parts[f"{name}: built"]["seconds"] for name in _STAGES.values()]
    trained = [parts[f"{name}: trained"] for name in _STAGES.values()]

    def row(name: str, of_stages: list[float], whole: float) -> list[str]:
        cells = [number(x) for x in (of_stages or [None, None])]
        return [name, *cells, number(whole), number(100 * whole / wall)]

    def of_stages(name: str, values: list[float]) -> list[str]:
        return row(name, values, sum(values))

    rows = [
        row("start: imports, devices", [], parts["start"]["seconds"]),
        row("dataset opened, truth read", [], parts["dataset"]["seconds"]),
        of_stages("stage built", built),
        *(of_stages(name, [stage[key] for stage in stages]) for name, key in _OF_LOOP.items()),
        of_stages("last validation and save, end", [stage["end"] for stage in stages]),
        row("evaluation", [], parts.get("evaluation", {"seconds": 0.0})["seconds"]),
        row("between these", [], parts["between"]["seconds"]),
        row("the whole", [], wall),
    ]
    compiled = [part["compile_s"] for part in trained]
    elsewhere = sum(part.get("compile_s", 0.0) for part in parts.values())
    rows.append(row("of it tracing and compiling", compiled, elsewhere))
    for name, key in _BESIDE.items():
        rows.append(of_stages(name, [stage[key] for stage in stages]))
    processor = sum(part.get("processor_s", 0.0) for part in parts.values())
    rows.append(row("processor seconds", [part["processor_s"] for part in trained], processor))
    rows.append(
        ["device, % in use by its own word"]
        + [number(part["device_utilisation"]) for part in trained]
        + ["–", "–"]
    )
    programs = sum(part.get("programs", 0) for part in parts.values())
    cached = sum(part.get("from_cache", 0) for part in parts.values())
    note = f"{programs} programs were needed, {cached} of them came from the compilation cache."
    return Table("Where the seconds went", ["", *_STAGES, "the run, s", "% of it"], rows, note)


def _epoch(stages: Mapping[str, Any]) -> Table:
    epochs = [stages[name]["epoch"] or {} for name in _STAGES.values()]
    rows = [["steps in it", *(str(stages[name]["steps_per_epoch"]) for name in _STAGES.values())]]
    names = {**_OF_LOOP, "the whole epoch": "whole", "outside the steps": "outside", **_BESIDE}
    rows += [[name, *(number(e.get(key), 2) for e in epochs)] for name, key in names.items()]
    idle = [None if not e else 100 * e["idle"] for e in epochs]
    rows.append(["device idle, %", *map(number, idle)])
    note = (
        "Idle is the share outside the steps; a validation's forward passes are in it where "
        "training waits for them."
    )
    return Table("One epoch, seconds", ["", *_STAGES], rows, note)


def _validation(stages: Mapping[str, Any]) -> Table:
    parts = [stages[name]["validation"] for name in _STAGES.values()]
    rows = [
        [name, *(number(part[name][unit], 2) for part in parts for unit in ("ms", "processor_ms"))]
        for name in ("read", "forward", "boxes")
    ]
    header = [column for stage in _STAGES for column in (stage, "its processor time")]
    note = "Measured after the run, one after the other; frames that fit in memory are read once."
    return Table("A validation taken apart, ms a frame", ["", *header], rows, note)
