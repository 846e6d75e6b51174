"""The lines of one or more `predictions.jsonl`, as often as a format needs them."""

import json
import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from tcam_jax.data.folder_walk import natural_order
from tcam_jax.predict.formats.names import common_folder, output_names, relative_names
from tcam_jax.predict.formats.record import Record, fault_of
from tcam_jax.predict.result_folder import FINISHED, RECORDS, read_lines
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.json_files import bounded_lines, parse


def find_lines(inputs: Iterable[Path]) -> list[Path]:
    """Return the files of lines: those given, and those at any depth below the folders given.

    Raises:
      InputError: one of `inputs` leads to none.
    """
    found: dict[Path, Path] = {}
    for given in inputs:
        paths = [given] if given.is_file() else sorted(given.rglob(RECORDS))
        if not paths:
            raise InputError(
                f"--input={given} must be a folder of tcam predict, or one that holds some; there "
                f"is no {RECORDS} at any depth."
            )
        for path in paths:
            found.setdefault(path.resolve(), path)
    return list(found.values())


def unfinished(records: "Records") -> list[str]:
    """Return the files that have not all their frames, by the notes of `tcam predict` beside them.

    Of lines without a note of what is finished nothing is known.
    """
    frames: dict[str, int] = {}
    for path in records.paths:
        for _, note in read_lines(path.with_name(FINISHED)):
            if note is not None:
                frames[os.path.abspath(note["file"])] = note.get("frames", 0)
    noted = {n for n, path in enumerate(records.paths) if path.with_name(FINISHED).exists()}
    return [
        file
        for file, (sources, count) in records.sources.items()
        if sources <= noted and frames.get(os.path.abspath(file)) != count
    ]


class Records:
    """Records of frames, checked, in the order of their files' names (2 before 10) and of time.

    Each iteration reads the lines again. In memory are the names of the files and 8 bytes a frame
    (40 while all are read first).

    Attributes:
      paths: the files of lines.
      classes: of the network, in its order.
      names: {a record's file: its path below the root}; one file may have several spellings.
      sources: {a record's file, by one spelling: the places in `paths` of its lines, and their
        number}.
      outputs: {a record's file: what its results are called}, see `names.output_names`.
      root: the folder that names are relative to.

    Args:
      paths: files of lines, such as those of several shards.
      root: default: the deepest folder that holds all files of the records.
      widen: take that default too where a file is not below `root`.

    Raises:
      InputError: a line is damaged or not finished, two are of one frame, there is none, they are
        of networks with other classes, or a file is not below `root`.
    """

    def __init__(self, paths: Sequence[Path], root: Path | None = None, widen: bool = False):
        self.paths = list(paths)
        self.classes: tuple[str, ...] = ()
        self._first = ""  # where the classes come from
        files: dict[str, int] = {}  # by the spelling in the records
        numbers: dict[str, int] = {}  # by absolute path
        videos: set[str] = set()
        sources: list[set[int]] = []
        of_file, frames, places = array("q"), array("q"), array("q")
        for number, path in enumerate(self.paths):
            for offset, record in self._read(path):
                file = record["file"]
                if record["time"] is not None:
                    videos.add(file)
                if file not in files:
                    files[file] = numbers.setdefault(os.path.abspath(file), len(numbers))
                    if len(sources) < len(numbers):
                        sources.append(set())
                sources[files[file]].add(number)
                of_file.append(files[file])
                frames.append(record["frame"])
                # One number says where a line begins: files stay below 2**40 bytes.
                places.append(number << 40 | offset)
        if not files:
            raise InputError(f"there is no frame in {', '.join(map(str, self.paths))}.")
        deepest = Path(common_folder(files))
        self.root = deepest if root is None else Path(os.path.abspath(root))
        if widen and not deepest.is_relative_to(self.root):
            self.root = deepest
        self.names = relative_names(files, str(self.root))
        by_name = output_names(self.names.values(), {self.names[file] for file in videos})
        self.outputs = {file: by_name[name] for file, name in self.names.items()}
        ranks = np.empty(len(numbers), np.int64)
        spellings = {number: file for file, number in files.items()}
        order = sorted(
            spellings.values(),
            key=lambda file: [natural_order(Path(x)) for x in self.names[file].split("/")],
        )
        ranks[[files[file] for file in order]] = np.arange(len(order))
        keys = np.frombuffer(frames, np.int64), ranks[np.frombuffer(of_file, np.int64)]
        counts = np.bincount(of_file).tolist()
        self.sources = {file: (sources[n], counts[n]) for n, file in spellings.items()}
        sequence = np.lexsort(keys)
        self._places = np.frombuffer(places, np.int64)[sequence]
        self._check_twice([key[sequence] for key in keys], order)

    def __len__(self) -> int:
        """The number of frames."""
        return len(self._places)

    def __iter__(self) -> Iterator[Record]:
        """Read the lines."""
        opened, file = -1, None
        try:
            for place in self._places.tolist():
                number, offset = place >> 40, place & (1 << 40) - 1
                if number != opened:
                    if file is not None:
                        file.close()
                    opened, file = number, self.paths[number].open("rb")
                assert file is not None
                if file.tell() != offset:
                    file.seek(offset)
                yield json.loads(file.readline())
        finally:
            if file is not None:
                file.close()

    def _read(self, path: Path) -> Iterator[tuple[int, Record]]:
        """Yield where each line begins, bytes, and its checked content."""
        offset, advice = 0, "Give a folder of tcam predict, or its predictions.jsonl."
        for number, line in enumerate(bounded_lines(path, advice), 1):
            where = f"{path}:{number}"
            if not line.endswith(b"\n"):
                raise InputError(
                    f"{where}: the last line has no end, so writing it was interrupted. Run "
                    "the same tcam predict again."
                )
            yield offset, self._checked(line, where)
            offset += len(line)

    def _checked(self, line: bytes, where: str) -> Record:
        try:
            record = parse(line.decode())
        except ValueError as error:
            raise InputError(
                f"{where} is damaged: {error}. Run the same tcam predict again, which does its "
                "file anew; what tcam convert made is to be made again."
            ) from error
        fault = fault_of(record)
        if fault:
            raise InputError(f"{where}: {fault}.")
        classes = tuple(record["probabilities"])
        if not self.classes:
            self.classes, self._first = classes, where
        if classes != self.classes:
            raise InputError(
                f"{where}: its classes are {', '.join(classes)}, those of {self._first} are "
                f"{', '.join(self.classes)}: results of two networks cannot be put together."
            )
        checked: Record = record
        return checked

    def _check_twice(self, keys: Sequence[np.ndarray], order: Sequence[str]) -> None:
        frames, ranks = keys
        again = (frames[1:] == frames[:-1]) & (ranks[1:] == ranks[:-1])
        if again.any():
            place = int(again.argmax())
            first, second = map(self._where, self._places[place : place + 2].tolist())
            raise InputError(
                f"{second}: frame {frames[place]} of {order[ranks[place]]} is in {first} too. Give "
                "each folder of results once; merged ones hold what their shards hold."
            )

    def _where(self, place: int) -> str:
        path, number = self.paths[place >> 40], 1
        with path.open("rb") as file:
            while file.tell() < place & (1 << 40) - 1:
                file.readline()
                number += 1
        return f"{path}:{number}"
