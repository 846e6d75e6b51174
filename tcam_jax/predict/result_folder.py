"""The folder that predictions go to: what is finished stays so, whatever ends the process."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from tcam_jax.predict.other_settings import differences
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import cannot_write, write_whole, writing_whole
from tcam_jax.runtime.json_files import bounded_lines, parse, read_json
from tcam_jax.runtime.lock import check_held, locked

RECORDS, FINISHED, SETTINGS = "predictions.jsonl", "finished.jsonl", "settings.json"


class ResultFolder:
    """A folder with a line for each frame, and one for each finished file.

    A context manager. Files that an earlier call finished with the same settings are finished as
    long as all their lines and what was drawn of them are there, and they have the same size; the
    lines of others, and damaged ones, are taken out when it is entered.

    Args:
      folder: made if need be.
      settings: what the results depend on, of JSON's types.

    Raises:
      InputError: on entering: `folder` has results of other settings or is in use; from any method:
        it cannot be written.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]):
        self.folder, self._settings = folder, dict(settings)
        self.warnings: list[str] = []
        """What was found damaged, lost or changed on entering, a sentence each."""
        # Of finished files, by absolute path: one file may be given by several spellings.
        self._notes: dict[str, dict[str, Any]] = {}
        self._opened = ExitStack()

    def __enter__(self) -> "ResultFolder":
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._opened.enter_context(locked(self.folder))
            self._check_settings()
            self._take_stock()
            # First the notes: a line without one is taken out by the next call.
            self._rewrite(FINISHED, (_to_line(note) for note in self._notes.values()))
            self._rewrite(RECORDS, self._lines_of_finished())
            self._records = self._open(RECORDS)
            self._finished = self._open(FINISHED)
        except OSError as error:
            self._opened.close()
            raise InputError(
                f"--output={self.folder} must be a folder to write to: {error.strerror}."
            ) from error
        except BaseException:
            self._opened.close()
            raise
        return self

    def write(self, record: Mapping[str, Any]) -> None:
        """Add a frame's line."""
        self._add(self._records, record)

    def is_finished(self, file: Path) -> bool:
        """Whether all of the file's results are here, however its path is spelled."""
        return os.path.abspath(file) in self._notes

    def made(self) -> set[str]:
        """What was made of the finished files, relative to this folder."""
        return {name for note in self._notes.values() for name in note.get("made", ())}

    def finish(
        self, file: str, size: int, frames: int, fault: str | None, made: Iterable[Path] = ()
    ) -> None:
        """Note that all frames of a file are there.

        Args:
          file: as its frames' records name it.
          size: of the file, bytes: one that has another later is another file; 0 of a camera.
          frames: how many it has here.
          fault: why they are not all of them; None where they are.
          made: files and folders of it, relative to this one; it is done again where one is lost.
        """
        line = {"file": file, "bytes": size, "frames": frames, "fault": fault}
        line["made"] = [path.as_posix() for path in made]
        self._add(self._finished, line)
        self._notes[os.path.abspath(file)] = line

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._opened.close()
        except OSError as fault:  # of a full disk again, where `error` is that
            if error is None:
                raise cannot_write(self.folder, fault) from fault

    def _open(self, name: str) -> TextIO:
        # Whole lines, whatever ends the process.
        return self._opened.enter_context((self.folder / name).open("a", buffering=1))

    def _add(self, lines: TextIO, record: Mapping[str, Any]) -> None:
        check_held(self.folder / RECORDS)
        try:
            lines.write(_to_line(record))
        except OSError as error:
            raise cannot_write(self.folder, error) from error

    def _check_settings(self) -> None:
        path = self.folder / SETTINGS
        if not path.exists():
            if (self.folder / RECORDS).exists():
                raise InputError(
                    f"--output={self.folder} must be a new folder: there are results of an earlier "
                    f"version, without {SETTINGS}."
                )
            write_whole(path, json.dumps(self._settings, indent=2) + "\n")
            return
        advice = "Choose another folder, or delete this one."
        before = read_json(path, dict[str, Any], advice)
        if different := differences(before, self._settings):
            raise InputError(
                f"--output={self.folder} has results of other settings: {different}. Give those of "
                "before, choose another folder, or delete this one."
            )

    def _take_stock(self) -> None:
        """Find the files that are finished, and say what is wrong with others."""
        lines: Counter[str] = Counter()  # by the spelling in the records
        for name in (FINISHED, RECORDS):
            damaged = []
            for number, (_, record) in enumerate(read_lines(self.folder / name), 1):
                if record is None:
                    damaged.append(number)
                elif name == RECORDS:
                    lines[record["file"]] += 1
                else:
                    self._notes[os.path.abspath(record["file"])] = record
            if damaged:
                self.warnings.append(
                    f"{self.folder / name}: what cannot be read is taken out (line "
                    f"{', '.join(map(str, damaged[:5]))}{', …' if damaged[5:] else ''})."
                )
        there: Counter[str] = Counter()
        for file, count in lines.items():
            there[os.path.abspath(file)] += count
        for place, note in list(self._notes.items()):
            if fault := self._fault(note, there[place]):
                self.warnings.append(f"{note['file']}: to be predicted again: {fault}.")
                del self._notes[place]

    def _fault(self, note: Mapping[str, Any], lines: int) -> str:
        """Why a file that was finished is to be done again; "" where it is not."""
        file, size, frames = note["file"], note.get("bytes"), note.get("frames")
        if size == 0:  # a camera: what it saw does not come again
            return ""
        if lines != frames:
            return f"{self.folder / RECORDS} has {lines} lines of it, and had {frames}"
        if os.path.exists(file) and os.path.getsize(file) != size:
            return f"it had {size} bytes, it has {os.path.getsize(file)}"
        lost = [name for name in note.get("made", ()) if not (self.folder / name).exists()]
        return f"{self.folder / lost[0]} is gone" if lost else ""

    def _lines_of_finished(self) -> Iterator[str]:
        kept: dict[str, bool] = {}
        for line, record in read_lines(self.folder / RECORDS):
            if record is not None:
                file = record["file"]
                if file not in kept:
                    kept[file] = os.path.abspath(file) in self._notes
                if kept[file]:
                    yield line.decode()

    def _rewrite(self, name: str, lines: Iterable[str]) -> None:
        with writing_whole(self.folder / name) as kept:
            kept.writelines(lines)


def _to_line(record: Mapping[str, Any]) -> str:
    return json.dumps(record) + "\n"


def read_lines(path: Path) -> Iterator[tuple[bytes, dict[str, Any] | None]]:
    """Yield each line and its record, None of a damaged one; not a last line without an end.

    Raises:
      InputError: the file cannot be read, or is no file of lines.
    """
    if not path.exists():
        return
    for line in bounded_lines(path, "Choose another folder, or delete this one."):
        if not line.endswith(b"\n"):
            return
        try:
            record = parse(line.decode())
        except ValueError:
            record = None
        yield line, record if _is_record(record) else None


def _is_record(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("file"), str):
        return False
    made = value.get("made", [])  # of a finished file
    return isinstance(made, list) and all(isinstance(name, str) for name in made)
