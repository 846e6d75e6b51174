import numpy as np
import pytest

from configs import demo, video_folder
from tcam_jax.data.builders.registry import prepare
from tcam_jax.data.dataset import Dataset
from tcam_jax.data.protocol import evaluation_frames, seed_arguments
from tcam_jax.data.records import open_split
from tcam_jax.data.window_frames import Sampling
from tcam_jax.runtime.errors import InputError


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


def test_training_draws_from_the_middle_of_shots_and_neighbours_as_the_config_says(shapes_data):
    config = demo.get_config()
    config.dataset.data_dir = str(shapes_data)
    whole = Dataset(config)
    config.dataset.middle_share, config.tcam.window.n = 0.3, 2
    data = Dataset(config)  # one of the three frames of every shot
    shots = whole.training_size().shots
    assert whole.training_size() == (shots, 3 * shots) and data.training_size() == (shots, shots)
    assert data.steps_per_epoch(4) == whole.steps_per_epoch(4)
    ids = {name for step in range(10) for name in data.frames_of_batch(step, 4)}
    assert {name.rpartition("/")[2] for name in ids} == {"0001.jpg"}
    settings = {"batch_size": 4, "n": 2, "mode": "before", "first_step": 0, "num_steps": 1}
    batch = next(data.training_batches(**settings))
    assert batch["valid"].tolist() == [[False, False, True]] * 4
    assert len(data.truth("validation").records) == len(whole.truth("validation").records)


def test_neighbours_are_asked_for_as_the_config_says(shapes_data):
    config = demo.get_config()
    config.dataset.data_dir, window = str(shapes_data), config.tcam.window
    data, plain = Dataset(config), {"boxes": False, "seed_dir": None}
    assert seed_arguments(data, config) == plain
    window.sampling, window.sigma_t = "gaussian", 2.5
    assert seed_arguments(data, config) == plain | {"sampling": Sampling("gaussian", 2.5)}

    class OfBefore(Dataset):
        def training_batches(self, *, boxes, seed_dir, **_):
            """With adjacent frames alone, as a user's own may be."""

    told = "window.sampling=gaussian, .* the argument sampling; that of OfBefore .*=adjacent"
    with pytest.raises(ValueError, match=told):
        seed_arguments(OfBefore(config), config)
    window.n = 0  # there are no neighbours to draw
    assert seed_arguments(OfBefore(config), config) == plain


def test_frames_are_asked_for_their_motion_only_where_a_map_needs_it(shapes_data):
    config = demo.get_config()
    config.dataset.data_dir = str(shapes_data)
    data = Dataset(config)
    assert evaluation_frames(data, neighbours=False) == data.frames
    (batch, *_) = evaluation_frames(data, neighbours=True)("validation", 4, slice(0, 2))
    side = config.dataset.crop // 4
    assert batch["motion"].shape == (2, side, side) and batch["motion"].max() > 0

    class Before(Dataset):
        def frames(self, split, batch_size, rows=slice(None)):
            return super().frames(split, batch_size, rows)

    assert evaluation_frames(Before(config), neighbours=False)
    with pytest.raises(InputError, match="take the argument motion; that of Before does not"):
        evaluation_frames(Before(config), neighbours=True)
