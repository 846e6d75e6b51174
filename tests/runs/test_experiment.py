"""What could not be trained is refused before anything is recorded."""

import pytest

from configs import demo
from tcam_jax.config.recipes import use_recipe
from tcam_jax.models.weights.pretrained import Pretrained
from tcam_jax.runs import evaluate, experiment
from tcam_jax.runs.networks import record_classes
from tcam_jax.runtime.errors import InputError
from tcam_jax.train import initial
from tests.runs.test_identity import Own


@pytest.fixture
def config():
    config = use_recipe(demo.get_config(), "best")
    config.model.encoder, config.dataset.resize, config.dataset.crop = "resnet10", 36, 32
    config.eval.map, config.eval.other_maps = "crf", ()
    return config


def test_data_that_lack_what_seeds_are_made_of(config):
    with pytest.raises(InputError, match="training_batches must take the argument motion_of"):
        experiment.dry_run(config, Own())
    config.tcam.steps, config.tcam.epochs = 0, 0  # the classifier alone needs no seeds
    experiment.dry_run(config, Own())


@pytest.mark.parametrize("parts", [("encoder",), ("encoder", "decoder", "map_head")])
def test_a_decoder_that_teaches_itself_from_the_beginning_must_know_something(
    config, monkeypatch, parts
):
    config.tcam.seeds.motion, config.tcam.optimizer.ema = 0.0, 0.9
    config.tcam.seeds.self_training_start, config.model.pretrained = 0.0, "weights"
    monkeypatch.setattr(initial, "load_weights", lambda *_: Pretrained({}, parts, ()))
    if "decoder" in parts:
        experiment.dry_run(config, Own())
    else:
        told = "must be above 0 with weights that have no decoder and no map_head, as .*weights:"
        with pytest.raises(InputError, match=told):
            experiment.dry_run(config, Own())


def test_boxes_that_cannot_be_found_are_not_evaluated_by(config, tmp_path, monkeypatch):
    config.eval.select_by = "motion"
    monkeypatch.setattr(evaluate, "load_config", lambda *_: config)
    record_classes(tmp_path, Own.class_names)
    with pytest.raises(InputError, match='Take "cam", "none" or "boxes"'):
        evaluate.evaluate_run(tmp_path, data=Own())
