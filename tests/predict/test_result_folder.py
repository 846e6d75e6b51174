"""Results of several calls: what is finished stays, what is not is done again."""

import json
import shutil
from pathlib import Path

import pytest

from tcam_jax.predict.other_settings import differences
from tcam_jax.predict.result_folder import ResultFolder
from tcam_jax.runtime.errors import InputError
from tests.small_disk import small_disk


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
        assert results.is_finished(Path("a.mp4")) and not results.is_finished(Path("b.mp4"))
        assert results.is_finished(Path("x/../a.mp4").absolute()) and not results.warnings
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
        pytest.raises(InputError, match=r"other settings: --tau was 0\.4, it is 0\.5\. Give "),
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


def test_all_settings_that_differ_are_named_as_flags():
    before = {
        "network": "a",
        "masks": True,
        "overlays": True,
        "tau": 0.5,
        "class_name": "x",
        "z": 1,
    }
    now = {"network": "b", "masks": False, "overlays": False, "stride": 2, "z": 1}
    assert differences(before, now).split("; ") == [
        "--class was x, it is not given",
        "--format had masks, it has none",
        "--workdir or --model is another network, or trained or evaluated anew",
        "--overlays was on, it is off",
        "--stride was not given, it is 2",
        "--tau was 0.5, it is not given",
    ]
    assert differences({"masks": False}, {"masks": True}) == "--format had no masks, it has them"
    assert differences(now, now) == ""


def whole(folder, video):
    """A video of 9 bytes and a camera, finished; two lines and one."""
    video.write_bytes(b"123456789")
    (folder / "overlays").mkdir(parents=True)
    (folder / "overlays" / "v.mp4").touch()
    with ResultFolder(folder, {}) as results:
        for i in range(2):
            results.write({"file": str(video), "frame": i})
        results.finish(str(video), 9, 2, None, [Path("overlays/v.mp4")])
        results.write({"file": "camera:0", "frame": 0})
        results.finish("camera:0", 0, 1, None)


def change(path, old, new):
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (
            lambda out, video: change(out / "predictions.jsonl", '"frame": 1}\n', '"fr\n'),
            "1 lines of",
        ),
        (
            lambda out, video: change(out / "predictions.jsonl", '"frame": 1}\n', '"fr'),
            "1 lines of",
        ),
        (lambda out, video: change(out / "predictions.jsonl", "{", "[1]\nx{"), "1 lines of"),
        (lambda out, video: (out / "predictions.jsonl").unlink(), "0 lines of it, and had 2"),
        (lambda out, video: video.write_bytes(b"12345"), "it had 9 bytes, it has 5"),
        (lambda out, video: (out / "overlays/v.mp4").unlink(), "v.mp4 is gone"),
        (lambda out, video: change(out / "finished.jsonl", "{", ""), "taken out (line 1)"),
        (
            lambda out, video: change(out / "finished.jsonl", '["ov', '[7, "ov'),
            "taken out (line 1)",
        ),
        (lambda out, video: change(out / "finished.jsonl", '["overlays/v.mp4"]', "7"), "(line 1)"),
        (lambda out, video: change(out / "finished.jsonl", ": 9", ': "9"'), "it had 9 bytes, it"),
    ],
)
def test_a_file_is_finished_while_all_its_results_are_there(tmp_path, damage, told):
    out, video = tmp_path / "out", tmp_path / "v.mp4"
    whole(out, video)
    with ResultFolder(out, {}) as results:
        assert results.is_finished(video) and not results.warnings
    damage(out, video)
    with ResultFolder(out, {}) as results:
        assert any(told in warning for warning in results.warnings)
        assert not results.is_finished(video) and results.is_finished(Path("camera:0"))
        assert all(line["file"] == "camera:0" for line in lines(out))
        for i in range(2):
            results.write({"file": str(video), "frame": i})
        results.finish(str(video), video.stat().st_size, 2, None)
    with ResultFolder(out, {}) as results:
        assert results.is_finished(video) and not results.warnings
    assert [x["frame"] for x in lines(out) if x["file"] == str(video)] == [0, 1]


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


def predict_all(folder):
    with ResultFolder(folder, {}) as results:
        for name in "abcdefgh":
            if not results.is_finished(Path(name)):
                for i in range(2):
                    results.write({"file": name, "frame": i})
                results.finish(name, 1, 2, None)


@pytest.mark.parametrize("size", [0, 50, 100, 150, 200, 250])
def test_a_full_disk_is_one_error_and_room_on_it_goes_on(tmp_path, size):
    with (
        small_disk(size),
        pytest.raises(InputError, match=r"cannot be written|must be a folder"),
    ):
        predict_all(tmp_path / "out")
    assert not list(tmp_path.rglob(".*.tmp"))
    predict_all(tmp_path / "out")
    names = [name for name in "abcdefgh" for _ in range(2)]
    assert [line["file"] for line in lines(tmp_path / "out")] == names
    with small_disk(100), pytest.raises(InputError, match=r"jsonl cannot be written"):
        predict_all(tmp_path / "out")
    assert not list(tmp_path.rglob(".*.tmp"))
    assert [line["file"] for line in lines(tmp_path / "out")] == names


@pytest.mark.parametrize("content", ["", "[]", "null", "{", '{"tau": 1, "tau": 2}', "[" * 10**5])
def test_damaged_settings_are_one_error_and_nothing_is_lost(tmp_path, content):
    half_done(tmp_path)
    before = (tmp_path / "predictions.jsonl").read_bytes()
    (tmp_path / "settings.json").write_text(content)
    with (
        pytest.raises(InputError, match=r"settings\.json is damaged: .* Choose another folder"),
        ResultFolder(tmp_path, {"tau": 0.4}),
    ):
        pass
    assert (tmp_path / "predictions.jsonl").read_bytes() == before


def test_a_folder_that_is_deleted_meanwhile_is_noticed_at_the_next_line(tmp_path):
    folder = tmp_path / "out"
    with ResultFolder(folder, {}) as results:
        results.write({"file": "a.mp4", "frame": 0})
        shutil.rmtree(folder)
        with pytest.raises(InputError, match="out was deleted, moved or replaced"):
            results.write({"file": "a.mp4", "frame": 1})
