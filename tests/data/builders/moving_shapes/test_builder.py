import io
import tempfile

import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.builders.moving_shapes.builder import SEED, make_builder
from tcam_jax.data.builders.moving_shapes.frames import CLASS_NAMES, render_shot
from tcam_jax.data.builders.registry import prepare
from tcam_jax.data.records import open_split

SPLIT_NAMES = ("train", "validation", "test")


@pytest.mark.parametrize("split", SPLIT_NAMES)
def test_records_hold_the_rendered_shots(shapes_data, tiny_splits, split):
    videos, shots, frames = tiny_splits[split]
    opened = open_split(shapes_data, "moving_shapes", "default", split)
    assert opened.class_names == CLASS_NAMES
    assert opened.table.num_records == 10 * videos * shots * frames
    assert opened.table.num_shots == 10 * videos * shots
    # Held-out shots: a box on the middle frame.
    middle = opened.table.index_in_shot == frames // 2
    np.testing.assert_array_equal(opened.table.has_box, middle & (split != "train"))
    for label, video, shot in [(0, 0, 0), (4, videos - 1, 0), (9, videos - 1, shots - 1)]:
        number = (label * videos + video) * shots + shot
        rendered = render_shot(SEED, split, label, video, shot)
        examples = opened.read(range(opened.table.start[number], opened.table.stop[number]))
        for index, example in enumerate(examples):
            assert example["label"] == label
            name = f"{CLASS_NAMES[label]}/{split}-{video:03d}/{shot:03d}/{index:04d}.jpg"
            assert example["frame_id"] == name
            assert (example["width"], example["height"]) == (128, 128)
            expected = io.BytesIO()
            Image.fromarray(rendered.frames[index]).save(expected, "JPEG", quality=92)
            assert example["image"] == expected.getvalue()
            boxed = split != "train" and index == frames // 2
            np.testing.assert_array_equal(example["boxes"], rendered.boxes[index : index + boxed])


def test_train_boxes_adds_boxes_and_changes_nothing_else(shapes_data):
    for split in SPLIT_NAMES:
        plain = open_split(shapes_data, "moving_shapes", "default", split)
        boxed = open_split(shapes_data, "moving_shapes", "train_boxes", split)
        if split == "train":
            assert boxed.table.has_box.all()
        records = range(plain.table.num_records)
        for one, two in zip(plain.read(records), boxed.read(records), strict=True):
            added, before = two.pop("boxes"), one.pop("boxes")
            if split == "train":
                assert added.shape == (1, 4) and before.shape == (0, 4)
            else:
                np.testing.assert_array_equal(added, before)
            assert one == two


def test_bad_configuration_and_manual_dir(tmp_path):
    with pytest.raises(ValueError, match="unknown configuration 'defalt'.*default, train_boxes"):
        prepare("moving_shapes", "defalt", tmp_path)
    with pytest.raises(ValueError, match="takes no manual_dir"):
        prepare("moving_shapes", "default", tmp_path, tmp_path)


def test_nothing_is_left_among_the_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    assert make_builder("default", data_dir=tmp_path / "data", manual_dir=None).info
    assert not list((tmp_path / "temporary").iterdir())
