"""A run goes on with the dataset that it was started with, and with no other."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import tcam_jax
from configs import demo
from tcam_jax.data.dataset import Dataset
from tcam_jax.data.protocol import TrainingSize
from tcam_jax.data.shot_table import load_table, save_tables
from tcam_jax.runs import experiment
from tcam_jax.runs.identity import FILE_NAME, record_dataset
from tcam_jax.runs.networks import record_classes
from tcam_jax.runs.seed_identity import record_seed_files
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.interruption import Interrupted
from tcam_jax.train.stages import TCAM_DIR


class Own:
    """Data of a user's own, without records; one member after the other is changed below."""

    class_names = ("a", "b")
    ids, labels, sizes = ["a/v/0", "b/v/0"], [0, 1], [[8, 6], [8, 6]]
    first = "a/t/0"

    def steps_per_epoch(self, batch_size):
        return 1

    def training_batches(self, **_):
        raise AssertionError("nothing is trained here")

    def frames(self, *_):
        raise AssertionError("nothing is evaluated here")

    def frames_of_batch(self, number, batch_size):
        return [self.first] * batch_size

    def truth(self, split):
        boxes = [np.zeros((0, 4), np.float32)] * len(self.ids)
        labels, sizes = np.array(self.labels, np.int32), np.array(self.sizes, np.int32)
        return tcam_jax.Truth(np.arange(len(self.ids)), self.ids, labels, sizes, boxes)


def changed(**members: object) -> Own:
    own = Own()
    for name, value in members.items():
        setattr(own, name, value)
    return own


def origin(**made) -> object:
    return lambda: made


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({}, {"ids": ["a/v/0", "b/v/1"]}, "validation: '2 frames, .*' there, '2 frames, .*' now"),
        ({}, {"labels": [1, 0]}, "test: '2 frames"),
        ({}, {"sizes": [[8, 6], [6, 8]]}, "test: '2 frames"),
        ({}, {"first": "a/u/0"}, "first_batch: "),
        ({}, {"training_size": lambda: TrainingSize(2, 5)}, r"train.shots: '\(absent\)' .*, 2 now"),
        ({"origin": origin(made=1)}, {"origin": origin(made=2)}, "origin.made: 1 there, 2 now"),
        ({"origin": origin(folder="x")}, {"origin": origin(folder="y", n=1)}, "'x' there, 'y' now"),
        ({"origin": origin(made={"by": 1})}, {}, r"origin.made.by: 1 there, '\(absent\)' now"),
    ],
)
def test_own_data_are_told_apart_by_what_they_can_say(tmp_path, before, after, told):
    config = demo.get_config()
    record_dataset(config, tmp_path, changed(**before))
    record_dataset(config, tmp_path, changed(**before))
    recorded = (tmp_path / FILE_NAME).read_text()
    with pytest.raises(InputError, match=f"(?s)was started with another dataset than .*{told}"):
        record_dataset(config, tmp_path, changed(**after))
    assert (tmp_path / FILE_NAME).read_text() == recorded


def test_boxes_may_be_mended_and_data_may_lie_elsewhere(tmp_path):
    config = demo.get_config()
    record_dataset(config, tmp_path, changed(origin=origin(folder="x", n=1)))
    own = changed(origin=origin(folder="y", n=1))
    truth = own.truth("test")._replace(boxes=[np.ones((1, 4), np.float32)] * 2)
    own.truth = lambda split: truth
    record_dataset(config, tmp_path, own)


def prepared(shapes_data: Path, data_dir: Path) -> tuple[Dataset, Path]:
    """A copy of the dataset, and its folder."""
    shutil.copytree(shapes_data, data_dir)
    config = demo.get_config()
    config.dataset.data_dir = str(data_dir)
    (folder,) = (data_dir / "moving_shapes/default").glob("1.*")
    return Dataset(config), folder


def test_a_prepared_dataset_may_be_moved_but_not_replaced(tmp_path, shapes_data):
    config, run = demo.get_config(), tmp_path / "run"
    run.mkdir()
    data, _ = prepared(shapes_data, tmp_path / "one")
    record_dataset(config, run, data)
    assert json.loads((run / FILE_NAME).read_text())["origin"]["dataset"].startswith(
        "moving_shapes"
    )
    data, folder = prepared(shapes_data, tmp_path / "two")
    record_dataset(config, run, data)

    made = json.loads((folder / "origin.json").read_text())
    (folder / "origin.json").write_text(json.dumps(made | {"seed": 77}))
    told = f"(?s)another dataset than {folder}.*{tmp_path}/one.*seed: {made['seed']} there, 77 now"
    with pytest.raises(InputError, match=told):
        record_dataset(config, run, data)

    (folder / "origin.json").write_text(json.dumps(made))
    index = folder / "index.npz"
    tables = {split: load_table(index, split) for split in ("train", "validation", "test")}
    tables["train"].label[:] = tables["train"].label[::-1].copy()
    save_tables(index, tables)
    with pytest.raises(InputError, match="tables.train: '.* frames, .* shots, .* there, .* now"):
        record_dataset(config, run, Dataset(data._config))


@pytest.mark.parametrize("content", ["", "{", "[]", "7", b"\xff", "[" * 10**5])
def test_a_damaged_record_is_one_error(tmp_path, content):
    text = content if isinstance(content, bytes) else content.encode()
    (tmp_path / FILE_NAME).write_bytes(text)
    with pytest.raises(InputError, match=f"{FILE_NAME} is damaged: .*Put back a copy"):
        record_dataset(demo.get_config(), tmp_path, Own())


def test_a_run_that_goes_on_refuses_another_dataset_in_place_of_the_first(tmp_path, monkeypatch):
    def stopped(*_: object) -> None:
        raise Interrupted

    monkeypatch.setattr(experiment, "train", stopped)
    config = demo.get_config()
    config.model.encoder, config.dataset.resize, config.dataset.crop = "resnet10", 36, 32
    for _ in range(2):
        with pytest.raises(Interrupted):
            tcam_jax.train_and_evaluate(config, tmp_path, data=Own())
    recorded = (tmp_path / "config.json").read_text()
    config.dataset.data_dir = "elsewhere"
    with pytest.raises(InputError, match="another dataset than Own"):
        tcam_jax.train_and_evaluate(config, tmp_path, data=changed(first="other"))
    assert (tmp_path / "config.json").read_text() == recorded
    config.seed = 1  # what is of another run altogether is told first
    with pytest.raises(InputError, match="(?s)holds a run of another config.*seed: 0 there"):
        tcam_jax.train_and_evaluate(config, tmp_path, data=changed(first="other"))


def test_a_run_is_not_evaluated_on_another_dataset(tmp_path, shapes_data, monkeypatch):
    data, folder = prepared(shapes_data, tmp_path / "one")
    monkeypatch.setattr("tcam_jax.runs.evaluate.load_config", lambda *_: data._config)
    record_classes(tmp_path, tuple(data.class_names))
    record_dataset(data._config, tmp_path, data)
    made = json.loads((folder / "origin.json").read_text())
    (folder / "origin.json").write_text(json.dumps(made | {"seed": 77}))
    with pytest.raises(InputError, match="(?s)was started with another dataset.*, 77 now"):
        tcam_jax.evaluate_run(tmp_path)


def test_seed_maps_may_be_moved_but_not_replaced_once_stage_2_has_begun(tmp_path, shapes_data):
    data, _ = prepared(shapes_data, tmp_path / "data")
    config = data._config.copy_and_resolve_references()
    config.tcam.seed_source, config.tcam.seed_dir = "files", str(tmp_path / "maps")
    split = data.records("train")
    ids = [x["frame_id"] for x in split.read(range(split.table.num_records))]

    def write(value: float) -> None:
        for name in ids:
            file = (Path(config.tcam.seed_dir) / name).with_suffix(".npy")
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, np.full((2, 2), value, np.float32))

    for value in (0.25, 0.5):  # replaced before stage 2 begins
        write(value)
        record_seed_files(config, tmp_path, data)
    (tmp_path / TCAM_DIR).mkdir()
    record_seed_files(config, tmp_path, data)
    Path(config.tcam.seed_dir).rename(tmp_path / "moved")
    config.tcam.seed_dir = str(tmp_path / "moved")
    record_seed_files(config, tmp_path, data)
    write(0.75)
    with pytest.raises(InputError, match="was trained on other seed maps than those in .*moved"):
        record_seed_files(config, tmp_path, data)


def test_a_run_is_not_evaluated_on_other_classes(tmp_path, monkeypatch):
    monkeypatch.setattr("tcam_jax.runs.evaluate.load_config", lambda *_: demo.get_config())
    record_classes(tmp_path, ("a", "c"))
    with pytest.raises(InputError, match=r"the classes \['a', 'c'\], the dataset now has .*'b'"):
        tcam_jax.evaluate_run(tmp_path, data=Own())
