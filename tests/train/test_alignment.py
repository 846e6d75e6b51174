"""Seeds moved back by what the classifier displaces: measured, and taken in training."""

import shutil

import jax
import numpy as np
import pytest
from scipy import ndimage

from configs import demo
from tcam_jax.cams.displacement import Displacement
from tcam_jax.data.dataset import Dataset
from tcam_jax.evaluate.maps import PREDICTED, FrameOutputs
from tcam_jax.runtime.interruption import Interruption
from tcam_jax.runtime.log import start_logging
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.train import alignment
from tcam_jax.train.both_stages import train
from tcam_jax.train.checkpoint import Checkpoints
from tcam_jax.train.stages import make_model


def small_config(data_dir):
    config = demo.get_config()
    config.dataset.data_dir, config.parallel = str(data_dir), "jit"
    config.dataset.resize, config.dataset.crop, config.model.encoder = 36, 32, "resnet10"
    config.model.decoder_width = 0.25
    for section, steps in ((config.classifier, 2), (config.tcam, 1)):
        section.epochs, section.steps, section.batch_size = 0, steps, 8
    config.eval.batch_size, config.eval.every = 8, "2 steps"
    return config


@pytest.fixture
def parallel():
    return Parallel("jit", jax.devices()[:1])


def test_the_displacement_of_a_network_that_shows_brightness_elsewhere(
    shapes_data, parallel, monkeypatch
):
    down, right = 3, -2

    def elsewhere(variables, frames, classes):
        assert (np.asarray(classes) == PREDICTED).all()  # labels are not looked at
        maps = ndimage.shift(
            np.asarray(frames).mean(-1), (0, down, right), order=1, mode="nearest"
        ).astype(np.uint8)
        return FrameOutputs(np.zeros((len(maps), 10), np.float32), maps[None])

    monkeypatch.setattr(alignment, "make_forward", lambda *_, **__: elsewhere)
    monkeypatch.setattr(alignment, "for_inference", lambda model, variables: variables)
    config = small_config(shapes_data)
    found = alignment.seed_displacement(
        config, Dataset(config), parallel, make_model(config, 10), {}, Interruption()
    )
    np.testing.assert_allclose(np.array(found) * 32, (down, right), atol=0.51)


@pytest.mark.slow
def test_training_takes_it(shapes_data, parallel, tmp_path, monkeypatch, small_encoder):
    config = small_config(shapes_data)
    config.model.encoder = small_encoder
    start_logging(tmp_path)
    decoders = []
    for align in (False, True):
        config.tcam.align_seeds = align
        workdir = tmp_path / f"{align}"
        if align:
            shutil.copytree(tmp_path / "False" / "classifier", workdir / "classifier")
            monkeypatch.setattr(alignment, "displacement", lambda _: Displacement(0.1, -0.1))
        train(config, Dataset(config), parallel, workdir, Interruption())
        said = (tmp_path / "log.txt").read_text()
        assert ("of where they are" in said) == align
        checkpoints = Checkpoints(workdir / "tcam" / "checkpoints")
        decoders.append(checkpoints.restore_variables(checkpoints.newest()))
    assert "CAMs show things +3.2 px down and -3.2 px right of where they are, of 32" in said
    leaves = [jax.tree.leaves(decoder["params"]) for decoder in decoders]
    assert any((one != other).any() for one, other in zip(*leaves, strict=True))
