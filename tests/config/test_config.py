import functools
import json
import os

import pytest

from configs import demo, moving_photos, video_folder, youtube_objects
from tcam_jax.config import defaults
from tcam_jax.config.places import located
from tcam_jax.config.record import load_config, record_config
from tcam_jax.config.rules import flatten, validate
from tcam_jax.models.encoders.registry import backbone
from tcam_jax.runtime.errors import InputError
from tcam_jax.train.stages import make_model


@pytest.mark.parametrize(
    "config",
    [
        demo.get_config(),
        demo.get_config("resnet50"),
        moving_photos.get_config(),
        moving_photos.get_config("train_boxes"),
        video_folder.get_config("mine"),
        video_folder.get_config("mine_train256"),
        youtube_objects.get_config(),
        youtube_objects.get_config("v2.2"),
    ],
)
def test_shipped_configs_are_valid(config):
    validate(config)


def test_frames_stored_small_are_trained_at_that_size():
    config = video_folder.get_config("mine_train256")
    assert (config.dataset.resize, config.dataset.crop) == (256, 224)


def test_youtube_objects_has_the_published_numbers():
    config = youtube_objects.get_config("v2.2")
    assert config.dataset.config == "v2.2"
    assert config.model.encoder == "resnet50"
    assert backbone(config)().strides == (1, 2, 1, 1)
    assert (config.dataset.resize, config.dataset.crop) == (256, 224)
    for stage, rate in ((config.classifier, 1e-3), (config.tcam, 1e-2)):
        assert (stage.epochs, stage.batch_size) == (100, 32)
        optimizer = stage.optimizer
        assert (optimizer.learning_rate, optimizer.step_epochs, optimizer.gamma) == (rate, 15, 0.9)
        assert (optimizer.name, dict(optimizer.args), optimizer.weight_decay) == ("sgd", {}, 1e-4)
    tcam = config.tcam
    assert (tcam.window.n, tcam.window.mode, tcam.cam_method) == (1, "before", "layercam")
    crf = tcam.losses.crf
    assert (crf.weight, crf.sigma_rgb, crf.sigma_xy, crf.scale) == (2e-9, 15, 100, 1)
    assert crf.kernel_scale == 0.594 and tcam.losses.size.weight == 0.01
    assert tcam.losses.joint_color_crf.kernel_scale == 0.77
    assert dict(tcam.barrier) == {"initial": 1, "maximum": 10, "growth": 1.01}
    assert "new_layers_ratio" not in tcam.optimizer  # one learning rate in stage 2
    assert config.classifier.optimizer.new_layers_ratio == 10


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (
            "parallel",
            "pmapp",
            "config.parallel must be one of auto, pmap, shard_map, jit; it is 'pmapp'",
        ),
        ("seed", -1, "config.seed must be 0 or more"),
        ("tcam.losses.crf.sigma_xy", 0.0, "config.tcam.losses.crf.sigma_xy must be greater than 0"),
        ("eval.cam_methods", ("cam",), "with tcam.cam_method=layercam in it"),
        ("model.encoder", "resnet20", "one of resnet10, resnet18, .*; it is 'resnet20'"),
        ("model.output_stride", 4, "one of 8, 16, 32 for resnet50, or None; it is 4"),
        ("classifier.epochs", 0, "greater than 0, or steps, examples or passes; it is 0"),
        ("tcam.epochs", -1, "config.tcam: epochs must be 0 .not used. or greater; it is -1"),
        ("tcam.passes", float("nan"), "config.tcam: passes must be 0 .* it is nan"),
        ("tcam.steps", 10, "exactly one of .*; epochs=100 and steps=10 are given. Set all but one"),
        ("dataset.frames_per_shot", 0, "greater than 0; it is 0"),
        ("eval.every", "5", "config.eval.every: it must be a number above 0 and a unit"),
        ("checkpoint.every", "2 hours", "such as \"100 steps\".*it is '2 hours'"),
        ("eval.frames", -1, "0 or more; it is -1"),
        ("eval.select_by", "box", "one of boxes, none, cam, motion, selective_search; it"),
        ("tcam.window.n", -1, "0 or more"),
        ("tcam.window.sampling", "uniform", "adjacent, gaussian, interval; it is 'uniform'"),
        ("tcam.window.sigma_t", 0.0, "greater than 0; it is 0.0"),
        ("dataset.middle_share", 0.0, "greater than 0; it is 0.0"),
        ("dataset.middle_share", 1.5, "at most 1; it is 1.5"),
        ("tcam.batch_size", 12, "a multiple of the 8 devices; it is 12"),
        ("tcam.accumulation", 3, "of the 8 devices times tcam.accumulation=3; it is 32"),
        ("classifier.accumulation", 0, "greater than 0; it is 0"),
        ("precision", "float64", "float32 or bfloat16 unless JAX_ENABLE_X64=1 is set"),
        ("checkpoint.keep_last", 0, "greater than 0"),
        ("checkpoint.keep_every_steps", -1, "0 or more; it is -1"),
        ("checkpoint.skips_before_rollback", 0, "greater than 0"),
        ("tcam.seeds.rule", "papers", "one of reference, paper"),
        ("eval.cam_methods", ("cam", "gradcm"), r"made of cam, gradcam, .*; it is \['gradcm'\]"),
        (
            "model.head",
            "gmp",
            "one of wgap, gap, max, lse, wildcat, attention_mil, class_tokens; it is 'gmp'",
        ),
        ("seed", 2**32, "at most 4294967295; it is 4294967296"),
        ("model.head_options.sharpness", 2.0, "must be made of nothing; it is 'sharpness'"),
        ("classifier.label_smoothing", 1.0, "at least 0 and less than 1; it is 1.0"),
        ("tcam.seeds.region", "biggest", "one of all, largest, .*; it is 'biggest'"),
        ("tcam.seed_view", "whole", "one of frame, source, crop; it is 'whole'"),
        ("tcam.window.labelled", "every", "one of target, all; it is 'every'"),
        ("tcam.window.pooling", "median", "one of max, mean, softmax; it is 'median'"),
        ("tcam.seeds.motion", 1.5, "0 to 1; it is 1.5"),
        ("tcam.seeds.box", "loose", "one of tight, reference; it is 'loose'"),
        ("tcam.seed_source", "files", "a folder of maps with .* it is ''"),
        ("tcam.seed_dir", "maps", "empty unless .* it is 'maps'"),
        ("tcam.losses.crf.backend", "lattice", "one of auto, grid, grid_matmul, exact; it is"),
        ("tcam.losses.crf.weight", float("nan"), "a finite number; it is nan"),
        ("tcam.losses.size.start_epoch", 0, r"size\.start_epoch must be 1 or more; it is 0"),
        ("tcam.losses.size.end_epoch", -1, r"size\.end_epoch must be 1 or more; it is -1"),
        ("tcam.losses.fg_size.target", 0.0, "greater than 0"),
        ("tcam.losses.fg_size.weight", None, "a finite number; it is None"),
        ("tcam.losses.crf.sigma_rgb", None, "sigma_rgb must be a finite number; it is None"),
        ("tcam.losses.crf.sigma_rgb", 1e6, "sigma_rgb of 4 to 1000 levels; got 1e.06"),
        ("tcam.losses.crf.scale", 1e-100, "at crops of 224 pixels"),
        ("tcam.losses.crf.scale", 1.5, r"must be in \(0, 1\], got 1.5"),
        ("tcam.losses.crf.sigma_xy", 2.0, "at crops of 224 pixels: sigma_xy=2 pixels is too small"),
    ],
)
def test_wrong_values_are_named(field, value, message):
    config = defaults.get_config()
    *sections, name = field.split(".")
    section = functools.reduce(getattr, sections, config)
    with section.unlocked(), section.ignore_type():
        section[name] = value
    with pytest.raises(InputError, match=message):
        validate(config)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("alpha", -1.0, r"head_options\.alpha must be 0 or more; it is -1"),
        ("modalities", 0, "greater than 0"),
        ("top", 1.5, "a share, at most 1; it is 1.5"),
        ("kmax", 0.5, "made of modalities, top, bottom, alpha; it is 'kmax'"),
        ("modalities", 2.5, "modalities must be of type int; it is 2.5"),
        ("top", "half", "top must be of type float; it is 'half'"),
        ("bottom", 0.0, None),
    ],
)
def test_options_of_a_head(option, value, message):
    config = defaults.get_config()
    config.model.head = "wildcat"
    with config.unlocked():
        config.model.head_options[option] = value
    if message is None:
        validate(config)
        assert make_model(config, 3).head(num_classes=3).bottom == 0
    else:
        with pytest.raises(InputError, match=message):
            validate(config)


def test_misspelt_loss_parameter_is_named():
    config = defaults.get_config()
    with config.unlocked():
        config.tcam.losses.crf.sigma_rbg = 15.0
    with pytest.raises(
        InputError, match="made of weight, .*adaptive, sigma_rgb.*it is 'sigma_rbg'"
    ):
        validate(config)


def test_a_loss_needs_its_parameters_its_epochs_and_its_window():
    config = defaults.get_config()
    del config.tcam.losses.crf["sigma_xy"]
    with pytest.raises(InputError, match="losses.crf must be given sigma_xy"):
        validate(config)
    config = defaults.get_config()
    config.tcam.losses.size.start_epoch, config.tcam.losses.size.end_epoch = 5, 4
    with pytest.raises(InputError, match="end_epoch must be at least start_epoch=5; it is 4"):
        validate(config)
    config = defaults.get_config()
    config.tcam.window.n = 0
    validate(config)
    config.tcam.losses.joint_color_crf.weight = 4.0
    with pytest.raises(InputError, match="1 or more for the loss joint_color_crf; it is 0"):
        validate(config)
    config.tcam.window.n, config.tcam.window.labelled = 2, "all"
    validate(config)
    config.tcam.seed_source = "boxes"
    with pytest.raises(InputError, match="cam or files with .*targets alone have true boxes"):
        validate(config)


def test_self_training_needs_an_average_and_maps():
    config = defaults.get_config()
    config.tcam.seeds.self_training_start = 0.5
    with pytest.raises(InputError, match=r"ema must be above 0, .*start=0.5: that .*; it is 0\.0"):
        validate(config)
    config.tcam.optimizer.ema = 0.99
    validate(config)
    config.tcam.seed_source = "boxes"
    with pytest.raises(InputError, match=r"seed_source must be cam or files with .*start=0\.5"):
        validate(config)
    for start in (-0.1, 1.1, float("nan")):
        config.tcam.seeds.self_training_start = start
        with pytest.raises(InputError, match="self_training_start must be from 0 to 1, a share"):
            validate(config)


def test_one_loss_at_least():
    config = defaults.get_config()
    for settings in config.tcam.losses.values():
        settings.weight = 0.0
    with pytest.raises(InputError, match="a weight other than 0, one at least; it is '0 for all'"):
        validate(config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"tcam.seeds.fg_pixels": 50177},
            "fg_pixels must be at most 50176, the pixels of a crop of",
        ),
        ({"tcam.seeds.bg_pixels": 50177}, "bg_pixels must be at most 50176"),
        ({"dataset.resize": 600, "dataset.crop": 513}, "crop must be at most 512 where stage 2"),
    ],
)
def test_sizes_that_seeds_cannot_be_drawn_at(changes, message):
    config = defaults.get_config()
    config.update_from_flattened_dict(changes)
    with pytest.raises(InputError, match=message):
        validate(config)
    if "dataset.crop" in changes:
        config.tcam.epochs = 0
        validate(config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window.cam_tmp": False, "window.align": True}, "False where window.cam_tmp=False"),
        ({"window.cam_tmp": False, "window.pooling": "mean"}, "max where window.cam_tmp=False"),
        ({"window.labelled": "all", "window.align": True}, 'False with window.labelled="all"'),
        ({"seed_source": "boxes", "seeds.motion": 0.5}, '0 with tcam.seed_source="boxes"'),
    ],
)
def test_ways_of_pooling_that_do_not_go_together(changes, message):
    config = defaults.get_config()
    config.update_from_flattened_dict({f"tcam.{field}": value for field, value in changes.items()})
    with pytest.raises(InputError, match=message):
        validate(config)


@pytest.mark.parametrize(
    ("field", "value", "because"),
    [
        ("tcam.seeds.motion", 0.5, "tcam.seeds.motion or tcam.window.align"),
        ("eval.map", "motion", "the map motion"),
        ("eval.other_maps", ("motion",), "the map motion"),
    ],
)
def test_frames_too_small_for_a_flow(field, value, because):
    config = defaults.get_config()
    config.dataset.crop = config.dataset.resize = 16
    config.update_from_flattened_dict({field: value})
    validate(config)
    config.dataset.crop = 15
    with pytest.raises(InputError, match=f"dataset.crop must be 16 or more with {because}: no flo"):
        validate(config)
    config.update_from_flattened_dict({field: defaults.get_config().eval.get(field[5:], 0.0)})
    validate(config)


def test_record_and_load(tmp_path):
    config = demo.get_config()
    workdir = tmp_path / "new" / "run"
    record_config(config, workdir)
    loaded = load_config(workdir)
    assert flatten(loaded) == flatten(located(config))
    assert json.loads((workdir / "environment.json").read_text())["packages"]["jax"]
    record_config(config, workdir)  # the same again is fine
    config.dataset.data_dir = "elsewhere"  # where the data lies changes nothing …
    config.parallel = "shard_map"  # … nor on what it is computed
    record_config(config, workdir)
    assert load_config(workdir).dataset.data_dir == os.path.abspath("elsewhere")
    config.tcam.window.n = 4
    with pytest.raises(InputError, match=r"tcam\.window\.n: 1 there, 4 now"):
        record_config(config, workdir)
    with pytest.raises(InputError, match="must hold a run"):
        load_config(tmp_path / "nothing")


def test_a_config_of_before_fields_came_is_read(tmp_path):
    recorded = defaults.get_config().to_dict()
    del recorded["dataset"]["middle_share"]
    for name in ("box", "motion", "self_training_start"):
        del recorded["tcam"]["seeds"][name]
    for name in ("labelled", "sampling", "sigma_t", "pooling", "align"):
        del recorded["tcam"]["window"][name]
    del recorded["tcam"]["losses"]["joint_color_crf"]["kernel_scale"]
    del recorded["eval"]["frames"], recorded["eval"]["every"], recorded["checkpoint"]["every"]
    recorded["eval"]["every_steps"], recorded["checkpoint"]["every_steps"] = 0, 100
    (tmp_path / "config.json").write_text(json.dumps(recorded))
    config = load_config(tmp_path)
    assert (config.eval.every, config.eval.frames) == ("1 epoch", 0)
    assert (config.tcam.seeds.box, config.tcam.window.labelled) == ("tight", "target")
    assert (config.tcam.window.sampling, config.dataset.middle_share) == ("adjacent", 1.0)
    assert config.tcam.seeds.self_training_start == 1.0
    assert config.tcam.losses.joint_color_crf.kernel_scale == 1.0
    assert config.checkpoint.every == "100 steps" and "every_steps" not in config.eval


def test_a_config_that_lacks_a_field_is_refused(tmp_path):
    record_config(defaults.get_config(), tmp_path)
    old = json.loads((tmp_path / "config.json").read_text())
    del old["model"]["head"], old["seed"]
    (tmp_path / "config.json").write_text(json.dumps(old))
    with pytest.raises(InputError, match=r"lacks model\.head, seed: "):
        load_config(tmp_path)
