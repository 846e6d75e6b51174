"""A run is used from any folder, wherever its config's places were relative to."""

import json
import os
from pathlib import Path

import pytest

from configs import demo
from tcam_jax.config.places import located
from tcam_jax.config.record import load_config, record_config
from tcam_jax.data.dataset import Dataset
from tcam_jax.data.records import dataset_folder
from tcam_jax.runtime.errors import InputError


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder in which one stands, and a home."""
    (tmp_path / "project/runs/demo").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "project"


def _pretend_prepared(data_dir):
    folder = data_dir / "moving_shapes/default/1.0.0"
    folder.mkdir(parents=True)
    (folder / "dataset_info.json").touch()


def test_places_are_kept_whole_and_names_as_they_are(project):
    config = demo.get_config()
    config.dataset.data_dir, config.dataset.manual_dir = "data", "~/videos"
    config.dataset.options = {"splits_dir": "~/lists", "split_by": "time"}
    config.tcam.seed_dir, config.model.pretrained = "../seeds", "weights.pth"
    made = located(config)
    assert made.dataset.data_dir == str(project / "data")
    assert made.dataset.manual_dir == str(project.parent / "home/videos")
    assert made.tcam.seed_dir == str(project.parent / "seeds")
    assert made.model.pretrained == str(project / "weights.pth")
    # As the dataset keeps it, which is compared with it.
    assert made.dataset.options.splits_dir == str(project.parent / "home/lists")
    assert config.dataset.data_dir == "data"
    config.tcam.seed_dir = config.dataset.manual_dir = ""
    config.model.pretrained, config.dataset.data_dir = "efficientnet_lite0", "gs://bucket/data"
    config.dataset.options = {"splits_dir": "lists"}
    assert located(config) == config


def test_a_run_is_used_from_another_folder(project, monkeypatch):
    config, workdir = demo.get_config(), project / "runs/demo"
    config.model.pretrained = "weights.pth"
    record_config(config, workdir)
    kept = (workdir / "config.json").read_text()
    record_config(config, workdir)  # goes on with the same, given in the same way
    monkeypatch.chdir("/")
    loaded = load_config(workdir)
    assert loaded.dataset.data_dir == str(project / "data")
    record_config(loaded, workdir)
    assert (workdir / "config.json").read_text() == kept
    with pytest.raises(InputError, match="model.pretrained: '.*project/weights.pth' there, '/weig"):
        record_config(config, workdir)


def test_earlier_runs_whose_data_dir_is_relative(project, monkeypatch, tmp_path):
    workdir = project / "runs/demo"
    record_config(demo.get_config(), workdir)
    recorded = json.loads((workdir / "config.json").read_text())
    recorded["dataset"]["data_dir"] = "data"
    (workdir / "config.json").write_text(json.dumps(recorded))
    _pretend_prepared(project / "data")
    monkeypatch.chdir("/")
    assert load_config(workdir).dataset.data_dir == str(project / "data")  # above the workdir
    monkeypatch.chdir(project / "runs")
    assert load_config("demo").dataset.data_dir == str(project / "data")
    _pretend_prepared(tmp_path / "here/data")
    monkeypatch.chdir(tmp_path / "here")
    assert load_config(workdir).dataset.data_dir == str(tmp_path / "here/data")  # as it was
    monkeypatch.chdir("/")
    assert load_config(workdir, tmp_path / "here/data").dataset.data_dir == os.path.abspath(
        tmp_path / "here/data"
    )


def test_a_dataset_that_is_elsewhere_or_was_never_made(project):
    config = demo.get_config()
    config.dataset.data_dir = "moved"
    with pytest.raises(InputError) as error:
        Dataset(located(config))
    said = str(error.value)
    assert f"moving_shapes/default is not prepared in {project / 'moved'}" in said
    assert f"`tcam prepare --config=… --data_dir={project / 'moved'}`" in said
    assert "--data_dir=PLACE of `tcam evaluate`" in said
    assert "--config.dataset.data_dir=PLACE of `tcam train`" in said
    with pytest.raises(InputError, match="--config=… --manual_dir=YOUR_FILES --data_dir=moved"):
        dataset_folder(Path("moved"), "video_folder", "mine")
