import hashlib
import io
import shutil

import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.builders import shot_builder
from tcam_jax.data.builders.moving_photos.builder import SEED
from tcam_jax.data.builders.moving_photos.compose import Composer
from tcam_jax.data.builders.moving_photos.script import LEVELS, SPLITS, Which
from tcam_jax.data.builders.registry import prepare, validate
from tcam_jax.data.masks import Masks
from tcam_jax.data.records import open_split
from tests.data.builders.moving_photos.conftest import CLASSES, TINY

SPLIT_NAMES = ("train", "validation", "test")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, folder):
    data_dir = tmp_path_factory.mktemp("moving_photos")
    with pytest.MonkeyPatch.context() as patch:
        for split, size in TINY.items():
            patch.setitem(SPLITS, split, size)
        for config in ("default", "train_boxes"):
            prepare("moving_photos", config, data_dir, folder)
    return data_dir


def records(data_dir, config, split):
    opened = open_split(data_dir, "moving_photos", config, split)
    return {row["frame_id"]: row for row in opened.read(range(opened.table.num_records))}


@pytest.mark.parametrize("split", SPLIT_NAMES)
def test_records_hold_the_composed_shots(prepared, tiny, sources, split):
    videos, shots, frames = tiny[split]
    rows = records(prepared, "default", split)
    masks = Masks(prepared / "moving_photos/default/1.0.0")
    assert len(rows) == 3 * videos * shots * frames
    for label, name in enumerate(CLASSES):
        for video in range(videos):
            for shot in range(shots):
                which = Which(SEED, split, label, video, shot)
                composer = Composer(which, LEVELS["default"], sources[split])
                for index, frame in enumerate(composer.frames()):
                    frame_id = f"{name}/{split}-{video:03d}/{shot:03d}/{index:04d}.jpg"
                    row = rows[frame_id]
                    assert (row["label"], row["width"], row["height"]) == (label, 240, 180)
                    expected = io.BytesIO()
                    Image.fromarray(frame).save(expected, "JPEG", quality=92)
                    assert row["image"] == expected.getvalue()
                    if split == "train" or index != frames // 2:  # held out: the middle one
                        assert len(row["boxes"]) == 0 and frame_id not in masks
                        continue
                    seen = composer.seen(index)
                    boxes = [instance.box for instance in seen if instance.box]
                    np.testing.assert_array_equal(row["boxes"], boxes)
                    mask = np.any([instance.mask for instance in seen], axis=0)
                    np.testing.assert_array_equal(masks.read(frame_id), mask)


def test_train_boxes_adds_boxes_and_masks_and_leaves_out_what_can_have_none(prepared):
    masks = Masks(prepared / "moving_photos/train_boxes/1.0.0")
    for split in SPLIT_NAMES:
        plain = records(prepared, "default", split)
        boxed = records(prepared, "train_boxes", split)
        assert boxed.keys() <= plain.keys()
        if split != "train":
            assert boxed.keys() == plain.keys()
        for frame_id, row in boxed.items():
            assert row["image"] == plain[frame_id]["image"]
            assert (frame_id in masks) == (len(row["boxes"]) > 0)
            assert len(row["boxes"]) or split != "train"
            if len(row["boxes"]):
                y, x = np.nonzero(masks.read(frame_id))
                low, high = row["boxes"][:, :2].min(axis=0), row["boxes"][:, 2:].max(axis=0)
                assert (x.min(), y.min()) == tuple(low) and (x.max(), y.max()) == tuple(high)
    assert len(masks) == len(records(prepared, "train_boxes", "train")) + 3 + 6
    with pytest.raises(ValueError, match="has no mask of disc/none.jpg: the frame has no boxes"):
        masks.read("disc/none.jpg")
    with pytest.raises(ValueError, match=r"has no masks .*; moving_photos has them"):
        Masks(prepared)


@pytest.mark.parametrize("cores", [1, 3])
def test_the_same_bytes_with_any_number_of_workers(
    prepared, tiny, folder, tmp_path, monkeypatch, cores
):
    monkeypatch.setattr(shot_builder, "usable_cores", lambda: cores)
    again = prepare("moving_photos", "default", tmp_path, folder)

    def digests(root):
        files = [*root.glob("*.array_record*"), root / "masks.zip", root / "index.npz"]
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    first = digests(prepared / "moving_photos/default/1.0.0")
    assert len(first) == 5 and digests(again) == first


def test_validation_writes_nothing(tiny, folder, tmp_path):
    report = validate("moving_photos", "hard", tmp_path, folder)
    assert report["splits"]["test"]["classes"]["gem"]["frames"] == 6
    assert not report["findings"]
    assert not list(tmp_path.rglob("*.*record*")) and not list(tmp_path.rglob("masks.zip"))


def test_a_finished_dataset_needs_its_folder_no_more_but_no_other_may_stand_for_it(
    prepared, tiny, folder, tmp_path
):
    assert prepare("moving_photos", "default", prepared).name == "1.0.0"
    other = shutil.copytree(folder, tmp_path / "other")
    with pytest.raises(ValueError, match="was prepared with manual_dir="):
        prepare("moving_photos", "default", prepared, other)


def test_bad_configuration_and_folder(tmp_path):
    with pytest.raises(ValueError, match="unknown configuration 'simple' .*: default, easy, hard"):
        prepare("moving_photos", "simple", tmp_path, tmp_path)
    with pytest.raises(ValueError, match="needs manual_dir, .* got None; `bash launch/photos.sh"):
        prepare("moving_photos", "default", tmp_path)
    with pytest.raises(ValueError, match="has no folder cutouts; expected cutouts/CLASS"):
        prepare("moving_photos", "default", tmp_path, tmp_path)
