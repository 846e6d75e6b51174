import json
import shutil
import subprocess
import sys

import pytest

from tcam_jax.data.builders.dataset_report import REPORT_FILE, in_words, read_report
from tcam_jax.data.builders.registry import check_same, prepare, training_size
from tcam_jax.data.records import dataset_folder
from tcam_jax.runtime.errors import InputError


def test_a_finished_dataset_is_not_made_again(photo_data, photo_folder):
    folder = photo_data / "video_folder/photos/1.0.0"
    before = {file: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert prepare("video_folder", "photos", photo_data, photo_folder) == folder
    assert before == {file: file.stat().st_mtime_ns for file in folder.iterdir()}


def test_a_finished_dataset_needs_its_source_no_more(photo_data, photo_folder):
    folder = prepare("video_folder", "photos", photo_data, photo_folder)
    assert prepare("video_folder", "photos", photo_data) == folder
    with pytest.raises(ValueError, match="was prepared with split_by='video', but split_by='time'"):
        prepare("video_folder", "photos", photo_data, split_by="time")


def test_an_option_that_the_dataset_does_not_have(tmp_path):
    with pytest.raises(ValueError, match="moving_shapes has no option 'splits_dir'; .* nothing"):
        prepare("moving_shapes", "default", tmp_path, splits_dir="lists")


@pytest.mark.parametrize(
    ("config", "size"), [("v1.0", None), ("v1.0_train256", 256), ("a_train64", 64), ("train", None)]
)
def test_the_name_says_the_size_of_training_frames(config, size):
    assert training_size(config) == size


def test_another_source_under_the_same_name_is_refused(photo_data, photo_folder, tmp_path):
    other = shutil.copytree(photo_folder, tmp_path / "other")
    with pytest.raises(ValueError, match="was prepared with manual_dir=.*choose another config"):
        prepare("video_folder", "photos", photo_data, other)
    with pytest.raises(ValueError, match="was prepared with split_by='video', but split_by='time'"):
        prepare("video_folder", "photos", photo_data, photo_folder, split_by="time")


def test_unknown_dataset(tmp_path):
    with pytest.raises(ValueError, match="unknown dataset 'moving_shape' .did you mean 'moving_sh"):
        prepare("moving_shape", "default", tmp_path)
    with pytest.raises(ValueError, match="known datasets: moving_photos, moving_shapes, vid"):
        prepare("imagenet", "default", tmp_path)


def test_importing_the_registry_imports_no_tensorflow():
    program = (
        "import sys, tcam_jax.data.builders.registry\n"
        "assert not {'tensorflow', 'tensorflow_datasets'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_a_generator_of_other_sizes_is_another_dataset(shapes_data):
    # `shapes_data` was made with tiny splits; outside its fixture the generator has its own.
    with pytest.raises(ValueError, match="was prepared with splits="):
        prepare("moving_shapes", "default", shapes_data)


def test_an_incomplete_folder_is_not_taken_for_a_dataset(tmp_path):
    (tmp_path / "moving_shapes/default/1.0.0").mkdir(parents=True)
    with pytest.raises(ValueError, match="is no complete dataset .*; delete it"):
        prepare("moving_shapes", "default", tmp_path)


def test_a_damaged_report_is_one_error(photo_data, tmp_path):
    whole = read_report(photo_data / "video_folder/photos/1.0.0")
    assert whole["schema"] == 1 and in_words(whole)
    split = whole["splits"]["train"]
    name = next(iter(split["classes"]))
    for changed in (
        {"splits": []},
        {"splits": {"train": split | {"classes": {name: {}}}}},
        {"splits": {"train": split | {"bytes": "1"}}},
        {"findings": {"grey": {"action": "kept", "meaning": "", "count": 1}}},
        {"findings": {"grey": {"action": "x", "meaning": "", "count": 1, "places": []}}},
    ):
        (tmp_path / REPORT_FILE).write_text(json.dumps(whole | changed))
        with pytest.raises(InputError, match=rf"{REPORT_FILE} is damaged: .*prepare it again"):
            read_report(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", "[" * 10**5])
def test_a_damaged_origin_is_one_error(tmp_path, content):
    (tmp_path / "origin.json").write_text(content)
    with pytest.raises(InputError, match="origin.json is damaged: .*delete the folder"):
        check_same(tmp_path, {})


def test_youtube_objects_of_before_neighbours_were_stored_is_not_read(tmp_path):
    folder = tmp_path / "youtube_objects/v1.0/1.0.0"
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").write_text("{}")
    with pytest.raises(InputError, match="v1.0 is not prepared in version 1.1.0 or newer in "):
        dataset_folder(tmp_path, "youtube_objects", "v1.0")
    (folder.parent / "1.10.0").mkdir()
    (folder.parent / "1.10.0/dataset_info.json").write_text("{}")
    assert dataset_folder(tmp_path, "youtube_objects", "v1.0").name == "1.10.0"
