"""The log goes on, in its file, whatever becomes of standard output and standard error."""

import io
import os
import shutil
import sys

import pytest

from tcam_jax.runtime.log import is_terminal, log, start_logging
from tcam_jax.train.logs import Progress


def _closed_pipe() -> io.TextIOBase:
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "w", buffering=1)


def _closed() -> io.TextIOBase:
    stream = io.TextIOWrapper(io.BytesIO())
    stream.close()
    return stream


def _ascii() -> io.TextIOBase:
    return io.TextIOWrapper(io.BytesIO(), encoding="ascii")


GONE = {
    "a pipe without a reader": _closed_pipe,
    "a full disk": lambda: open("/dev/full", "w", buffering=1),  # noqa: SIM115
    "closed": _closed,
    "none from the start": lambda: None,
    "ascii alone": _ascii,
}


@pytest.fixture(autouse=True)
def _as_before():
    level, propagate = log.level, log.propagate
    yield
    for handler in log.handlers[:]:
        log.removeHandler(handler)
    log.setLevel(level)
    log.propagate = propagate


@pytest.mark.parametrize("also_errors", [False, True])
@pytest.mark.parametrize("gone", GONE)
def test_a_lost_terminal_costs_no_line_of_the_file(tmp_path, monkeypatch, gone, also_errors):
    stream = GONE[gone]()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        if also_errors:
            patch.setattr(sys, "stderr", stream)
        start_logging(tmp_path)
        for step in range(3):
            log.info("step %d: τ = 0.5, %s", step, "caf\udce9")
        log.warning("a warning")
        progress = Progress("classifier", 0, 2)  # of a run that begins then
        progress.advance()
        timing = dict.fromkeys(("examples_per_second", "seconds_data", "seconds_step"), 1.0)
        progress.report(1, 0.5, timing)
        progress.close()
        log.info("%d", "a mistake in the call")  # to be seen by its author, no reason to stop
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert [line.split(" ", 1)[1] for line in lines[:4]] == [
        *(f"step {step}: τ = 0.5, caf\\udce9" for step in range(3)),
        "a warning",
    ]
    assert "classifier step 1/2 loss 0.5" in lines[4]
    if gone == "ascii alone":
        stream.seek(0)
        assert "step 2: \\u03c4 = 0.5, caf\\udce9" in stream.read()


@pytest.mark.parametrize("gone", GONE)
def test_so_do_the_warnings_of_a_process_beside_the_first(tmp_path, monkeypatch, gone):
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", GONE[gone]())
        start_logging(tmp_path, quiet=True)
        log.getChild("data").warning("τ")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_under_the_file_stops_no_line_on_the_terminal(tmp_path, capsys):
    (tmp_path / "log.txt").symlink_to("/dev/full")
    start_logging(tmp_path)
    log.info("one")
    log.info("two")
    shown = capsys.readouterr()
    assert [line[9:] for line in shown.out.splitlines()] == ["one", "two"] and not shown.err


def test_what_is_no_terminal():
    assert not any(map(is_terminal, (None, _closed(), _ascii())))


def test_a_removed_file_is_made_anew_and_a_removed_folder_stops_nothing(tmp_path, capsys):
    (tmp_path / "run").mkdir()
    start_logging(tmp_path / "run")
    log.info("one")
    (tmp_path / "run" / "log.txt").unlink()
    log.info("two")
    assert (tmp_path / "run" / "log.txt").read_text().endswith("two\n")
    shutil.rmtree(tmp_path / "run")
    log.info("three")
    assert "three" in capsys.readouterr().out and not (tmp_path / "run").exists()
