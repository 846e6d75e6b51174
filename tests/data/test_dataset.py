import numpy as np
import pytest

from configs import video_folder
from tcam_jax.data.builders.registry import prepare
from tcam_jax.data.dataset import Dataset
from tcam_jax.data.protocol import seed_arguments
from tcam_jax.data.records import open_split


def test_frames_stored_at_one_size_are_not_resized_to_another(tmp_path, photo_folder):
    prepare("video_folder", "photos_train64", tmp_path, photo_folder)
    config = video_folder.get_config("photos_train64")
    config.dataset.data_dir = str(tmp_path)
    batches = Dataset(config).training_batches(
        batch_size=2, n=1, mode="before", first_step=0, num_steps=1, boxes=False
    )
    assert next(batches)["frames"].shape == (2, 2, 64, 64, 3)
    config.tcam.seed_view = "source"
    with pytest.raises(ValueError, match="train64 are stored at 64 pixels; take the .* without"):
        Dataset(config)
    config.tcam.seed_view = "frame"
    config.dataset.resize = 72
    with pytest.raises(ValueError, match="stored at 64 pixels, but config.dataset.resize is 72"):
        Dataset(config)


def test_data_that_were_prepared_with_other_options_are_refused(photo_data):
    config = video_folder.get_config("photos")
    config.dataset.data_dir = str(photo_data)
    config.dataset.options.split_by = "time"
    with pytest.raises(ValueError, match="was prepared with split_by='video', but split_by='time'"):
        Dataset(config)


def test_source_frames_come_to_whom_asks_for_them(photo_data):
    config = video_folder.get_config("photos")
    config.dataset.data_dir, config.tcam.seed_view = str(photo_data), "source"
    data, settings = Dataset(config), {"batch_size": 2, "n": 1, "mode": "before", "first_step": 0}
    arguments = seed_arguments(data, config)
    assert arguments["source_size"] == config.dataset.crop != config.dataset.resize
    batch = next(data.training_batches(**settings, num_steps=1, **arguments))
    assert batch["sources"].shape == (2, 2, config.dataset.crop, config.dataset.crop, 3)

    class OfBefore(Dataset):
        def training_batches(self, *, boxes, seed_dir, **_):
            """Without `source_size`, as a user's own may be."""

    with pytest.raises(ValueError, match="must take the argument source_size; that of OfBefore"):
        seed_arguments(OfBefore(config), config)
    config.tcam.seed_view = "frame"
    assert seed_arguments(OfBefore(config), config) == {"boxes": False, "seed_dir": None}


def test_seed_maps_come_from_the_named_folder(tmp_path, photo_data):
    config = video_folder.get_config("photos")
    config.dataset.data_dir = str(photo_data)
    train = open_split(photo_data, "video_folder", "photos", "train")
    settings = {"batch_size": 2, "n": 1, "mode": "before", "first_step": 0, "num_steps": 1}
    batches = Dataset(config).training_batches(**settings, boxes=False)
    assert "seed_maps" not in next(batches)
    with pytest.raises(ValueError, match=f"seed map in {tmp_path} for every frame of .* train"):
        Dataset(config).training_batches(**settings, boxes=False, seed_dir=str(tmp_path))
    for example in train.read(range(train.table.num_records)):
        file = (tmp_path / example["frame_id"]).with_suffix(".npy")
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, np.full((3, 5), 0.25, np.float16))
    batches = Dataset(config).training_batches(**settings, boxes=False, seed_dir=str(tmp_path))
    maps, size = next(batches)["seed_maps"], config.dataset.resize
    assert maps.shape == (2, 2, size, size)
    np.testing.assert_allclose(maps, 0.25, atol=1e-6)
