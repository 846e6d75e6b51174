import json
import logging

import pytest
from PIL import Image

from tcam_jax.data.builders import shards
from tcam_jax.data.builders.registry import prepare, validate
from tcam_jax.data.records import open_split

SPLITS = ("train", "validation", "test")


def write_frames(root, shots: dict[str, int], size=(24, 16)):
    """`shots`: {"class/video/shot": frames}; every frame has a grey level of its own."""
    number = 0
    for shot, frames in shots.items():
        (root / shot).mkdir(parents=True)
        for frame in range(frames):
            level = (37 * number) % 256
            Image.new("RGB", size, (level, 128, 255 - level)).save(root / shot / f"f{frame}.jpg")
            number += 1
    return root


def frame_ids(data_dir, config, split):
    opened = open_split(data_dir, "video_folder", config, split)
    return [e["frame_id"] for e in opened.read(range(opened.table.num_records))]


def test_whole_videos_go_to_one_split_and_no_frame_is_lost(photo_data, photo_folder):
    videos = {}
    everything = []
    for split in SPLITS:
        opened = open_split(photo_data, "video_folder", "photos", split)
        examples = opened.read(range(opened.table.num_records))
        videos[split] = {example["video"] for example in examples}
        everything += [example["frame_id"] for example in examples]
        assert {example["label"] for example in examples} == {0, 1}
    assert [len(videos[split]) for split in SPLITS] == [4, 2, 2]
    assert len(set.union(*videos.values())) == 8
    assert sorted(everything) == sorted(
        file.relative_to(photo_folder).as_posix() for file in photo_folder.glob("*/*/*/*.jpg")
    )


def test_several_boxes_a_frame_are_kept_in_the_order_of_the_file(photo_data, photo_folder):
    first = (photo_folder / "boxes.csv").read_text().splitlines()[1].split(",")[0]
    for split in SPLITS:
        opened = open_split(photo_data, "video_folder", "photos", split)
        for example in opened.read(range(opened.table.num_records)):
            expected = [[1, 2.5, 30, 40]] if example["label"] == 0 else []
            if example["frame_id"] == first:
                expected.append([0, 0, 77, 51])
            assert example["boxes"].tolist() == expected


def test_frames_come_in_natural_order_and_many_shards_keep_it(tmp_path, monkeypatch):
    root = write_frames(tmp_path / "src", {f"a/v{v}/s{s}": 12 for v in range(3) for s in range(2)})
    monkeypatch.setattr(shards, "FRAMES_PER_SHARD", 12)
    prepare("video_folder", "mine", tmp_path / "data", root)
    for split in SPLITS:
        ids = frame_ids(tmp_path / "data", "mine", split)
        videos = sorted({name.split("/")[1] for name in ids})
        assert ids == [
            f"a/{v}/s{s}/f{frame}.jpg" for v in videos for s in range(2) for frame in range(12)
        ]
    assert len(list((tmp_path / "data/video_folder/mine/1.0.0").glob("*-train.array*"))) == 2


@pytest.mark.parametrize("split_by", ["video", "time"])
def test_one_video_a_class_is_split_by_time(tmp_path, caplog, capsys, split_by):
    root = write_frames(tmp_path / "src", {"a/v/s": 20, "b/v/s0": 10, "b/v/s1": 2})
    with caplog.at_level(logging.WARNING):
        prepare("video_folder", "mine", tmp_path / "data", root, split_by=split_by)
    # One warning for all classes; and nothing of what TFDS would say.
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == (split_by == "video")
    said = "".join(capsys.readouterr())
    assert not any(noise in said for noise in ("Unknown size", "downloaded", "custom data"))
    if told:
        assert told[0].startswith("2 of 2 classes have too few videos to give train, validation, ")
        assert "'a' (1), 'b' (1). They are split by time" in told[0]
    ids = {split: frame_ids(tmp_path / "data", "mine", split) for split in SPLITS}
    # Contiguous pieces in order of time; the shot too short to cut stays in train.
    assert sum(ids.values(), [])[:14] == [f"a/v/s/f{i}.jpg" for i in range(14)]
    of_a = [name for split in SPLITS for name in ids[split] if name.startswith("a/")]
    assert of_a == [f"a/v/s/f{i}.jpg" for i in range(20)]
    assert [sum(name.startswith("a/") for name in ids[s]) for s in SPLITS] == [14, 3, 3]
    assert [name for name in ids["train"] if "/s1/" in name] == ["b/v/s1/f0.jpg", "b/v/s1/f1.jpg"]
    validation = open_split(tmp_path / "data", "video_folder", "mine", "validation")
    assert validation.table.index_in_shot[:3].tolist() == [0, 1, 2]


def test_without_boxes_everything_is_there_and_unlabelled(tmp_path):
    root = write_frames(tmp_path / "src", {f"a/v{v}/s": 2 for v in range(3)})
    prepare("video_folder", "mine", tmp_path / "data", root)
    for split in SPLITS:
        table = open_split(tmp_path / "data", "video_folder", "mine", split).table
        assert table.num_records == 2 and not table.has_box.any()


def test_a_fraction_of_zero_leaves_the_split_out(tmp_path):
    root = write_frames(tmp_path / "src", {f"a/v{v}/s": 2 for v in range(2)})
    prepare("video_folder", "mine", tmp_path / "data", root, fractions=(0.5, 0.5, 0))
    assert len(frame_ids(tmp_path / "data", "mine", "validation")) == 2
    with pytest.raises(ValueError, match="unknown split 'test'; .* train, validation"):
        open_split(tmp_path / "data", "video_folder", "mine", "test")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda root: Image.new("RGB", (9, 9)).save(root / "a/v0/x.jpg"),
            r"a/v0 holds both frames \(x\.jpg\) and shot folders \(s\); expected class/video/shot",
        ),
        (
            lambda root: (root / "empty/v0/s").mkdir(parents=True),
            "'empty' in .* no videos with fr",
        ),
        (lambda root: (root / "empty").mkdir(), "class 'empty' in .* has no videos; expected"),
        (
            lambda root: Image.new("RGB", (9, 9)).save(root / "a/x.jpg"),
            r"a/x\.jpg lies too high in the folders; expected class/video/shot",
        ),
        (
            lambda root: Image.new("RGB", (9, 9)).save(root / "x.jpg"),
            r"x\.jpg belongs to no class; expected class/video/shot",
        ),
        (
            lambda root: (root / "boxes.csv").write_text("frame,x0,y0,x1,y1\nv0/f0.jpg,0,0,5,5\n"),
            r"no box of boxes\.csv can be used; the first: .*line 2: .*\(v0/f0\.jpg; did you mean",
        ),
        (
            lambda root: (root / "boxes.csv").write_bytes("frame,ü".encode("utf-16")),
            r"boxes\.csv cannot be read as CSV in UTF-8",
        ),
    ],
)
def test_bad_sources_are_named_and_leave_nothing_behind(tmp_path, spoil, message):
    root = write_frames(tmp_path / "src", {f"a/v{v}/s": 3 for v in range(3)})
    spoil(root)
    with pytest.raises(ValueError, match=message):
        prepare("video_folder", "mine", tmp_path / "data", root)
    assert not list((tmp_path / "data").rglob("dataset_info.json"))


def test_a_video_that_changes_its_class_makes_another_dataset(tmp_path):
    root = write_frames(tmp_path / "src", {f"{c}/v{c}{v}/s": 2 for c in "ab" for v in range(4)})
    prepare("video_folder", "mine", tmp_path / "data", root)
    (root / "a/va0").rename(root / "b/va0")
    with pytest.raises(ValueError, match=r"was prepared with names_and_sizes=.* is wanted"):
        prepare("video_folder", "mine", tmp_path / "data", root)


def test_a_link_to_a_video_is_not_a_second_video(tmp_path):
    root = write_frames(tmp_path / "src", {f"a/v{v}/s": 2 for v in range(3)})
    (root / "a/w").symlink_to("v0")
    folder = prepare("video_folder", "mine", tmp_path / "data", root)
    findings = json.loads((folder / "dataset_report.json").read_text())["findings"]
    assert findings["same_video"]["places"] == [{"where": "a/w", "detail": "a/v0 is the same"}]
    assert sum(len(frame_ids(tmp_path / "data", "mine", split)) for split in SPLITS) == 6


def test_a_boxes_file_may_be_a_link_but_not_to_nowhere(tmp_path):
    root = write_frames(tmp_path / "src", {f"a/v{v}/s": 2 for v in range(3)})
    (root / "boxes.csv").symlink_to(tmp_path / "elsewhere.csv")
    with pytest.raises(ValueError, match=r"boxes\.csv is a link that leads nowhere"):
        prepare("video_folder", "mine", tmp_path / "data", root)
    (tmp_path / "elsewhere.csv").write_text("no header")
    with pytest.raises(ValueError, match=r"boxes\.csv line 1: expected the header"):
        prepare("video_folder", "mine", tmp_path / "data", root)


def test_strictness_refuses_a_dataset_made_from_a_source_with_faults(tmp_path):
    root = write_frames(tmp_path / "src", {f"a/v{v}/s": 3 for v in range(3)})
    prepare("video_folder", "clean", tmp_path / "data", root)
    prepare("video_folder", "clean", tmp_path / "data", root, strict=True)
    (root / "a/v0/s/f9.jpg").write_bytes(b"")
    prepare("video_folder", "faulty", tmp_path / "data", root)
    with pytest.raises(ValueError, match=r"without --strict, .* a/v0/s/f9\.jpg: the file is empty"):
        prepare("video_folder", "faulty", tmp_path / "data", root, strict=True)


@pytest.mark.parametrize("call", [prepare, validate])
def test_a_data_dir_that_is_a_file(tmp_path, call):
    root = write_frames(tmp_path / "src", {f"a/v{v}/s": 2 for v in range(3)})
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"cannot be written \(Not a directory\); choose another"):
        call("video_folder", "mine", tmp_path / "file", root)


def test_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "src").mkdir()
    with pytest.raises(ValueError, match="no class folders; expected class/video/shot"):
        prepare("video_folder", "mine", tmp_path / "data", tmp_path / "src")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"manual_dir": None}, "video_folder needs manual_dir"),
        ({"config": "../up"}, "expected a configuration name"),
        ({"config": ".."}, "expected a configuration name"),
        ({"config": "new\nline"}, "expected a configuration name"),
        ({"split_by": "shot"}, "split_by to be one of .*'video', 'time'.*got 'shot'"),
        ({"fractions": (0.5, 0.5, 0.5)}, "sum to 1"),
        ({"fractions": (0.5, 0.5)}, "three fractions"),
        ({"fractions": (0.0, 0.5, 0.5)}, "train > 0"),
    ],
)
def test_bad_options(tmp_path, arguments, message):
    root = write_frames(tmp_path / "src", {f"a/v{v}/s": 3 for v in range(3)})
    arguments = {"config": "mine", "manual_dir": root, "data_dir": tmp_path / "data"} | arguments
    with pytest.raises(ValueError, match=message):
        prepare("video_folder", **arguments)


def test_validation_names_every_class_without_a_frame(tmp_path, caplog):
    root = write_frames(tmp_path / "src", {"a/v/s": 3})
    (root / "a" / "notes.txt").write_text("of mine")
    for name in ("b", "c"):
        (root / name).mkdir()
        (root / name / "v.mp4").write_bytes(b"no video")
    told = r"class 'b', 'c' in .* has no videos with frames; .*: b/v\.mp4: .*; c/v\.mp4: "
    with pytest.raises(ValueError, match=told):
        validate("video_folder", "mine", tmp_path / "data", root)
    # And what else is wrong.
    found = [record.message for record in caplog.records]
    assert "skipped, 1 times: a file where only frames are expected" in found
    assert "a/notes.txt" in found
