import logging

import jax
import numpy as np
import optax
import pytest
import torch

from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import (
    CLASSIFIER_PARTS,
    LOCALISER_PARTS,
    TCAM,
    init_variables,
    select,
    variable_shapes,
)
from tcam_jax.runtime.errors import InputError
from tcam_jax.train.checkpoint import Checkpoints, Record, read_variables
from tcam_jax.train.initial import initial_variables, load_weights, report_weights
from tcam_jax.train.stage import finish
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


def test_the_folder_of_a_run_and_of_each_stage(tmp_path):
    """That of stage 2 gives the classifier too that it stands on, which may be either best."""
    model = TCAM(num_classes=4, backbone=ENCODERS["resnet10"])
    shapes = variable_shapes(model, 32)

    def filled(value, parts):
        return jax.tree.map(lambda x: np.full(x.shape, value, x.dtype), select(shapes, parts))

    both = ("best_classification", "best_localization")
    for stage, parts, roles in (
        ("classifier", CLASSIFIER_PARTS, both),
        ("tcam", LOCALISER_PARTS, both[1:]),
    ):
        checkpoints = Checkpoints(tmp_path / stage / "checkpoints")
        steps = range(1, 1 + len(roles))
        best = {role: {"step": step, "value": 1.0} for role, step in zip(roles, steps, strict=True)}
        for step in steps:
            state = create_state(filled(float(step), parts), optax.identity())
            checkpoints.save(step, state, Record(best))
        finish(tmp_path / stage, steps[-1])

    def values(source, num_classes=4):
        other = model.clone(num_classes=num_classes)
        loaded = load_weights(str(source), variable_shapes(other, 32), other)
        leaves = {part: jax.tree.leaves(loaded.variables["params"][part]) for part in loaded.parts}
        return {part: {float(x.ravel()[0]) for x in found} for part, found in leaves.items()}

    classifier = dict.fromkeys(CLASSIFIER_PARTS, {1.0})
    whole = classifier | dict.fromkeys(LOCALISER_PARTS, {1.0})
    assert values(tmp_path / "classifier") == classifier
    assert values(tmp_path) == values(tmp_path / "tcam") == whole
    assert values(tmp_path, num_classes=7).keys() == whole.keys() - {"classification_head"}
    (tmp_path / "config.json").write_text('{"tcam": {"encoder_checkpoint": "best_localization"}}')
    later = whole | dict.fromkeys(CLASSIFIER_PARTS, {2.0})
    assert values(tmp_path) == values(tmp_path / "tcam") == later
    assert values(tmp_path / "classifier") == classifier
