import io
import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.builders.registry import prepare
from tcam_jax.data.records import open_split
from tcam_jax.data.windows import training_batches
from tests.data.builders.youtube_objects import raw_layouts
from tests.data.builders.youtube_objects.raw_layouts import make_content, pack

CONTENT = make_content()
SPLITS = ("train", "validation", "test")
WAYS = {
    "v1.0": ("v1.0", "v1", {}),
    "v2.2": ("v2.2", "v2", {}),
    "v1.0 with lists": ("v1.0", "v1", {"splits_dir": "v1_lists"}),
    "v2.2 with lists": ("v2.2", "v2", {"splits_dir": "v2_lists"}),
    "v1.0 packed": ("v1.0", "v1_packed", {}),
    "v2.2 packed": ("v2.2", "v2_packed", {}),
}


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    """Both layouts, as folders and as archives of several kinds; lists of both."""
    root = tmp_path_factory.mktemp("raw")
    v1 = raw_layouts.write_v1(root / "v1", CONTENT)
    v2 = raw_layouts.write_v2(root / "v2", CONTENT)
    raw_layouts.v1_lists(root / "v1_lists", CONTENT)
    raw_layouts.v2_lists(root / "v2_lists", CONTENT)
    for folder in ("v1_packed", "v2_packed"):
        (root / folder).mkdir()
    pack(v1 / "bird", root / "v1_packed/bird.tar.gz", "w:gz", top=True)
    pack(v1 / "cow", root / "v1_packed/cow.tgz", "w:gz", top=False)
    pack(v2 / "bird", root / "v2_packed/bird.tar", "w", top=False)
    shutil.copytree(v2 / "cow", root / "v2_packed/cow")
    pack(v2 / "Ranges", root / "v2_packed/Ranges.tar.gz", "w:gz", top=True)
    pack(v2 / "GroundTruth", root / "v2_packed/GroundTruth.tar.gz", "w:gz", top=False)
    # What else the authors publish.
    for folder in ("v1", "v2"):
        for other in ("vo-release", "code", "OpticalFlow", "SlicSuperpixels", "videos"):
            (root / folder / other).mkdir()
        (root / folder / "README.txt").write_text("about")
        (root / folder / "UsefulFiles.tar.gz").write_bytes(b"not even unpacked")
    return root


@pytest.fixture(scope="module")
def prepared(raw, tmp_path_factory):
    """{way: its data_dir}"""
    folders = {}
    for way, (config, folder, options) in WAYS.items():
        data_dir = folders[way] = tmp_path_factory.mktemp("data")
        options = {name: str(raw / value) for name, value in options.items()}
        prepare("youtube_objects", config, data_dir, raw / folder, strict=False, **options)
    return folders


def records(data_dir: Path, config: str, split: str) -> list[dict]:
    opened = open_split(data_dir, "youtube_objects", config, split)
    return opened.read(range(opened.table.num_records))


def expected_records(split: str) -> list[tuple[int, bytes, list]]:
    """(label, JPEG, boxes) of every record, from the content and the rule."""
    chosen = raw_layouts.validation_videos(CONTENT)
    wanted = []
    for shot in CONTENT:  # by class, video and number
        where = "validation" if shot.video in chosen[shot.class_name] else "train"
        if ("test" if shot.video in raw_layouts.TEST_VIDEOS else where) != split:
            continue
        for place, frame in enumerate(shot.frames):
            boxes = [] if split == "train" else shot.boxes.get(place, [])
            wanted.append((int(shot.class_name == "cow"), frame, boxes))
    return wanted


def mended(box) -> list[float]:
    x0, y0, x1, y1 = box
    x0, x1 = sorted((min(max(x0, 0), 32), min(max(x1, 0), 32)))
    y0, y1 = sorted((min(max(y0, 0), 24), min(max(y1, 0), 24)))
    return [x0, y0, x1, y1]


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("way", WAYS)
def test_every_way_in_gives_the_same_frames_labels_and_boxes(prepared, way, split):
    found = records(prepared[way], WAYS[way][0], split)
    wanted = expected_records(split)
    # 2 classes; 1 video to train on, 3 to validate, 2 to test, each of 7 frames, of which those
    # without boxes are beside others.
    assert len(found) == {"train": 14, "validation": 42, "test": 28}[split]
    assert [(r["label"], r["image"]) for r in found] == [(w[0], w[1]) for w in wanted]
    for record, (_, _, boxes) in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(
            record["boxes"], np.array([mended(box) for box in boxes]).reshape(-1, 4)
        )


@pytest.mark.parametrize("way", list(WAYS)[1:])
def test_every_way_in_gives_the_same_windows(prepared, way):
    def batches(of):
        split = open_split(prepared[of], "youtube_objects", WAYS[of][0], "train")
        options = {"seed": 3, "first_step": 0, "num_steps": 4, "batch_size": 3, "n": 2}
        return list(training_batches(split, **options, mode="before", resize_size=16))

    for one, other in zip(batches("v1.0"), batches(way), strict=True):
        assert one.keys() == other.keys()
        for key, values in one.items():
            np.testing.assert_array_equal(values, other[key], err_msg=key)


@pytest.mark.parametrize("way", WAYS)
def test_the_report_has_exact_counts_and_the_faults_of_the_boxes(prepared, way):
    folder = prepared[way] / "youtube_objects" / WAYS[way][0] / "1.1.0"
    report = json.loads((folder / "dataset_report.json").read_text())
    counts = {split: report["splits"][split]["classes"]["bird"] for split in SPLITS}
    keys = ("videos", "shots", "frames", "boxed_frames", "boxes")
    assert {split: tuple(of[key] for key in keys) for split, of in counts.items()} == {
        "train": (1, 2, 7, 0, 0),
        "validation": (3, 6, 21, 9, 12),
        "test": (2, 4, 14, 6, 8),
    }
    # Each of the 10 held-out videos has two boxes over an edge and one with swapped corners.
    found = {kind: entry["count"] for kind, entry in report["findings"].items()}
    assert found == {"box_clipped": 20, "box_inverted": 10}


def test_frames_bear_their_published_names(prepared):
    first = records(prepared["v1.0"], "v1.0", "test")[0]
    assert first["frame_id"] == "bird/data/0002/shots/001/frame0001.jpg"
    assert (first["video"], first["shot"]) == ("bird/0002", "bird/0002/001")
    first = records(prepared["v2.2"], "v2.2", "test")[0]
    assert first["frame_id"].startswith("bird/video-0002/shot-0000")
    assert first["video"] == "bird/video-0002"
    assert first["shot"] == first["frame_id"].rpartition("/")[0]


def test_training_frames_may_be_stored_small(raw, tmp_path):
    prepare("youtube_objects", "v1.0_train256", tmp_path, raw / "v1")
    train = records(tmp_path, "v1.0_train256", "train")
    assert len(train) == 14 and all(record["width"] == 32 for record in train)
    assert {Image.open(io.BytesIO(record["image"])).size for record in train} == {(256, 256)}
    test = records(tmp_path, "v1.0_train256", "test")
    assert [record["image"] for record in test] == [jpeg for _, jpeg, _ in expected_records("test")]


def test_unpacked_archives_are_removed_when_the_dataset_is_done(prepared):
    folder = prepared["v2.2 packed"] / "youtube_objects/v2.2"
    assert [entry.name for entry in folder.iterdir()] == ["1.1.0"]


def test_an_interrupted_preparation_does_not_unpack_again(raw, tmp_path):
    source = shutil.copytree(raw / "v1_packed", tmp_path / "source")
    broken = shutil.copytree(raw / "v1/cow", tmp_path / "cow")
    (broken / "data/0002/shots/001/frame0010.jpg_sticks.mat").write_bytes(b"")
    pack(broken, source / "cow.tgz", "w:gz", top=True)
    unpacked = []
    for _ in range(2):
        with pytest.raises(ValueError, match="strict"):
            prepare("youtube_objects", "v1.0", tmp_path / "data", source, strict=True)
        sources = tmp_path / "data/youtube_objects/v1.0/1.1.0.unfinished/sources"
        unpacked.append({path: path.stat().st_ctime_ns for path in sources.rglob("*.jpg")})
    assert unpacked[0] == unpacked[1] and len(unpacked[0]) == 2 * 6 * 7
    prepare("youtube_objects", "v1.0", tmp_path / "data", source)
    assert len(records(tmp_path / "data", "v1.0", "test")) == 25  # without the shot


def test_an_unknown_configuration(tmp_path):
    with pytest.raises(ValueError, match="known: v1.0, v2.2, v1.0_train256, v2.2_train256"):
        prepare("youtube_objects", "v2.3", tmp_path, tmp_path)


def test_without_downloads(tmp_path):
    with pytest.raises(ValueError, match="needs manual_dir.*got None; download CLASS.tar.gz"):
        prepare("youtube_objects", "v1.0", tmp_path)
    with pytest.raises(
        ValueError, match="holds no class of YouTube-Objects v2.2; .*Ranges, Ground"
    ):
        prepare("youtube_objects", "v2.2", tmp_path, tmp_path)


def test_a_missing_folder_of_lists(raw, tmp_path):
    with pytest.raises(ValueError, match="no folder of lists nowhere"):
        prepare("youtube_objects", "v1.0", tmp_path, raw / "v1", splits_dir="nowhere")


def test_other_lists_or_downloads_are_another_dataset(raw, tmp_path):
    source = shutil.copytree(raw / "v1", tmp_path / "v1")
    lists = shutil.copytree(raw / "v1_lists", tmp_path / "lists")
    data_dir = tmp_path / "data"
    made = prepare("youtube_objects", "v1.0", data_dir, source, splits_dir=str(lists))
    assert prepare("youtube_objects", "v1.0", data_dir, source, splits_dir=str(lists)) == made
    assert prepare("youtube_objects", "v1.0", data_dir, splits_dir=str(lists)) == made
    with pytest.raises(ValueError, match="was prepared with splits_dir="):
        prepare("youtube_objects", "v1.0", data_dir, source)
    with (lists / "val/localization.txt").open("a") as file:
        file.write("\n")
    with pytest.raises(ValueError, match="was prepared with splits="):
        prepare("youtube_objects", "v1.0", data_dir, source, splits_dir=str(lists))
    (source / "cow/data/0001/shots/001/frame9999.jpg").write_bytes(b"more")
    with pytest.raises(ValueError, match="was prepared with files="):
        prepare("youtube_objects", "v1.0", data_dir, source, splits_dir=str(lists))


def test_missing_classes_are_named_once(raw, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        prepare("youtube_objects", "v1.0", tmp_path, raw / "v1")
    (message,) = [r.getMessage() for r in caplog.records if "published classes" in r.getMessage()]
    assert message.endswith(
        "lacks 8 of the published classes: aeroplane, boat, car, cat, dog, horse, motorbike, train"
    )
