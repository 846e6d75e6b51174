"""Results of several calls: what is finished stays, what is not is done again."""

import json

import pytest

from tcam_jax.predict.result_folder import ResultFolder
from tcam_jax.runtime.errors import InputError


def lines(folder, name="predictions.jsonl"):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def half_done(folder):
    """One file finished, another begun, the last line torn."""
    with ResultFolder(folder, {"tau": 0.4}) as results:
        for file, frames in (("a.mp4", 2), ("b.mp4", 1)):
            for i in range(frames):
                results.write({"file": file, "frame": i})
            if file == "a.mp4":
                results.finish(file, 10, frames, "breaks off")
    for name in ("predictions.jsonl", "finished.jsonl"):
        with (folder / name).open("a") as file:
            file.write('{"file": "b.mp4", "fra')


def test_what_was_finished_is_kept_and_the_rest_done_again(tmp_path):
    half_done(tmp_path)
    with ResultFolder(tmp_path, {"tau": 0.4}) as results:
        assert results.finished == {"a.mp4": 10}
        results.write({"file": "b.mp4", "frame": 0})
        results.finish("b.mp4", 7, 1, None)
    assert [(x["file"], x["frame"]) for x in lines(tmp_path)] == [
        ("a.mp4", 0),
        ("a.mp4", 1),
        ("b.mp4", 0),
    ]
    finished = [(x["file"], x["fault"]) for x in lines(tmp_path, "finished.jsonl")]
    assert finished == [("a.mp4", "breaks off"), ("b.mp4", None)]
    assert not list(tmp_path.glob(".*.tmp"))


def test_other_settings_and_other_versions_are_refused_and_nothing_is_lost(tmp_path):
    half_done(tmp_path)
    before = (tmp_path / "predictions.jsonl").read_bytes()
    with (
        pytest.raises(InputError, match=r"other settings: tau was 0\.4, it is 0\.5"),
        ResultFolder(tmp_path, {"tau": 0.5}),
    ):
        pass
    (tmp_path / "settings.json").unlink()
    with (
        pytest.raises(InputError, match="results of an earlier version"),
        ResultFolder(tmp_path, {"tau": 0.4}),
    ):
        pass
    assert (tmp_path / "predictions.jsonl").read_bytes() == before


def test_a_damaged_line_is_named(tmp_path):
    half_done(tmp_path)
    content = (tmp_path / "predictions.jsonl").read_text()
    (tmp_path / "predictions.jsonl").write_text("{\n" + content)
    with (
        pytest.raises(InputError, match=r"predictions\.jsonl line 1 is damaged"),
        ResultFolder(tmp_path, {"tau": 0.4}),
    ):
        pass


def test_one_process_at_a_time_and_a_folder_to_write_to(tmp_path):
    with (
        ResultFolder(tmp_path / "a", {}),
        pytest.raises(InputError, match="in use by process"),
        ResultFolder(tmp_path / "a", {}),
    ):
        pass
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match=r"--output=.*file must be a folder"),
        ResultFolder(tmp_path / "file", {}),
    ):
        pass
