import io
import json
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.builders import shards
from tcam_jax.data.builders.dataset_report import in_words
from tcam_jax.data.builders.findings import Findings
from tcam_jax.data.builders.registry import prepare
from tcam_jax.data.builders.shards import plan_shards
from tcam_jax.data.builders.sources import SourceShot
from tests.data.builders.hand_made import hand_made, jpeg, read, shot
from tests.data.conftest import write_photo_folder

BAD = jpeg(0)[:-200]


def seven_shots():
    """Train: shots of 2, 4, 1, 3, 5 frames in two classes; test: 2 and 1; every frame its own."""
    sizes = {"a/u/0": 2, "a/u/1": 4, "a/v/0": 1, "b/w/0": 3, "b/w/1": 5, "a/x/0": 2, "b/y/0": 1}
    made, number = [], 0
    for name, size in sizes.items():
        made.append(shot(name, [jpeg(number + i) for i in range(size)], {0: (1.0, 2.0, 9.0, 8.0)}))
        number += size
    return {"train": made[:5], "test": made[5:]}


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "FRAMES_PER_SHARD", 5)


def test_shards_hold_whole_shots_in_order_and_about_the_wanted_number_of_frames():
    rng = np.random.default_rng(0)
    shots = [
        SourceShot("a", "v", f"{i}", int(n), []) for i, n in enumerate(rng.integers(1, 700, 200))
    ]
    plan = plan_shards({"train": shots, "test": shots[:1]})
    assert [s for shard in plan if shard.split == "train" for s in shard.shots] == shots
    assert len({shard.stem for shard in plan}) == len(plan)
    frames = [shard.num_frames for shard in plan if shard.split == "train"]
    assert max(frames) < shards.FRAMES_PER_SHARD + 700
    assert np.mean(frames) > shards.FRAMES_PER_SHARD * 0.9
    assert [len(shard.shots) for shard in plan if shard.split == "test"] == [1]


def test_records_come_in_order_across_shards(tmp_path, small_shards):
    hand_made(tmp_path, seven_shots).download_and_prepare()
    folder = tmp_path / "video_folder/hand/1.0.0"
    assert len(list(folder.glob("*-train.array_record-*-of-00003"))) == 3
    for name, shots in seven_shots().items():
        split, records = read(tmp_path, name)
        frames = [frame for s in shots for frame in s.frames]
        assert [r["frame_id"] for r in records] == [frame.frame_id for frame in frames]
        assert [r["image"] for r in records] == [frame.source for frame in frames]
        assert [r["label"] for r in records] == [int(f.frame_id[0] == "b") for f in frames]
        assert (split.table.stop - split.table.start).tolist() == [s.num_frames for s in shots]
        assert split.table.has_box.tolist() == [bool(f.boxes) for f in frames]
    assert not (folder.parent / "1.0.0.unfinished").exists()


class Interrupted(Exception):
    pass


def broken_off(walked: list[str]):
    """The same shots; walking the fourth of train is the end of the process."""

    def splits():
        made = seven_shots()

        def frames(index, one):
            def walk():
                walked.append(f"{one.class_name}/{one.video}/{one.shot}")
                if index == 3:
                    raise Interrupted
                yield from one.frames

            return walk()

        made["train"] = [s._replace(frames=frames(i, s)) for i, s in enumerate(made["train"])]
        return made

    return splits


def test_an_interrupted_preparation_goes_on_with_the_next_shard(tmp_path, small_shards):
    with pytest.raises(Interrupted):
        hand_made(tmp_path / "one", broken_off([])).download_and_prepare()
    unfinished = tmp_path / "one/video_folder/hand/1.0.0.unfinished"
    done = {file.name: file.stat().st_ino for file in unfinished.glob("*.array_record")}
    assert set(done) == {"train-00000.array_record"}

    walked = []

    def recording():
        made = seven_shots()
        for split, shots in made.items():
            made[split] = [s._replace(frames=_walk(s, walked)) for s in shots]
        return made

    hand_made(tmp_path / "one", recording).download_and_prepare()
    assert walked == ["a/u/1", "a/v/0", "b/w/0", "b/w/1", "a/x/0", "b/y/0"]
    hand_made(tmp_path / "two", seven_shots).download_and_prepare()
    one, two = (tmp_path / name / "video_folder/hand/1.0.0" for name in ("one", "two"))
    assert {f.name for f in one.iterdir()} == {f.name for f in two.iterdir()}
    for file in one.iterdir():
        if "array_record" in file.name or file.suffix in (".npz", ".txt") or "report" in file.name:
            assert file.read_bytes() == (two / file.name).read_bytes(), file.name
    first = one / "video_folder-train.array_record-00000-of-00003"
    assert first.stat().st_ino == done["train-00000.array_record"]
    assert not unfinished.exists()


def _walk(one, walked):
    walked.append(f"{one.class_name}/{one.video}/{one.shot}")
    yield from one.frames


@pytest.mark.parametrize("change", ["origin", "shots"])
def test_what_was_made_from_something_else_is_not_used(tmp_path, small_shards, change):
    with pytest.raises(Interrupted):
        hand_made(tmp_path, broken_off([])).download_and_prepare()

    def fewer():
        made = seven_shots()
        return made | {"train": [made["train"][0], *made["train"][2:]]}

    if change == "origin":
        hand_made(tmp_path, seven_shots, origin={"frames": 9}).download_and_prepare()
        wanted = seven_shots()
    else:
        hand_made(tmp_path, fewer).download_and_prepare()
        wanted = fewer()
    _, records = read(tmp_path, "train")
    frames = [frame for s in wanted["train"] for frame in s.frames]
    assert [r["image"] for r in records] == [frame.source for frame in frames]


def test_two_processes_do_not_prepare_the_same_dataset_at_once(tmp_path):
    def splits():
        # While this one is at work, another one comes.
        with pytest.raises(ValueError, match="is in use by process .* Wait until it ends"):
            hand_made(tmp_path, seven_shots).download_and_prepare()
        return seven_shots()

    hand_made(tmp_path, splits).download_and_prepare()
    assert len(read(tmp_path, "train")[1]) == 15


@pytest.mark.slow
def test_a_killed_preparation_is_finished_by_the_next_one(tmp_path):
    source = write_photo_folder(tmp_path / "source", videos=3, shots=2, frames=4)
    program = (
        "import sys\n"
        "from tcam_jax.data.builders import shards\n"
        "from tcam_jax.data.builders.registry import prepare\n"
        "shards.FRAMES_PER_SHARD = 4\n"
        f"prepare('video_folder', 'photos', {str(tmp_path / 'killed')!r}, {str(source)!r})\n"
    )
    unfinished = tmp_path / "killed/video_folder/photos/1.0.0.unfinished"
    process = subprocess.Popen([sys.executable, "-c", program])
    while not list(unfinished.glob("train-*.json")) and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
    prepare("video_folder", "photos", tmp_path / "whole", source)
    for split in ("train", "validation", "test"):
        images = [
            [record["image"] for record in read(tmp_path / name, split, "photos")[1]]
            for name in ("killed", "whole")
        ]
        assert images[0] == images[1] and images[0]
    left = [entry.name for entry in unfinished.parent.iterdir()]
    assert left == ["1.0.0"], "nothing of the killed preparation stays behind"


def faulty():
    """A bad frame, a shot of bad frames, a shot of one frame, the same frame twice."""
    good = [jpeg(number) for number in range(9)]
    return {
        "train": [
            shot("a/v/0", [good[0], BAD, good[1]], {1: (1.0, 2.0, 9.0, 8.0)}),
            shot("a/v/1", [BAD, b""]),
            shot("b/w/0", [good[2]]),
            shot("b/w/1", [good[3], good[3], good[4], good[3]], {0: (-5.0, 2.0, 9.0, 8.0)}),
        ],
        "test": [shot("a/x/0", [good[5]], {0: (1.0, 2.0, 9.0, 8.0)})],
    }


def report_of(data_dir, config="hand"):
    return json.loads((data_dir / f"video_folder/{config}/1.0.0/dataset_report.json").read_text())


def places(report, kind):
    return [place["where"] for place in report["findings"][kind]["places"]]


def test_what_cannot_be_used_is_left_out_and_reported(tmp_path):
    hand_made(tmp_path, faulty, skip_duplicates=True).download_and_prepare()
    _, records = read(tmp_path, "train")
    assert [(r["frame_id"], r["index_in_shot"]) for r in records] == [
        ("a/v/0/0.jpg", 0),
        ("a/v/0/2.jpg", 1),
        ("b/w/0/0.jpg", 0),
        ("b/w/1/0.jpg", 0),
        ("b/w/1/2.jpg", 1),
        ("b/w/1/3.jpg", 2),
    ]
    report = report_of(tmp_path)
    assert {kind: places(report, kind) for kind in report["findings"]} == {
        "undecodable": ["a/v/0/1.jpg", "a/v/1/0.jpg"],
        "box_without_frame": ["box of a/v/0/1.jpg"],
        "zero_bytes": ["a/v/1/1.jpg"],
        "empty_shot": ["a/v/1"],
        "one_frame_shot": ["b/w/0"],
        "box_clipped": ["box of b/w/1/0.jpg"],
        "duplicate": ["b/w/1/1.jpg"],
    }
    assert all(kind["count"] == len(kind["places"]) for kind in report["findings"].values())
    assert report["splits"]["train"]["classes"] == {
        "a": {"videos": 1, "shots": 1, "frames": 2, "boxed_frames": 0, "boxes": 0},
        "b": {"videos": 1, "shots": 2, "frames": 4, "boxed_frames": 1, "boxes": 1},
    }
    assert report["splits"]["train"]["total"] == {
        "videos": 2, "shots": 3, "frames": 6, "boxed_frames": 1, "boxes": 1
    }  # fmt: skip
    assert report["splits"]["test"]["classes"]["b"]["frames"] == 0
    assert report["splits"]["train"]["sizes"] == {"32x24": 6}
    words = in_words(report)
    assert "train: 2 classes, 2 videos, 3 shots, 6 frames, 1 of them with boxes (1)" in words
    assert "class 'b' has no frame in this split" in words
    assert "skipped, 2 times: the image is damaged, of a kind" in words
    assert "    a/v/1/0.jpg (" in words


def test_the_same_frame_twice_is_kept_where_the_dataset_is_a_published_one(tmp_path):
    hand_made(tmp_path, faulty).download_and_prepare()
    assert len(read(tmp_path, "train")[1]) == 7
    assert "duplicate" not in report_of(tmp_path)["findings"]


def test_a_boxed_frame_is_no_duplicate(tmp_path):
    same = [jpeg(1)] * 3

    def splits():
        return {"train": [shot("a/v/0", same, {1: (1.0, 2.0, 9.0, 8.0)}), shot("b/w/0", same)]}

    hand_made(tmp_path, splits, skip_duplicates=True).download_and_prepare()
    ids = [record["frame_id"] for record in read(tmp_path, "train")[1]]
    assert ids == ["a/v/0/0.jpg", "a/v/0/1.jpg", "b/w/0/0.jpg"]


def test_validation_reports_the_same_and_leaves_nothing(tmp_path):
    report = hand_made(tmp_path / "look", faulty).validate(Findings())
    assert not list((tmp_path / "look").rglob("*.array_record*"))
    assert not list((tmp_path / "look").rglob("*unfinished*"))
    hand_made(tmp_path / "do", faulty).download_and_prepare()
    assert report == report_of(tmp_path / "do")


def test_a_strict_preparation_stops_at_the_first_fault(tmp_path):
    builder = hand_made(tmp_path, faulty)
    builder.strict = True
    with pytest.raises(ValueError, match=r"a/v/0/1\.jpg: the image is damaged.* strict prepar"):
        builder.download_and_prepare()
    assert not (tmp_path / "video_folder/hand/1.0.0").exists()


def test_strictness_overlooks_what_the_published_data_are_known_for(tmp_path):
    known = {"undecodable", "zero_bytes", "empty_shot", "box_clipped", "box_without_frame"}
    builder = hand_made(tmp_path, faulty, published=frozenset(known))
    builder.strict = True
    builder.download_and_prepare()
    assert len(read(tmp_path, "train")[1]) == 7


def test_a_shard_of_which_nothing_is_left_is_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "FRAMES_PER_SHARD", 2)
    hand_made(tmp_path, faulty).download_and_prepare()
    split, records = read(tmp_path, "train")
    assert len(split.source) == len(records) == 7
    names = sorted(f.name for f in (tmp_path / "video_folder/hand/1.0.0").glob("*-train.array*"))
    assert [name.split("-of-")[1] for name in names] == [f"{len(names):05d}"] * len(names)


def test_a_class_without_usable_frames_is_an_error(tmp_path):
    def splits():
        return {"train": [shot("a/v/0", [jpeg(0)]), shot("b/w/0", [BAD])]}

    message = r"no usable frame of class b in split 'train'; .*b/w/0/0\.jpg: the image is damaged"
    with pytest.raises(ValueError, match=message):
        hand_made(tmp_path, splits).download_and_prepare()


def test_a_split_without_shots_or_without_usable_frames_is_an_error(tmp_path):
    both = [shot("a/v/0", [jpeg(0)]), shot("b/w/0", [jpeg(1)])]
    with pytest.raises(ValueError, match="at least one shot in split 'test' .* got none"):
        hand_made(tmp_path, lambda: {"train": both, "test": []}).download_and_prepare()
    bad = [shot("a/x/0", [BAD])]
    with pytest.raises(ValueError, match="no usable frame of class a, b in split 'test'"):
        hand_made(tmp_path, lambda: {"train": both, "test": bad}).download_and_prepare()


def test_training_frames_alone_are_shrunk_and_the_name_says_so(tmp_path):
    def splits():
        made = seven_shots()
        return made | {"test": [shot("a/x/0", [jpeg(1, 90, 70)], {0: (50.0, 2.0, 90.0, 60.0)})]}

    hand_made(tmp_path, splits, config="hand_train16").download_and_prepare()
    report = report_of(tmp_path, "hand_train16")
    assert report["config"] == "hand_train16" and report["splits"]["train"]["sizes"] == {
        "32x24": 15
    }
    _, records = read(tmp_path, "train", "hand_train16")
    assert {(r["width"], r["height"]) for r in records} == {(32, 24)}
    assert records[0]["boxes"].tolist() == [[1, 2, 9, 8]]
    assert all(
        r["image"] != f.source for r, f in zip(records, _all(splits()["train"]), strict=True)
    )
    _, [held_out] = read(tmp_path, "test", "hand_train16")
    assert held_out["image"] == jpeg(1, 90, 70)


def _all(shots):
    return [frame for one in shots for frame in one.frames]


def test_without_hard_links_an_interruption_at_the_end_loses_no_more_than_time(
    tmp_path, small_shards, monkeypatch
):
    def interrupt(*args):
        raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr("os.link", lambda *args: (_ for _ in ()).throw(OSError))
        patch.setattr("tcam_jax.data.shot_table.save_tables", interrupt)
        with pytest.raises(Interrupted):
            hand_made(tmp_path, seven_shots).download_and_prepare()
    hand_made(tmp_path, seven_shots).download_and_prepare()
    assert [r["image"] for r in read(tmp_path, "train")[1]] == [
        frame.source for frame in _all(seven_shots()["train"])
    ]


@pytest.mark.slow
def test_a_full_disk_is_one_clear_error(tmp_path):
    program = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from tests.data.builders.test_shards import hand_made, seven_shots\n"
        "from tcam_jax.runtime.errors import InputError\n"
        f"builder = hand_made(__import__('pathlib').Path({str(tmp_path)!r}), seven_shots)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        "try:\n"
        "    builder.download_and_prepare()\n"
        "except InputError as error:\n"
        "    sys.exit(str(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1 and "cannot be written" in done.stderr, done.stderr
    assert "make room" in done.stderr and "Traceback" not in done.stderr


def test_frames_that_become_the_same_when_shrunk_are_no_duplicates(tmp_path):
    pixels = Image.open(io.BytesIO(jpeg(1)))
    files = []
    for progressive in (False, True):
        files.append(io.BytesIO())
        pixels.save(files[-1], "JPEG", quality=95, progressive=progressive)
    contents = [file.getvalue() for file in files]

    def splits():
        return {"train": [shot("a/v/0", contents), shot("b/w/0", [contents[0]] * 2)]}

    builder = hand_made(tmp_path, splits, config="hand_train16", skip_duplicates=True)
    builder.download_and_prepare()
    records = read(tmp_path, "train", "hand_train16")[1]
    assert [record["frame_id"] for record in records] == [
        "a/v/0/0.jpg",
        "a/v/0/1.jpg",
        "b/w/0/0.jpg",
    ]
    assert records[0]["image"] == records[1]["image"]


def test_a_dying_writer_leaves_no_half_shard(tmp_path, small_shards):
    with pytest.raises(Interrupted):
        hand_made(tmp_path, broken_off([])).download_and_prepare()
    unfinished = tmp_path / "video_folder/hand/1.0.0.unfinished"
    shutil.rmtree(unfinished / "sources")
    (unfinished / "train-00001.unfinished").write_bytes(b"half a shard")
    hand_made(tmp_path, seven_shots).download_and_prepare()
    assert [r["image"] for r in read(tmp_path, "train")[1]] == [
        frame.source for frame in _all(seven_shots()["train"])
    ]
