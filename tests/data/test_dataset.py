import pytest

from configs import video_folder
from tcam_jax.data.builders.registry import prepare
from tcam_jax.data.dataset import Dataset


def test_frames_stored_at_one_size_are_not_resized_to_another(tmp_path, photo_folder):
    prepare("video_folder", "photos_train64", tmp_path, photo_folder)
    config = video_folder.get_config("photos_train64")
    config.dataset.data_dir = str(tmp_path)
    batches = Dataset(config).training_batches(
        batch_size=2, n=1, mode="before", first_step=0, num_steps=1, boxes=False
    )
    assert next(batches)["frames"].shape == (2, 2, 64, 64, 3)
    config.dataset.resize = 72
    with pytest.raises(ValueError, match="stored at 64 pixels, but config.dataset.resize is 72"):
        Dataset(config)


def test_data_that_were_prepared_with_other_options_are_refused(photo_data):
    config = video_folder.get_config("photos")
    config.dataset.data_dir = str(photo_data)
    config.dataset.options.split_by = "time"
    with pytest.raises(ValueError, match="was prepared with split_by='video', but split_by='time'"):
        Dataset(config)
