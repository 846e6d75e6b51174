"""Preparing, predicting and reporting, disturbed by signals: byte for byte as undisturbed."""

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from array_record.python.array_record_module import ArrayRecordReader
from PIL import Image

from tests.data.conftest import write_photo_folder
from tests.data.made_videos import write
from tests.launch.chaos.commands import World, disturb, ends_well


def _assert_same_files(one: Path, other: Path, names: tuple[str, ...] = ("",)) -> None:
    """The same files with the same bytes, of those whose names begin so."""

    def contents(folder: Path) -> dict[str, object]:
        return {
            str(path.relative_to(folder)): _content(path)
            for path in folder.rglob("*")
            if path.is_file() and path.name != ".lock" and path.name.startswith(names)
        }

    here, there = contents(one), contents(other)
    different = {name for name in here.keys() | there.keys() if here.get(name) != there.get(name)}
    assert not different, f"these differ, or are in one alone: {sorted(different)}"


def _content(path: Path) -> object:
    """Return the bytes; of records the features, which Protocol Buffers writes in any order."""
    if "array_record" not in path.name:
        return path.read_bytes()
    reader = ArrayRecordReader(str(path))
    examples = map(tf.train.Example.FromString, reader.read_all())
    return [{k: v.SerializeToString() for k, v in x.features.feature.items()} for x in examples]


class Other:
    """A command beside training.

    Args:
      start: (world, name of the attempt) -> the process.
      made: (world, name) -> the folder to compare.
      names: how the names of the files begin that are compared.
    """

    def __init__(
        self,
        start: Callable[[World, str], subprocess.Popen],
        made: Callable[[World, str], Path],
        names: tuple[str, ...] = ("",),
    ):
        self._start, self._made, self._names = start, made, names

    def undisturbed(self, world: World, kind: str) -> float:
        """Run it twice, as the first one compiles; return its seconds."""
        for name in (f"{kind}_first", f"{kind}_undisturbed"):
            began = time.monotonic()
            ends_well(world, name, self._start(world, name))
        length = time.monotonic() - began
        first, second = (self._made(world, f"{kind}_{which}") for which in ("first", "undisturbed"))
        _assert_same_files(first, second, self._names)
        return length

    def run(self, world: World, kind: str, name: str, length: float) -> list[str]:
        """Disturb it, end it, compare."""
        told = disturb(world, lambda: self._start(world, name), length)
        ends_well(world, name, self._start(world, name))
        made = self._made(world, name)
        _assert_same_files(self._made(world, f"{kind}_undisturbed"), made, self._names)
        left = [path for path in made.rglob("*") if path.name.endswith((".tmp", ".unfinished"))]
        assert not left, f"left behind: {left}"
        return told


def _prepare(world: World, name: str) -> subprocess.Popen:
    source, data = world.folder / "photos", world.folder / name
    if not source.exists():
        write_photo_folder(source, videos=6, shots=3, frames=30)
    return world.start(
        name,
        "prepare",
        "--config=configs/video_folder.py:mine",
        f"--data_dir={data}",
        f"--manual_dir={source}",
    )


def _predict(world: World, name: str) -> subprocess.Popen:
    source = world.folder / "input"
    if not source.exists():
        source.mkdir()
        draws = np.random.default_rng(0)
        for number in range(12):
            pixels = draws.integers(0, 256, (60, 80, 3), np.uint8)
            Image.fromarray(pixels).save(source / f"{number}.png")
            write(source / f"{number}.mp4", [frame / 10 for frame in range(40)])
    return world.start(
        name,
        "predict",
        f"--workdir={world.folder / 'undisturbed'}",
        f"--input={source}",
        f"--output={world.folder / name}",
        "--format=csv,coco,masks",
    )


def _report(world: World, name: str) -> subprocess.Popen:
    workdir = world.folder / name / "run"  # its name is in the report
    if not workdir.exists():
        shutil.copytree(world.folder / "undisturbed", workdir)
    return world.start(name, "report", f"--workdir={workdir}")


OTHERS = {
    "prepare": Other(_prepare, lambda world, name: world.folder / name),
    "predict": Other(_predict, lambda world, name: world.folder / name),
    "report": Other(_report, lambda world, name: world.folder / name, names=("report.",)),
}
