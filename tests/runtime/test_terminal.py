"""Hostile names on the terminal and in the log: seen, in their line, and without any effect."""

import logging
import warnings

import pytest

from tcam_jax.commands import command_line
from tcam_jax.data.builders.dataset_report import in_words as report_in_words
from tcam_jax.data.folder_walk import in_words, walk
from tcam_jax.predict.inputs import frames_of
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.log import log, start_logging
from tests.hostile_names import CLASS, FILE, is_plain, shown


def error(name, folder, capsys):
    def main():
        raise InputError(f"{name} cannot be used", "  nor can this:", f"  {name}")

    with pytest.raises(SystemExit):
        command_line._reporting(main, lambda: False)
    return capsys.readouterr().err, [
        f"error: {shown(name)} cannot be used", "  nor can this:", f"  {shown(name)}"
    ]  # fmt: skip


def logged(name, folder, capsys):
    start_logging(folder)
    log.getChild("data").warning("left out: %s", name)
    line = f"left out: {shown(name)}"
    in_file = (folder / "log.txt").read_text(encoding="utf-8")
    return capsys.readouterr().out.split(" ", 1)[1] + in_file.split(" ", 1)[1], [line, line]


def logged_beside(name, folder, capsys):
    start_logging(folder, quiet=True)
    log.getChild("data").warning("left out: %s", name)
    return capsys.readouterr().err, [f"left out: {shown(name)}"]


def left_out(name, folder, capsys):
    (folder / name).write_bytes(b"")
    told = in_words(walk(folder)[1], folder)
    hidden = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    expected = f"left out: whose names are no UTF-8 text: 1 ({shown(hidden)})"
    return told, [expected] if "\udce9" in name else [""]


def warned(name, folder, capsys):
    (folder / name).write_bytes(b"no image")
    (folder / "a.png").touch()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        list(frames_of([folder / name]))
    (one,) = told
    assert "cannot be read as an image" in str(one.message)
    return str(one.message).partition(": cannot")[0], [shown(folder / name)]


def validated(name, folder, capsys):
    kind = {"action": "skipped", "count": 1, "meaning": "m"}
    places = [{"where": name, "detail": name}]
    report = {
        "name": "n",
        "config": "c",
        "splits": {},
        "findings": {"k": kind | {"places": places}},
    }
    return report_in_words(report), [
        "n/c", "  skipped, 1 times: m", f"    {shown(name)} ({shown(name)})"
    ]  # fmt: skip


@pytest.fixture
def as_before(monkeypatch):
    monkeypatch.setattr(log, "handlers", [])
    level, propagate = log.level, log.propagate
    yield
    log.level, log.propagate = level, propagate
    log.getChild("data").setLevel(logging.NOTSET)


@pytest.mark.parametrize("name", [CLASS.replace("/", ""), FILE], ids=["class", "file"])
@pytest.mark.parametrize(
    "writer", [error, logged, logged_beside, left_out, warned, validated], ids=lambda w: w.__name__
)
def test_in_a_terminal_it_is_seen_and_steers_nothing(tmp_path, capsys, as_before, writer, name):
    text, expected = writer(name, tmp_path, capsys)
    lines = text.removesuffix("\n").split("\n")
    assert lines == expected and all(map(is_plain, lines))


def test_in_a_terminal_all_scripts_stay_as_they_are(capsys, as_before):
    words = "猫 हिन्दी‌‍ עברית 👨‍👩‍👧 é \u00a0"
    assert error(words, None, capsys)[0].split("\n")[0] == f"error: {words} cannot be used"
