"""The recipe TrCAM-V over the configs of the house, and what does not go with it."""

import pytest

from configs import demo, moving_photos
from configs.recipes import trcam_v
from tcam_jax.config.recipes import use_recipe
from tcam_jax.config.rules import validate
from tcam_jax.losses.schedule import is_on
from tcam_jax.models.encoders.registry import backbone
from tcam_jax.runtime.errors import InputError

BASES = (
    "demo",
    "demo/resnet50",
    "moving_photos",
    "video_folder/x_train256",
    "youtube_objects",
    "youtube_objects/v2.2_train256",
)


@pytest.mark.parametrize("base", BASES)
def test_frames_of_every_dataset_config_are_whole_patches(base):
    config = trcam_v.get_config(base)
    assert config.dataset.crop % backbone(config)().patch == 0


def test_what_it_is():
    config = trcam_v.get_config("moving_photos")  # whose encoder and weights are EfficientNet's
    validate(config)
    assert config.model.encoder == "deit_small_patch16" and config.model.head == "class_tokens"
    assert config.model.pretrained == "" and config.model.output_stride is None
    assert config.classifier.optimizer.multipliers == (("^encoder/", 0.0),)
    assert {name for name, loss in config.tcam.losses.items() if is_on(loss)} == {
        "partial_ce",
        "crf",
    }
    tcam = config.tcam
    assert (tcam.window.n, tcam.seeds.fg_pixels, tcam.seeds.bg_pixels) == (0, 1, 1)
    assert (tcam.seeds.rule, tcam.seeds.region, tcam.cam_method) == ("reference", "all", "gradcam")
    # What the method does not say is as it was.
    base = moving_photos.get_config()
    assert tcam.losses.crf.weight == base.tcam.losses.crf.weight
    assert config.classifier.steps == base.classifier.steps


def test_a_transformer_stays_with_its_weights():
    config = demo.get_config()
    config.model.encoder, config.model.pretrained = "vit_small_patch16", "mine.pth"
    changed = use_recipe(config, "trcam_v")
    assert changed.model.encoder == "vit_small_patch16"
    assert changed.model.pretrained == "mine.pth"


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("model.encoder", "resnet18", "model.head must be one of features, .* for resnet18: no cl"),
        ("eval.cam_methods", ("cam", "gradcam"), "without cam, which needs a head of features"),
        ("eval.cam_methods", ("smoothgradcampp", "gradcam"), "without smoothgradcampp, which need"),
        ("dataset.crop", 79, "dataset.crop must be a multiple of 16 for deit_small_patch16"),
    ],
)
def test_what_does_not_go_with_it_is_one_error(field, value, expected):
    config = trcam_v.get_config("demo")
    section, name = field.split(".")
    config[section][name] = value
    with pytest.raises(InputError, match=expected):
        validate(config)
