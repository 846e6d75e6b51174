import io
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from array_record.python.array_record_data_source import ArrayRecordDataSource
from array_record.python.array_record_module import ArrayRecordWriter
from PIL import Image

from tcam_jax.data.records import open_split
from tcam_jax.data.sampler import window_indices
from tcam_jax.data.window_frames import ADJACENT, Sampling, target_position
from tcam_jax.data.windows import frame_batches, training_batches
from tests.data.builders.hand_made import hand_made, shot

SETTINGS = {"seed": 2, "batch_size": 6, "n": 2, "mode": "before", "resize_size": 64}
SAMPLINGS = (ADJACENT, Sampling("gaussian", 1.0), Sampling("interval"))


@pytest.fixture(scope="module")
def train(photo_data):
    return open_split(photo_data, "video_folder", "photos", "train")


def read_with_pillow(split, record: int, size: int) -> np.ndarray:
    with Image.open(io.BytesIO(split.read([record])[0]["image"])) as image:
        return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR))


def assert_within_one_level(frame: np.ndarray, expected: np.ndarray):
    assert frame.dtype == np.uint8
    assert np.abs(frame.astype(int) - expected.astype(int)).max() <= 1


def assert_equal_batches(one, two):
    assert one.keys() == two.keys()
    for key in one:
        assert one[key].dtype == two[key].dtype
        np.testing.assert_array_equal(one[key], two[key], err_msg=key)


@pytest.mark.parametrize("size", [37, 96, 256, 600])
def test_decoding_and_resizing_equal_pillow_within_one_level(train, size):
    # The folder's photos are 51..451 pixels wide and high, colour and grey, three JPEG qualities.
    records = np.arange(train.table.num_records)
    widths = {int(example["width"]) for example in train.read(records)}
    assert len(widths) == 5
    batches = frame_batches(train, records=records, batch_size=7, size=size)
    seen = []
    for batch in batches:
        for frame, record in zip(batch["frames"], batch["record"], strict=True):
            if record >= 0:
                assert_within_one_level(frame, read_with_pillow(train, int(record), size))
                seen.append(int(record))
    assert seen == records.tolist()


@pytest.mark.parametrize(
    ("n", "mode", "sampling"),
    [
        (0, "before", ADJACENT),
        (2, "before", ADJACENT),
        (9, "after", ADJACENT),
        (1, "before_after", ADJACENT),
        (1, "before_after", Sampling("gaussian", 1.0)),
        (2, "after", Sampling("interval")),
    ],
)
def test_batches_equal_a_direct_reading(train, n, mode, sampling):
    settings = SETTINGS | {"n": n, "mode": mode, "sampling": sampling}
    size = settings["resize_size"]
    pictures = {r: read_with_pillow(train, r, size) for r in range(train.table.num_records)}
    batches = list(training_batches(train, first_step=0, num_steps=4, **settings))
    assert len(batches) == 4
    for step, batch in enumerate(batches):
        records, valid = window_indices(
            train.table, seed=2, step=step, batch_size=6, n=n, mode=mode, sampling=sampling
        )
        assert batch["frames"].shape == (*records.shape, size, size, 3)
        np.testing.assert_array_equal(batch["valid"], valid)
        np.testing.assert_array_equal(batch["slot"], np.arange(6))
        labels = [train.read([r])[0]["label"] for r in records[:, target_position(n, mode)]]
        np.testing.assert_array_equal(batch["label"], labels)
        assert (batch["label"].dtype, batch["slot"].dtype) == (np.int32, np.int32)
        for place in np.ndindex(records.shape):
            assert_within_one_level(batch["frames"][place], pictures[int(records[place])])


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_starting_later_gives_the_rest_of_the_stream(train, sampling):
    settings = SETTINGS | {"sampling": sampling}
    whole = list(training_batches(train, first_step=0, num_steps=9, **settings))
    rest = list(training_batches(train, first_step=5, num_steps=4, **settings))
    for one, two in zip(whole[5:], rest, strict=True):
        assert_equal_batches(one, two)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_hosts_take_rows_of_the_same_batch(train, sampling):
    settings = SETTINGS | {"sampling": sampling}
    whole = next(training_batches(train, first_step=3, num_steps=1, **settings))
    for rows in (slice(0, 2), slice(2, 6)):
        part = next(training_batches(train, first_step=3, num_steps=1, rows=rows, **settings))
        assert_equal_batches(part, {key: value[rows] for key, value in whole.items()})


def test_boxes_are_the_targets_first_box_in_units_of_the_frame(shapes_data):
    split = open_split(shapes_data, "moving_shapes", "train_boxes", "train")
    settings = SETTINGS | {"mode": "after"}
    for step, batch in enumerate(
        training_batches(split, first_step=0, num_steps=3, with_boxes=True, **settings)
    ):
        records, _ = window_indices(split.table, seed=2, step=step, batch_size=6, n=2, mode="after")
        boxes = np.stack([example["boxes"][0] for example in split.read(records[:, 0])])
        np.testing.assert_allclose(batch["boxes"], boxes / 128, atol=1e-7)
        assert batch["boxes"].dtype == np.float32 and (batch["boxes"] <= 1).all()


def test_boxes_are_divided_by_width_and_height_in_their_places(tmp_path):
    one = shot("thing/v/s", [jpeg_of(40, 80)], {0: (8.0, 4.0, 60.0, 30.0)})
    hand_made(tmp_path, lambda: {"train": [one]}, classes=("thing",)).download_and_prepare()
    split = open_split(tmp_path, "video_folder", "hand", "train")
    batch = next(training_batches(split, first_step=0, num_steps=1, with_boxes=True, **SETTINGS))
    np.testing.assert_allclose(batch["boxes"], np.tile([[0.1, 0.1, 0.75, 0.75]], (6, 1)))


def test_boxes_asked_for_but_absent(train, shapes_data):
    weak = open_split(shapes_data, "moving_shapes", "default", "train")
    for split in (weak, train):  # no frame has one; some frames have none
        with pytest.raises(ValueError, match="expected a box on every frame of .* train, but"):
            training_batches(split, first_step=0, num_steps=1, with_boxes=True, **SETTINGS)


def test_frame_batches_fill_up_the_last_batch(train):
    batches = list(frame_batches(train, records=[4, 9, 2, 4, 7], batch_size=3, size=32))
    assert [batch["record"].tolist() for batch in batches] == [[4, 9, 2], [4, 7, -1]]
    assert batches[0]["record"].dtype == np.int64
    np.testing.assert_array_equal(batches[1]["frames"][1], batches[1]["frames"][2])
    np.testing.assert_array_equal(batches[0]["frames"][0], batches[1]["frames"][0])


def test_bad_arguments(train):
    with pytest.raises(ValueError, match="at least one record"):
        frame_batches(train, records=[], batch_size=3, size=32)
    with pytest.raises(ValueError, match="batch_size >= 1"):
        frame_batches(train, records=[1], batch_size=0, size=32)
    with pytest.raises(ValueError, match=r"in 0\.\..*, got 9999"):
        list(frame_batches(train, records=[1, 9999], batch_size=2, size=32))
    with pytest.raises(ValueError, match="window mode"):
        training_batches(train, first_step=0, num_steps=1, **SETTINGS | {"mode": "middle"})


def test_tensorflow_sees_no_accelerator():
    assert tf.config.get_visible_devices("GPU") == tf.config.get_visible_devices("TPU") == []


def jpeg_of(height: int, width: int) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(noise).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.slow
def test_a_process_that_stops_reading_in_the_middle_ends(photo_data):
    # Threads of the pipeline that are left in Python code would wait for its lock for ever.
    program = (
        "from tcam_jax.data.records import open_split\n"
        "from tcam_jax.data.windows import training_batches\n"
        f"split = open_split({str(photo_data)!r}, 'video_folder', 'photos', 'train')\n"
        "batches = training_batches(split, seed=0, first_step=0, num_steps=99, batch_size=60,\n"
        "                           n=1, mode='before', resize_size=500)\n"
        "next(batches)\n"
        "raise SystemExit(3)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 3


def replace_image(folder: Path, record: int, image: bytes):
    """Puts other bytes into one record of an intact record file of the split `train`."""
    (path,) = folder.glob("*-train.array_record-00000-of-00001")
    source = ArrayRecordDataSource([str(path)])
    stored = source.__getitems__(range(len(source)))
    writer = ArrayRecordWriter(str(path), "group_size:1")
    for number, content in enumerate(stored):
        example = tf.train.Example.FromString(content)
        if number == record:
            example.features.feature["image"].bytes_list.value[0] = image
        writer.write(example.SerializeToString())
    writer.close()


def test_a_damaged_jpeg_is_named_when_its_batch_comes(tmp_path):
    good = jpeg_of(48, 64)
    shots = [shot("thing/v/s0", [good] * 6), shot("thing/v/s1", [good] * 4)]
    hand_made(tmp_path, lambda: {"train": shots}, classes=("thing",)).download_and_prepare()
    replace_image(tmp_path / "video_folder/hand/1.0.0", 5, good[:-300])
    split = open_split(tmp_path, "video_folder", "hand", "train")
    batches = frame_batches(split, records=np.arange(10), batch_size=2, size=32)
    assert [b["record"].tolist() for b in itertools.islice(batches, 2)] == [[0, 1], [2, 3]]
    message = (
        r"record 5 of video_folder/hand train \(shot 0, frame 5 of the shot\) "
        r"thing/v/s0/5\.jpg is no decodable JPEG file: a trunc.*tcam prepare"
    )
    with pytest.raises(ValueError, match=message):
        next(batches)
