"""The recipes over every dataset config: what they change and nothing else, as commands do it."""

import sys
from functools import partial

import pytest
from absl import flags
from ml_collections import ConfigDict

from configs import demo, moving_photos, recipes, video_folder, youtube_objects
from configs.recipes import best, colo_cam, fcam, tcam
from tcam_jax.commands import command_line
from tcam_jax.config.recipes import RECIPES, overrides, use_recipe
from tcam_jax.config.rules import flatten, validate
from tcam_jax.config.search_ablation import search
from tcam_jax.runtime.errors import InputError
from tests.commands.alone import load_alone

FILES = {"fcam": fcam, "tcam": tcam, "colo_cam": colo_cam, "best": best}
BASES = {
    "demo": demo.get_config,
    "demo/resnet50": partial(demo.get_config, "resnet50"),
    "moving_photos": moving_photos.get_config,
    "moving_photos/hard": partial(moving_photos.get_config, "hard"),
    "video_folder/mine": partial(video_folder.get_config, "mine"),
    "video_folder/mine_train256": partial(video_folder.get_config, "mine_train256"),
    "youtube_objects": youtube_objects.get_config,
    "youtube_objects/v2.2_train256": partial(youtube_objects.get_config, "v2.2_train256"),
}
# What makes a method: all else is the dataset config's.
METHOD = ("tcam.window.", "tcam.seeds.", "tcam.losses.", "tcam.cam_method", "tcam.seed_source")
METHOD += ("tcam.align_seeds", "eval.map", "eval.other_maps")
YOUTUBE = ("colo_cam", "youtube_objects")
COLO_CAMS_TRAINING = {
    "dataset.middle_share": 0.6,
    "tcam.batch_size": 16,
    "tcam.epochs": 10,
    "tcam.optimizer.step_epochs": 5,
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("base", BASES)
def test_a_recipe_over_a_dataset_config(name, base):
    plain, config = BASES[base](), FILES[name].get_config(base)
    validate(config)
    changed, before = overrides(plain, name), flatten(plain)
    assert flatten(config) == before | changed
    assert flatten(plain) == flatten(BASES[base]())  # which is left as it was
    training = COLO_CAMS_TRAINING if (name, plain.dataset.name) == YOUTUBE else {}
    others = {field: x for field, x in changed.items() if not field.startswith(METHOD)}
    assert others == training
    assert "tcam.losses.crf.weight" not in changed
    # A method is the same whatever the dataset's config made of TCAM before.
    assert overrides(config, name) == {}


@pytest.mark.parametrize("name", RECIPES)
def test_what_a_config_made_of_tcam_before_is_gone(name):
    config = demo.get_config()
    config.tcam.seed_source, config.tcam.seed_dir = "files", "maps"
    config.tcam.losses.temporal_consistency.final_weight = 1.0
    config.tcam.losses.size.start_epoch = 2
    config.tcam.cam_method, config.eval.cam_methods = "gradcam", ("gradcam",)
    changed = use_recipe(config, name)
    validate(changed)
    plain = use_recipe(demo.get_config(), name)
    if name == "trcam_v":  # the published one's seeds are from files
        plain.tcam.seed_source, plain.tcam.seed_dir = "files", "maps"
    del changed.eval.cam_methods, plain.eval.cam_methods
    assert flatten(changed) == flatten(plain)


@pytest.mark.parametrize("name", RECIPES)
def test_a_config_with_losses_of_its_own_gets_those_of_the_method(name):
    config = demo.get_config()
    config.tcam.losses = ConfigDict({"crf": config.tcam.losses.crf})
    config.tcam.losses.crf.weight = 3e-9
    changed = use_recipe(config, name)
    validate(changed)
    plain = use_recipe(demo.get_config(), name)
    on = {x: loss.weight for x, loss in plain.tcam.losses.items() if loss.weight or x == "size"}
    assert {x: loss.weight for x, loss in changed.tcam.losses.items()} == on | {"crf": 3e-9}
    with pytest.raises(InputError, match=f"{name} .* it adds tcam.losses.*or with them"):
        overrides(config, name)


@pytest.mark.parametrize("base", BASES)
def test_the_published_numbers(base):
    def of(name):
        config = use_recipe(BASES[base](), name)
        return config, config.tcam.window, config.tcam.seeds, config.tcam.losses

    config, window, seeds, losses = of("fcam")
    assert (window.n, window.cam_tmp, window.labelled) == (0, False, "target")
    assert (seeds.rule, seeds.region, seeds.fg_pixels, seeds.bg_pixels) == ("fcam", "all", 1, 1)
    assert (losses.partial_ce.weight, losses.size.weight) == (1.0, 0.1)

    config, window, seeds, losses = of("tcam")
    assert (window.n, window.mode, window.cam_tmp, window.labelled) == (1, "before", True, "target")
    assert (window.pooling, window.align, window.sampling) == ("max", False, "adjacent")
    assert (seeds.rule, seeds.region, seeds.fg_pixels, seeds.bg_pixels) == (
        ("reference", "all", 1, 1)
    )
    assert (losses.partial_ce.weight, losses.size.weight) == (1.0, 0.01)
    assert losses.joint_color_crf.weight == 0

    config, window, seeds, losses = of("colo_cam")
    assert (window.n, window.mode, window.cam_tmp, window.labelled) == (1, "before", False, "all")
    assert (window.pooling, window.align, window.sampling) == ("max", False, "adjacent")
    assert (seeds.rule, seeds.region) == ("colo_cam", "largest_box")
    # 1,000 pixels of 224 x 224.
    pixels = {224: 1000, 160: 510, 80: 128, 64: 82}[config.dataset.crop]
    assert seeds.fg_pixels == seeds.bg_pixels == pixels
    joint = losses.joint_color_crf
    assert (joint.weight, joint.adaptive, joint.sigma_rgb) == (9.0, True, 15.0)
    assert (losses.partial_ce.weight, losses.size.weight) == (1.0, 0.01)

    for name in ("fcam", "tcam", "colo_cam"):
        config, window, seeds, losses = of(name)
        assert config.tcam.cam_method == "layercam" and config.tcam.seed_source == "cam"
        assert seeds.motion == 0 and not config.tcam.align_seeds
        on = {loss for loss in losses if losses[loss].weight}
        assert on == {"partial_ce", "crf", "size"} | (
            {"joint_color_crf"} if name == "colo_cam" else set()
        )


def test_tcam_is_what_youtube_objects_has():
    assert overrides(youtube_objects.get_config(), "tcam") == {}


@pytest.mark.parametrize("base", ["mine", "youtube_object/v1.0", "recipes", "", "/v1.0"])
def test_a_base_that_there_is_not(base):
    there = "colo_cam.py takes a dataset config of configs/ .*demo, moving_photos, video_folder"
    with pytest.raises(InputError, match=f"{there}, youtube_objects, got '{base}'"):
        colo_cam.get_config(base)


def test_an_argument_that_the_base_does_not_know():
    with pytest.raises(InputError, match="youtube_objects.py takes one of v1.0, .*, got 'v3'"):
        tcam.get_config("youtube_objects/v3")


def test_a_recipe_that_there_is_not():
    with pytest.raises(InputError, match="must be one of fcam, tcam, colo_cam.*; it is 'colocam'"):
        recipes.recipe_over("colocam", "demo")


@pytest.fixture
def parsed(monkeypatch, capsys):
    """Return a function: the config that `tcam train` has of its flags, or what it says of them."""

    def run(*arguments):
        module, values = load_alone(monkeypatch, "tcam_jax/commands/train")
        monkeypatch.setattr(flags, "FLAGS", values)
        monkeypatch.setattr(sys, "argv", ["tcam train", *arguments, "--workdir=there"])
        monkeypatch.delitem(sys.modules, "config_config", raising=False)  # another test's file
        parse = lambda _, flags_parser: flags_parser(sys.argv)  # noqa: E731
        monkeypatch.setattr(command_line.app, "run", parse)
        monkeypatch.setattr(command_line, "keep_streams", lambda: None)
        try:
            module.run()
        except SystemExit as ended:
            assert ended.code == 2
            return capsys.readouterr().err
        return values.config

    return run


@pytest.mark.parametrize("name", FILES)
def test_from_the_command_line(parsed, name):
    base = "video_folder/mine_train256"
    config = parsed(f"--config=configs/recipes/{name}.py:{base}", "--config.tcam.window.n=3")
    assert (config.dataset.config, config.dataset.resize) == ("mine_train256", 256)
    assert config.tcam.window.n == 3  # what is typed comes after what a recipe says
    expected = flatten(FILES[name].get_config(base)) | {"tcam.window.n": 3}
    found = flatten(config)
    assert {field for field in expected if found[field] != expected[field]} <= {
        "dataset.data_dir",
        "dataset.manual_dir",
    }


@pytest.mark.parametrize(
    ("base", "told"),
    [
        ("mine", "configs/recipes/colo_cam.py takes a dataset config of configs/"),
        ("youtube_objects/v3", "configs/youtube_objects.py takes one of v1.0"),
    ],
)
def test_a_wrong_base_is_one_line_of_the_command(parsed, base, told):
    said = parsed(f"--config=configs/recipes/colo_cam.py:{base}")
    assert told in said and "Traceback" not in said and len(said.strip().splitlines()) == 1


def test_what_values_cannot_say_is_refused():
    config = demo.get_config()
    config.model.encoder_options.width = 32
    with pytest.raises(InputError, match="trcam_v .* it takes out model.encoder_options.width"):
        overrides(config, "trcam_v")
    assert overrides(config, "tcam") == overrides(demo.get_config(), "tcam")


@pytest.mark.parametrize("base", ["demo", "youtube_objects"])
def test_best_looks_at_neighbours(base):
    config = use_recipe(BASES[base](), "best")
    validate(config)
    assert (config.eval.map, config.eval.other_maps[-1]) == ("motion", "crf")
    assert "motion" in search(BASES[base]()).variants[0].overrides["eval.other_maps"]
