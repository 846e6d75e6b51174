"""Which changes of a config a run that goes on takes."""

import pytest

from configs import demo
from tcam_jax.config.record import check_goes_on, load_config, record_config
from tcam_jax.runtime.errors import InputError


@pytest.fixture
def workdir(tmp_path):
    """A run of the demo, not begun."""
    record_config(demo.get_config(), tmp_path)
    return tmp_path


def _begin(workdir, stage):
    (workdir / stage / "checkpoints").mkdir(parents=True)


def test_a_stage_may_train_for_longer(workdir):
    _begin(workdir, "classifier")
    config = demo.get_config()
    config.classifier.epochs, config.classifier.steps = 0, 400
    record_config(config, workdir)
    _begin(workdir, "tcam")
    config.tcam.epochs = 9
    record_config(config, workdir)
    assert (load_config(workdir).classifier.steps, load_config(workdir).tcam.epochs) == (400, 9)


def test_another_config_is_named_before_its_length(workdir):
    _begin(workdir, "tcam")
    config = demo.get_config("resnet50")
    config.classifier.epochs = 9
    with pytest.raises(InputError, match=r"(?s)of another config.*resnet18' there, 'resnet50' now"):
        check_goes_on(config, workdir)
    with pytest.raises(InputError, match="must be a folder; it is a file"):
        check_goes_on(config, workdir / "config.json")


def test_a_classifier_on_which_tcam_stands_may_not(workdir):
    _begin(workdir, "classifier")
    _begin(workdir, "tcam")
    config = demo.get_config()
    config.classifier.epochs = 9
    with pytest.raises(InputError, match="its tcam stage stands on that classifier. Take another"):
        record_config(config, workdir)


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("tcam.optimizer.schedule", "cosine", "optimizer.schedule=cosine follows"),
        ("tcam.losses.size.final_weight", 0.1, "tcam.losses.size.final_weight follows"),
        ("tcam.seeds.self_training_start", 0.5, "seeds.self_training_start follows"),
    ],
)
def test_what_follows_the_whole_length_keeps_it(tmp_path, field, value, named):
    config = demo.get_config()
    config.update_from_flattened_dict({field: value})
    record_config(config, tmp_path)
    config.tcam.epochs = 5  # nothing has begun
    record_config(config, tmp_path)
    _begin(tmp_path, "tcam")
    record_config(config, tmp_path)
    config.tcam.epochs = 6
    with pytest.raises(InputError, match=f"as long as before in .*{named}"):
        record_config(config, tmp_path)
    if field.endswith("final_weight"):
        config.tcam.epochs = 5
        config.tcam.losses.size.end_epoch = 3
        with pytest.raises(InputError, match="another config"):
            record_config(config, tmp_path)
