"""Weights into runs and out of them, by the commands."""

import json

import jax
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from tcam_jax.train.checkpoint import read_variables
from tests.launch.conftest import ONE_MAP
from tests.launch.conftest import TINY as EVERY_MAP
from tests.torch_networks import state_dict, torch_network

TINY = (*EVERY_MAP, *ONE_MAP)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A PyTorch state dict of a whole network, and of its classifier alone."""
    folder = tmp_path_factory.mktemp("published")
    network = torch_network(num_classes=10, depth=10)
    torch.save(network.state_dict(), folder / "whole.pth")
    parts = ("encoder.", "classification_head.")
    classifier = {n: x for n, x in network.state_dict().items() if n.startswith(parts)}
    torch.save({"state_dict": classifier, "epoch": 7}, folder / "classifier.pth")
    torch.save(
        {n.removeprefix("encoder."): x for n, x in classifier.items() if n.startswith("encoder.")},
        folder / "resnet10.pth",
    )
    return folder


@pytest.mark.slow
def test_published_weights_are_evaluated_and_come_out_as_they_went_in(
    published, shapes_data, tmp_path, launch
):
    run, data = tmp_path / "run", f"--config.dataset.data_dir={shapes_data}"
    weights = f"--weights={published / 'whole.pth'}"
    done = launch("import_weights", *TINY, data, weights, f"--workdir={run}")
    assert "finished stages classifier, tcam" in done.stdout
    launch("evaluate", f"--workdir={run}", "--split=test")
    results = json.loads((run / "results.json").read_text())
    assert set(results["classification"]) == {
        "classifier/best_localization@0",
        "tcam/best_localization@0",
    }
    out = tmp_path / "out.safetensors"
    launch("export_weights", f"--workdir={run}", f"--output={out}")
    exported, given = load_file(out), state_dict(torch_network(num_classes=10, depth=10))
    assert len(exported) > 100
    for name, tensor in exported.items():
        np.testing.assert_array_equal(tensor, given[name])
    # Our own format gives the same run again.
    launch("export_weights", f"--workdir={run}", f"--output={tmp_path / 'out.msgpack'}")
    again = tmp_path / "again"
    weights = f"--weights={tmp_path / 'out.msgpack'}"
    launch("import_weights", *TINY, data, weights, f"--workdir={again}")
    for stage in ("classifier", "tcam"):
        step = f"{stage}/checkpoints/0"
        imported = read_variables(run / step), read_variables(again / step)
        jax.tree.map(np.testing.assert_array_equal, *imported)
    refused = launch("import_weights", *TINY, data, weights, f"--workdir={again}", status=2)
    assert "must be a new folder" in refused.stderr


@pytest.mark.slow
def test_stage_2_is_trained_on_an_imported_classifier(published, shapes_data, tmp_path, launch):
    run, data = tmp_path / "run", f"--config.dataset.data_dir={shapes_data}"
    weights = f"--weights={published / 'classifier.pth'}"
    # Seeds by a method that takes frames, not their features alone.
    config = [*TINY, data, "--config.tcam.epochs=1", "--config.tcam.cam_method=smoothgradcampp"]
    config += ["--config.eval.cam_methods=('smoothgradcampp',)"]
    done = launch("import_weights", *config, weights, f"--workdir={run}")
    assert "tcam train --config" in done.stdout
    done = launch("train", *config, f"--workdir={run}")
    assert "classifier: finished before" in done.stdout
    assert (run / "results.json").exists()
    encoder = launch("export_weights", f"--workdir={run}", f"--output={run / 'w.safetensors'}")
    assert "w.safetensors" in encoder.stdout
    given = state_dict(torch_network(num_classes=10, depth=10))
    exported = load_file(run / "w.safetensors")
    np.testing.assert_array_equal(exported["encoder.conv1.weight"], given["encoder.conv1.weight"])
    assert np.abs(exported["decoder.blocks.0.conv1.0.weight"]).max() > 0


@pytest.mark.slow
def test_training_starts_from_pretrained_weights_of_every_kind(
    published, shapes_data, tmp_path, launch
):
    data = f"--config.dataset.data_dir={shapes_data}"
    first = tmp_path / "first"
    start = f"--config.model.pretrained={published / 'resnet10.pth'}"
    # A learning rate of next to nothing leaves the weights where they started.
    still = "--config.classifier.optimizer.learning_rate=1e-30"
    smoothed = "--config.classifier.label_smoothing=0.1"
    head = "--config.model.head=lse"
    methods = "--config.eval.cam_methods=('layercam','xgradcam')"
    short = ("--config.classifier.epochs=1", "--config.tcam.epochs=0")
    arguments = [*TINY, *short, data, start, still, smoothed, head, methods]
    floor = "--config.classifier.optimizer.min_learning_rate=0"
    done = launch("train", *arguments, floor, f"--workdir={first}")
    assert "resnet10.pth: encoder" in done.stdout
    assert "from random weights: classification_head" in done.stdout
    launch("export_weights", f"--workdir={first}", f"--output={tmp_path / 'w.safetensors'}")
    exported = load_file(tmp_path / "w.safetensors")
    given = state_dict(torch_network(num_classes=10, depth=10))
    for name in ("encoder.conv1.weight", "encoder.layer4.0.conv2.weight"):
        np.testing.assert_array_equal(exported[name], given[name])

    # A checkpoint's folder is weights too.
    (checkpoint,) = sorted((first / "classifier" / "checkpoints").glob("[0-9]*"))[-1:]
    second = f"--workdir={tmp_path / 'second'}"
    done = launch("import_weights", *TINY, data, head, f"--weights={checkpoint}", second)
    assert "finished stages classifier\n" in done.stdout


@pytest.mark.slow
def test_bad_weights_end_with_one_clear_line(published, shapes_data, tmp_path, launch):
    data = f"--config.dataset.data_dir={shapes_data}"
    run = f"--workdir={tmp_path / 'run'}"
    damaged = tmp_path / "damaged.pth"
    damaged.write_bytes((published / "whole.pth").read_bytes()[:100_000])
    for arguments, expected in (
        ([f"--weights={damaged}"], "is damaged"),  # other faults of files: tests/models/weights
        (
            [f"--weights={published / 'whole.pth'}", "--config.model.encoder=resnet34"],
            "is a resnet10",
        ),
        ([f"--weights={published / 'resnet10.pth'}"], "must hold a classification head"),
    ):
        done = launch("import_weights", *TINY, data, run, *arguments, status=2)
        assert done.stderr.startswith("error: ") and expected in done.stderr
        assert "Traceback" not in done.stderr
        assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == []
    # A new run is not recorded with weights that it cannot use: corrected, it starts.
    done = launch("train", *TINY, data, run, f"--config.model.pretrained={damaged}", status=2)
    assert done.stderr.startswith("error: ") and "is damaged" in done.stderr
    assert not (tmp_path / "run").exists()
    done = launch("export_weights", run, f"--output={tmp_path / 'w.pth'}", status=2)
    assert "must hold a run" in done.stderr
