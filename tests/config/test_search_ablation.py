"""The preset search: knobs as changes of any config's own values."""

import pytest

from configs import demo, moving_photos
from tcam_jax.config import loss_rules, search_ablation
from tcam_jax.config.ablation import planned, with_methods
from tcam_jax.config.ablation_tables import tables_of
from tcam_jax.config.recipe_ablation import recipes
from tcam_jax.config.recipes import RECIPES, use_recipe
from tcam_jax.config.rules import validate
from tcam_jax.config.search_ablation import BASE, KNOBS, search, times, to
from tcam_jax.losses.schedule import is_on
from tcam_jax.runtime.errors import InputError


def rows(config):
    return {row.run.removeprefix(f"{BASE}_"): row.overrides for row in search(config).variants}


def test_knobs_are_factors_of_the_configs_own_values():
    config = moving_photos.get_config()
    found = rows(config)
    assert found["lr_up"] == {"tcam.optimizer.learning_rate": pytest.approx(0.003)}
    assert found["crf_down"] == {"tcam.losses.crf.weight": pytest.approx(2e-8 / 3)}
    assert found["longer"] == {"tcam.steps": 300}
    assert found["crop_whole"] == {"dataset.resize": 160}
    assert found["crop_small"] == {"dataset.resize": 229}
    assert found["width"] == {"model.decoder_width": 1.0}
    assert found["pooling"] == {"tcam.window.cam_tmp": not config.tcam.window.cam_tmp}
    assert found["joint_4"] == {"tcam.losses.joint_color_crf.weight": 4.0}
    assert rows(demo.get_config())["longer"] == {"tcam.epochs": 8}


def test_what_changes_nothing_has_no_row():
    config = moving_photos.get_config()
    found = rows(config)
    assert config.tcam.seeds.rule == "paper" and "rule_paper" not in found
    config.dataset.resize = config.dataset.crop
    assert "crop_whole" not in rows(config) and "crop_small" in rows(config)
    assert config.tcam.window.n == 1 and "n1" not in found and "n0" in found
    config.tcam.losses.size.weight = 0.0
    assert not {"size_up", "size_off"} & rows(config).keys()
    config.tcam.losses.crf.weight = 0.0
    assert not {"crf_up", "crf_down", "sigma_up", "sigma_down"} & rows(config).keys()
    config.tcam.losses.crf.final_weight = 1e-8
    found = rows(config)
    assert found["crf_up"] == {"tcam.losses.crf.final_weight": pytest.approx(3e-8)}
    assert "sigma_up" in found


def test_neighbours_that_nothing_looks_at_are_no_knob():
    config = use_recipe(moving_photos.get_config(), "fcam")
    of_neighbours = {"n1", "n2", "n4", "n8", "pooling", "pooled_mean", "pooled_softmax"}
    found = rows(config).keys()
    # Along the flow they are pooled; with a loss of theirs they are seen.
    assert found & {*of_neighbours, "n4_aligned", "joint_1"} == {"n4_aligned", "joint_1"}
    config.tcam.window.n = 1
    found = rows(config).keys()
    assert found & of_neighbours == {"pooling", "pooled_mean", "pooled_softmax"}
    assert "n0" not in found


def test_the_papers_tables_are_of_tcam_whatever_the_recipe():
    for name in ("fcam", "tcam", "best"):
        config = use_recipe(demo.get_config(), name)
        config.tcam.losses.crf.final_weight = 1e-8
        table = with_methods(tables_of(config, False, ["losses"])[0], config)
        runs = dict(planned(config, [table], [0]))
        window = runs["n1", 0].tcam.window
        assert (window.n, window.cam_tmp, window.labelled) == (1, True, "target")
        assert not is_on(runs["pl", 0].tcam.losses.crf) and is_on(runs["n0", 0].tcam.losses.crf)
    with pytest.raises(InputError, match="losses, temporal .* the config has joint_color_crf"):
        tables_of(
            use_recipe(demo.get_config(), "colo_cam"), False, ["losses", "search", "temporal"]
        )


def test_the_papers_tables_say_where_seeds_come_from():
    config = use_recipe(demo.get_config(), "best")
    (table,) = tables_of(config, False, ["bounds"])
    of_boxes = dict(planned(config, [with_methods(table, config)], [0]))["boxes", 0]
    validate(of_boxes)  # no map of motion, which the recipe has, tells more than the boxes
    config.tcam.seed_source, config.tcam.seed_dir = "files", "maps"
    config.tcam.seeds.self_training_start = 0.5
    seeds, losses, bounds = tables_of(config, False, ["seeds", "losses", "bounds"])
    runs = dict(planned(config, [with_methods(seeds, config)], [0]))
    assert {one.tcam.seed_source for one in runs.values()} == {"cam"}
    assert "published" not in seeds.note
    assert losses.note == bounds.note and "of the maps in maps; the published" in losses.note
    validate(dict(planned(config, [with_methods(bounds, config)], [0]))["boxes", 0])


def test_without_neighbours_their_losses_are_off_and_with_them_there_are_some():
    config = moving_photos.get_config()
    config.tcam.losses.joint_color_crf.weight = 9.0
    off = {"tcam.window.n": 0, "tcam.losses.joint_color_crf.weight": 0.0}
    assert rows(config)["n0"] == off
    config.tcam.losses.joint_color_crf.weight, config.tcam.window.n = 0.0, 0
    on = {"tcam.losses.temporal_consistency.weight": 1.0, "tcam.window.n": 1}
    assert rows(config)["consistency"] == on


def test_what_the_config_does_not_allow_or_have_is_left_out():
    config = demo.get_config()
    config.tcam.seed_source = "boxes"
    table = search(config)
    assert "not allow is left out: n = 4, the mean along the optical flow, for " in table.note
    assert "motion_50" not in rows(config) and "lr_up" in rows(config)
    config = moving_photos.get_config()
    config.dataset.config = "easy_train182"  # at which training frames are stored
    table = search(config)
    assert "left out: whole frames, mirrored at random, in both stages; random cr" in table.note
    assert not any("crop" in run for run in rows(config))
    config = demo.get_config()
    config.tcam.losses.joint_color_crf.final_weight = 4.0
    assert rows(config)["n0"]["tcam.losses.joint_color_crf.final_weight"] is None
    config.tcam.losses.size.final_weight = 4.0
    off = {"tcam.losses.size.weight": 0.0, "tcam.losses.size.final_weight": None}
    assert rows(config)["size_off"] == off
    del config.tcam.losses.joint_color_crf, config.tcam.losses.size
    assert not {"size_up", "size_off", "joint_4"} & rows(config).keys()
    assert rows(config)["n0"] == {"tcam.window.n": 0}


def test_rows_of_a_decoder_that_is_not_trained_are_refused():
    config = demo.get_config()
    config.tcam.epochs = 0
    table = with_methods(recipes(config), config)
    with pytest.raises(InputError, match="how long stage 2 is trained for the row 'F-CAM'; its"):
        dict(planned(config, [table], [0]))


def test_maps_are_rows_of_the_run_as_it_is():
    table = with_methods(search(demo.get_config()), demo.get_config())
    base = [variant.method for variant in table.variants if variant.run == BASE]
    assert base == ["tcam", "tcam_probability", "tcam_crf", "tcam_fused", "tcam_motion"]
    runs = dict(planned(demo.get_config(), [table], [0]))
    assert set(runs[BASE, 0].eval.other_maps) == {"probability", "crf", "fused", "motion"}


def test_a_knob_is_one_line(monkeypatch):
    monkeypatch.setitem(KNOBS, "mine", ("half the batch", times(0.5, "losses.crf.sigma_xy")))
    monkeypatch.setitem(KNOBS, "yours", ("two", to("after", "window.mode", "tcam.window.mode")))
    found = rows(demo.get_config())
    assert found["mine"] == {"tcam.losses.crf.sigma_xy": 50.0}
    assert found["yours"] == {"tcam.window.mode": "after"}
    assert search_ablation.search(demo.get_config()).variants[-1].title == "two"


def test_recipes_are_rows_over_any_config():
    table = recipes(demo.get_config())
    runs = {variant.run for variant in table.variants}
    assert runs == {f"recipe_{name}" for name in RECIPES if name != "trcam_v"}
    assert "TrCAM-V is left out" in table.note
    with_maps = demo.get_config()
    with_maps.tcam.seed_source, with_maps.tcam.seed_dir = "files", "maps"
    with pytest.raises(InputError, match=r"seed_dir=maps: .*TrCAM-V alone .* must have weights"):
        recipes(with_maps)
    first = table.variants[0]
    assert (first.method, first.run, first.published) == ("layercam", table.baseline, 65.6)
    published = {variant.title: variant.published for variant in table.variants}
    assert (published["TCAM"], published["F-CAM"], published["CoLo-CAM"]) == (73.0, 70.0, 82.1)


def test_trcam_v_is_a_row_where_a_transformer_has_weights():
    config = demo.get_config()
    config.model.encoder, config.model.pretrained = "deit_small_patch16", "weights.pth"
    table = recipes(config)
    assert {variant.run for variant in table.variants} == {f"recipe_{name}" for name in RECIPES}
    assert "TrCAM-V's seeds are of the transformer's own CAMs" in table.note
    config.tcam.seed_source, config.tcam.seed_dir = "files", "maps"
    table = recipes(config)
    assert not table.note
    runs = dict(planned(config, [table], [0]))
    assert {one.tcam.seed_dir: run for (run, _), one in runs.items()}["maps"] == "recipe_trcam_v"
    assert [one.tcam.seed_source for one in runs.values()].count("files") == 1


@pytest.mark.parametrize("name", RECIPES)
def test_every_knob_can_be_turned_over_every_recipe(monkeypatch, name):
    tried, try_losses = set(), loss_rules._try_losses

    def once(config):  # the most of a check's time, and most knobs leave the losses alone
        read = (config.tcam.losses, config.tcam.window, config.dataset.crop)
        if str(read) not in tried:
            try_losses(config)
            tried.add(str(read))

    monkeypatch.setattr(loss_rules, "_try_losses", once)
    config = use_recipe(demo.get_config(), name)
    for _, one in planned(config, [search_ablation.search(config)], [0]):
        validate(one)
    assert len(tried) > 5
