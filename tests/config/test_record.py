"""A recorded config that somebody changed, cut short or wrote: read as it is, or one error."""

import functools
import json

import pytest

from tcam_jax.config import defaults
from tcam_jax.config.recipes import RECIPES, use_recipe
from tcam_jax.config.record import check_goes_on, load_config, read_environment, record_config
from tcam_jax.config.rules import flatten
from tcam_jax.runtime.errors import InputError


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("run")
    record_config(defaults.get_config(), workdir)
    return workdir


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_of_every_recipe_goes_on(tmp_path, recipe):
    config = use_recipe(defaults.get_config(), recipe)
    for _ in range(2):
        record_config(config, tmp_path)
        check_goes_on(config, tmp_path)


def change(workdir, tmp_path, field, value):
    content = json.loads((workdir / "config.json").read_text())
    *sections, name = field.split(".")
    functools.reduce(lambda tree, key: tree[key], sections, content)[name] = value
    (tmp_path / "config.json").write_text(json.dumps(content))
    return tmp_path


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"x"', "[" * 10**5, '{"seed": 1, "se'])
def test_what_is_no_config_is_one_error(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"config\.json is damaged: .*Put back a copy of it"):
        load_config(tmp_path)


def test_an_empty_one_lacks_fields_and_not_all_are_listed(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"json lacks checkpoint, .*, … \(10 fields\): it was not"):
        load_config(tmp_path)
    content = {**defaults.get_config().to_dict(), "tcam": {}}
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"lacks tcam\.accumulation, .*, … \(\d\d fields\): "):
        load_config(tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("seed", True, "seed must be a whole number; it is True"),
        ("seed", "0", "seed must be a whole number; it is '0'"),
        ("dataset", [], "dataset must be an object"),
        ("dataset.crop", 10**9, r"config\.dataset\.crop must be at most 8192; it is 1000000000"),
        ("dataset.crop", -1, "greater than 0; it is -1"),
        ("dataset.crop", 224.5, "dataset.crop must be a whole number"),
        ("dataset.data_dir", None, "dataset.data_dir must be text; it is None"),
        ("dataset.options", {"splits_dir": 1}, "dataset.options.splits_dir must be text"),
        ("dataset.options", {"a.b": 1}, ""),
        ("model.output_stride", "8", "model.output_stride must be a whole number or null"),
        ("model.decoder_width", float("nan"), "decoder_width must be a number; it is nan"),
        ("model.decoder_width", 1e9, "at most 64"),
        ("model.encoder", "resnet9", "config.model.encoder must be one of resnet10, .*'resnet9'"),
        ("model.encoder", ["resnet18"], "model.encoder must be text"),
        ("model.encoder_options", [1], "model.encoder_options must be an object"),
        ("model.head_options", {"sharpness": 1}, "head_options must be made of nothing"),
        ("eval", 7, "eval must be an object; it is 7"),
        ("eval.every", "now", "config.eval.every: it must be a number above 0"),
        ("eval.batch_size", 10**12, "at most 8192"),
        ("eval.cam_methods", "cam", "eval.cam_methods must be a list"),
        ("eval.cam_methods", [["cam"]], r"eval.cam_methods\[0\] must be text"),
        ("eval.map", "x", "config.eval.map must be one of"),
        ("tcam.losses.crf", 1, r"losses\['crf'\] must be an object"),
    ],
)
def test_a_field_that_holds_something_else_is_named(recorded, tmp_path, field, value, told):
    with pytest.raises(InputError, match=rf"config\.json is damaged: .*{told}.*Put back") as error:
        load_config(change(recorded, tmp_path, field, value))
    assert "Set --config" not in str(error.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model.decoder_width", 1),  # a number is a number
        ("mine", {"depth": [1, {"a": None}]}),  # a user's own data read it
        ("dataset.options", {"split_by": "time"}),
        ("tcam.losses.mine", {"weight": 1.0}),
        ("tcam.seeds.rule", "mine"),  # not known here, nor needed to predict
        ("tcam.cam_method", "mine"),
        ("eval.cam_methods", ["mine"]),
    ],
)
def test_what_others_may_have_written_is_read(recorded, tmp_path, field, value):
    found = flatten(load_config(change(recorded, tmp_path, field, value)).to_dict())
    expected = flatten({field: value})
    assert expected.items() <= found.items() or found[field] == value


def test_the_environment_is_needed_whole(recorded, tmp_path):
    assert read_environment(recorded)["processes"] == 1
    for content in ("{}", "[]", '{"python": 3}'):
        (tmp_path / "environment.json").write_text(content)
        with pytest.raises(InputError, match=r"environment\.json is damaged: .*tcam train. writes"):
            read_environment(tmp_path)
