"""The folder that predictions go to: what is finished stays so, whatever ends the process."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import cannot_write, temporary_name, write_whole
from tcam_jax.runtime.lock import locked

RECORDS, FINISHED, SETTINGS = "predictions.jsonl", "finished.jsonl", "settings.json"


class ResultFolder:
    """A folder with a line for each frame, and one for each finished file.

    A context manager. Files that an earlier call finished with the same settings are `finished`;
    the lines of one that was not are taken out when it is entered.

    Args:
      folder: made if need be.
      settings: what the results depend on, of JSON's types.

    Raises:
      InputError: on entering: `folder` has results of other settings or is in use; from any method:
        it cannot be written.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]):
        self.folder, self._settings = folder, dict(settings)
        self.finished: dict[str, int] = {}
        """Each finished file's size in bytes when it was."""
        self._opened = ExitStack()

    def __enter__(self) -> "ResultFolder":
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._opened.enter_context(locked(self.folder))
            self._check_settings()
            self.finished = {
                record["file"]: record["bytes"] for record in read_lines(self.folder / FINISHED)
            }
            self._rewrite(FINISHED)  # without a last line that is half there
            self._rewrite(RECORDS)
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

    def finish(self, file: str, size: int, frames: int, fault: str | None) -> None:
        """Note that all frames of a file are there.

        Args:
          file: as its frames' records name it.
          size: of the file, bytes: one that has another later is another file.
          frames: how many it has here.
          fault: why they are not all of them; None where they are.
        """
        line = {"file": file, "bytes": size, "frames": frames, "fault": fault}
        self._add(self._finished, line)
        self.finished[file] = size

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.close()

    def _open(self, name: str) -> TextIO:
        # Whole lines, whatever ends the process.
        return self._opened.enter_context((self.folder / name).open("a", buffering=1))

    def _add(self, lines: TextIO, record: Mapping[str, Any]) -> None:
        try:
            lines.write(json.dumps(record) + "\n")
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
        before = json.loads(path.read_text())
        for name in sorted(before.keys() | self._settings.keys()):
            if before.get(name) != self._settings.get(name):
                raise InputError(
                    f"--output={self.folder} has results of other settings: {name} was "
                    f"{before.get(name)!r}, it is {self._settings.get(name)!r}. Choose another "
                    "folder, or delete this one."
                )

    def _rewrite(self, name: str) -> None:
        """Keep the whole lines of finished files."""
        path = self.folder / name
        temporary = temporary_name(path)
        with temporary.open("w") as kept:
            for record in read_lines(path):
                if record["file"] in self.finished:
                    kept.write(json.dumps(record) + "\n")
        temporary.replace(path)


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a file of lines; the last one that was not written to its end is not.

    Raises:
      InputError: another line is damaged.
    """
    if not path.exists():
        return
    with path.open() as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith("\n"):
                return
            try:
                yield json.loads(line)
            except ValueError as error:
                raise InputError(f"{path} line {number} is damaged: {error}.") from error
