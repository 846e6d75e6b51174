import logging

import jax
import numpy as np
import optax
import pytest
import torch

from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import CLASSIFIER_PARTS, LOCALISER_PARTS, TCAM, init_variables, select
from tcam_jax.runtime.errors import InputError
from tcam_jax.train.checkpoint import Checkpoints, Record, read_variables
from tcam_jax.train.initial import initial_variables, load_weights, report_weights
from tcam_jax.train.state import create_state
from tests.torch_networks import same_weights, torch_network


@pytest.fixture
def messages(caplog):
    caplog.set_level(logging.INFO, logger="tcam_jax")
    return lambda: [(r.levelname, r.getMessage()) for r in caplog.records]


def test_random_weights_are_a_visible_warning(config, messages):
    initial = initial_variables(config, TCAM(num_classes=4, backbone=ENCODERS["resnet10"]))
    assert initial.parts == ()
    report_weights(initial, CLASSIFIER_PARTS, config.model.pretrained)
    ((level, message),) = messages()
    assert level == "WARNING"
    assert "encoder and classification_head from random weights" in message


def test_a_whole_networks_file_serves_both_stages(config, messages, tmp_path):
    network, model = (
        torch_network(num_classes=4, depth=10),
        TCAM(num_classes=4, backbone=ENCODERS["resnet10"]),
    )
    config.model.pretrained = str(tmp_path / "whole.pth")
    torch.save(network.state_dict(), config.model.pretrained)
    initial = initial_variables(config, model)
    jax.tree.map(
        np.testing.assert_array_equal, dict(initial.variables), dict(same_weights(network, model))
    )
    for parts in (CLASSIFIER_PARTS, LOCALISER_PARTS):
        report_weights(initial, parts, config.model.pretrained)
    said = [text for _, text in messages()]
    assert [text.split(": ")[1] for text in said if text.startswith("weights of")] == [
        "encoder, classification_head",
        "decoder, map_head",
    ]
    assert "its names are those of torchvision, behind 'encoder.'" in said


def test_folders_that_are_no_sound_checkpoint(config, tmp_path):
    model = TCAM(num_classes=4, backbone=ENCODERS["resnet10"])
    variables = init_variables(model, jax.random.key(0), 32)
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    state = create_state(select(variables, CLASSIFIER_PARTS), optax.identity())
    checkpoints.save(7, state, Record({}))
    folder = tmp_path / "checkpoints" / "7"
    jax.tree.map(np.testing.assert_array_equal, read_variables(folder), state.variables)
    with pytest.raises(InputError, match="must be named classifier or tcam"):
        load_weights(str(tmp_path), variables, model)
    (folder / "variables" / "_METADATA").write_text("{")
    with pytest.raises(InputError, match="7 is damaged"):
        load_weights(str(folder), variables, model)
