"""The class that shows nothing: in stage 1 like any other, gone from what localises."""

import numpy as np
import pytest

from configs import video_folder
from tcam_jax.data.background import background_of, localised
from tcam_jax.data.dataset import Dataset
from tcam_jax.data.protocol import Data
from tcam_jax.runs.experiment import dry_run
from tcam_jax.runtime.errors import InputError
from tcam_jax.train.planning import plans


@pytest.fixture
def config(photo_data):
    """Of the photographs, whose class `pet` is taken for the background."""
    config = video_folder.get_config("photos")
    config.dataset.data_dir = str(photo_data)
    config.dataset.background = "pet"
    return config


def labels(data, steps=3):
    settings = {"batch_size": 4, "n": 0, "mode": "before", "first_step": 0, "num_steps": steps}
    return np.concatenate([b["label"] for b in data.training_batches(**settings, boxes=False)])


def test_stage_2_sees_none_of_it_and_stage_1_all(config):
    data = Dataset(config)
    left = localised(config, data)
    assert set(labels(data)) == {0, 1} and set(labels(left)) == {0}
    assert left.class_names == data.class_names == ("cup", "pet")
    whole, part = data.training_size(), left.training_size()
    table = data.records("train").table
    assert part.frames == (table.label == 0).sum() and part.shots * 2 == whole.shots
    assert all(name.startswith("cup/") for name in left.frames_of_batch(5, 4))
    of_stages = plans(config, data)
    assert of_stages["classifier"].frames == whole.frames
    assert of_stages["tcam"].frames == part.frames


def test_evaluated_frames_are_left_out_in_step_with_their_truth(config):
    data = Dataset(config)
    truth, left = data.truth("validation"), localised(config, data)
    kept = left.truth("validation")
    assert set(kept.labels) == {0} and len(kept.ids) == (truth.labels == 0).sum()
    records = np.concatenate([b["record"] for b in left.frames("validation", 4)])
    assert records[records >= 0].tolist() == kept.records.tolist()


def test_without_such_a_class_nothing_changes(config):
    config.dataset.background = "background"
    data = Dataset(config)
    assert localised(config, data) is data and background_of(config, data.class_names) is None


def test_data_that_cannot_leave_it_out_are_refused(config):
    class Own(Data):
        class_names = ("cup", "pet")

    with pytest.raises(InputError, match="'pet' must have the member `without`.*Own lacks it"):
        localised(config, Own())


def test_seed_maps_are_asked_for_where_there_is_something_to_find(config, tmp_path):
    config.tcam.seed_source, config.tcam.seed_dir = "files", str(tmp_path)
    split = localised(config, Dataset(config)).records("train")
    table = split.table
    for start, stop in zip(table.start, table.stop, strict=True):
        for frame_id in split.readable_ids(range(start, stop)):
            path = (tmp_path / frame_id).with_suffix(".npy")
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, np.eye(4, dtype=np.float32))
    dry_run(config)
    path.unlink()
    with pytest.raises(InputError, match=f"1 of .* have none, the first: {frame_id}"):
        dry_run(config)
