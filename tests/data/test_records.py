import shutil
import subprocess
import sys

import numpy as np
import pytest

from tcam_jax.data.records import open_split
from tcam_jax.runtime.errors import InputError


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_records_and_shot_table_tell_the_same_story(photo_data, photo_folder, split):
    opened = open_split(photo_data, "video_folder", "photos", split)
    table = opened.table
    assert opened.class_names == ("cup", "pet")
    assert len(opened.source) == table.num_records
    examples = opened.read(range(table.num_records))
    for record, example in enumerate(examples):
        assert example["image"] == (photo_folder / example["frame_id"]).read_bytes()
        assert example["label"] == table.label[record]
        assert example["index_in_shot"] == table.index_in_shot[record]
        assert bool(len(example["boxes"])) == table.has_box[record]
        assert example["frame_id"].startswith(example["shot"] + "/")
        assert example["shot"].startswith(example["video"] + "/")
    for key in ("shot", "video"):
        names = [example[key] for example in examples]
        numbers = getattr(table, key).tolist()
        assert len(set(zip(names, numbers, strict=True))) == len(set(names)) == len(set(numbers))


def test_boxes_are_float32_rows_of_four(photo_data):
    opened = open_split(photo_data, "video_folder", "photos", "train")
    for example, has_box in zip(
        opened.read(range(opened.table.num_records)), opened.table.has_box, strict=True
    ):
        assert example["boxes"].dtype == np.float32
        assert example["boxes"].shape[1:] == (4,)
        if has_box:
            np.testing.assert_array_equal(example["boxes"][0], np.float32([1, 2.5, 30, 40]))


def test_records_are_read_in_any_order(photo_data):
    opened = open_split(photo_data, "video_folder", "photos", "train")
    wanted = [7, 0, 7, 3]
    assert [e["frame_id"] for e in opened.read(wanted)] == [
        opened.read([record])[0]["frame_id"] for record in wanted
    ]


def test_reading_imports_no_tensorflow(photo_data):
    program = (
        "import sys\n"
        "from tcam_jax.data.records import open_split\n"
        f"open_split({str(photo_data)!r}, 'video_folder', 'photos', 'train').read([0])\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize(
    ("name", "config", "split", "message"),
    [
        ("video_foldr", "photos", "train", "did you mean 'video_folder'.*known datasets: moving"),
        ("video_folder", "pictures", "train", r"not prepared in .*tcam prepare"),
        ("video_folder", "photos", "val", "unknown split 'val'; .* test, train, validation"),
    ],
)
def test_open_refuses(photo_data, name, config, split, message):
    with pytest.raises(ValueError, match=message):
        open_split(photo_data, name, config, split)


def test_an_interrupted_preparation_is_no_dataset(tmp_path):
    (tmp_path / "moving_shapes" / "default" / "incomplete.ABC_1.0.0").mkdir(parents=True)
    with pytest.raises(ValueError, match="not prepared"):
        open_split(tmp_path, "moving_shapes", "default", "train")


def test_the_missing_sidecar_is_named(photo_data, tmp_path):
    shutil.copytree(photo_data / "video_folder", tmp_path / "video_folder")
    (tmp_path / "video_folder/photos/1.0.0/index.npz").unlink()
    with pytest.raises(ValueError, match=r"index\.npz, which does not exist; run"):
        open_split(tmp_path, "video_folder", "photos", "train")


def test_bad_record_numbers(photo_data):
    opened = open_split(photo_data, "video_folder", "photos", "test")
    with pytest.raises(ValueError, match=r"video_folder/photos test in 0\.\..*, got -1"):
        opened.read([0, -1])


@pytest.mark.parametrize("part", [0.3, 0.6])
def test_one_flipped_bit_in_a_record_file_names_its_record(photo_data, tmp_path, part):
    shutil.copytree(photo_data / "video_folder", tmp_path / "video_folder")
    file = next((tmp_path / "video_folder/photos/1.0.0").glob("*-train.array_record*"))
    content = bytearray(file.read_bytes())
    content[int(part * len(content.rstrip(b"\0")))] ^= 1
    file.write_bytes(content)
    intact = open_split(photo_data, "video_folder", "photos", "train")
    flipped = open_split(tmp_path, "video_folder", "photos", "train")
    damaged = []
    for record in range(intact.table.num_records):
        try:
            example = flipped.read([record])[0]
        except ValueError as error:
            assert f"record {record} of video_folder/photos train" in str(error)
            assert "delete its folder and run `tcam prepare" in str(error)
            damaged.append(record)
        else:
            assert example["image"] == intact.read([record])[0]["image"]
    assert len(damaged) == 1
    with pytest.raises(ValueError, match=rf"record {damaged[0]} of video_folder/photos train"):
        flipped.read(range(intact.table.num_records))


@pytest.mark.parametrize("content", [b"{}", b"", b"[" * 10**5, b"\xff\xfe\0"])
def test_what_tfds_cannot_read_is_one_error(photo_data, tmp_path, content):
    shutil.copytree(photo_data / "video_folder", tmp_path / "video_folder")
    (tmp_path / "video_folder/photos/1.0.0/dataset_info.json").write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        open_split(tmp_path, "video_folder", "photos", "train")


@pytest.mark.parametrize("old", ['"pythonClassName"', '"type"'])
def test_no_module_that_a_dataset_names_is_imported(photo_data, tmp_path, monkeypatch, old):
    """TFDS imports the modules of the features that a dataset names."""
    shutil.copytree(photo_data / "video_folder", tmp_path / "video_folder")
    (tmp_path / "hostile.py").write_text("raise SystemExit('it was run')")
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "video_folder/photos/1.0.0/features.json"
    ours = '"pythonClassName": "tensorflow_datasets.core.features.text_feature.Text"'
    assert ours in path.read_text()
    path.write_text(path.read_text().replace(ours, f'{old}: "hostile.Feature", "content": {{}}', 1))
    with pytest.raises(InputError, match=r"features\.json is damaged: .*'hostile.Feature', no"):
        open_split(tmp_path, "video_folder", "photos", "train")
