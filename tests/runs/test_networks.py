"""What of a run's workdir says how to read its networks."""

import json

import flax.errors
import pytest

from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import TCAM
from tcam_jax.runs.networks import fitting, read_classes, record_classes
from tcam_jax.runtime.errors import InputError
from tcam_jax.train.initial import load_weights


def test_classes_are_read_as_they_were_recorded(tmp_path):
    with pytest.raises(InputError, match="was never started"):
        read_classes(tmp_path)
    record_classes(tmp_path, ("cat", "é"))
    assert read_classes(tmp_path) == ("cat", "é")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is damaged: it is empty"),
        ('"cat"', "must be a list; it is 'cat'"),
        ('{"cat": 1}', "must be a list"),
        ('["cat", 7]', r"it\[1\] must be text; it is 7"),
        ("[]", "must have a name for each class"),
        ('["cat", "cat"]', "cannot be told from 'cat'"),
        ('["cat", "dog\\n"]', "has a line break"),
        ('["\\ud800"]', r"it\[0\] must be text"),
        ("[" * 10**5, "nested too deep"),
    ],
)
def test_damaged_classes_are_one_error(tmp_path, content, told):
    (tmp_path / "classes.json").write_text(content)
    with pytest.raises(InputError, match=rf"classes\.json.* {told}"):
        read_classes(tmp_path)


def test_checkpoints_of_another_network_are_named():
    with (
        pytest.raises(InputError, match="checkpoints of runs/a do not fit its config.json and"),
        fitting("runs/a"),
    ):
        raise flax.errors.ScopeParamShapeError("kernel", "/head", (1, 2), (1, 3))


@pytest.mark.parametrize("content", ["", "[]", json.dumps({"tcam": {"encoder_checkpoint": 5}})])
def test_a_damaged_config_does_not_choose_another_classifier(tmp_path, content):
    """The decoder goes with the classifier that the config names."""
    for stage in ("classifier", "tcam"):
        (tmp_path / stage / "checkpoints").mkdir(parents=True)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"config\.json is damaged: "):
        load_weights(str(tmp_path), {}, TCAM(2, ENCODERS["resnet10"]))
