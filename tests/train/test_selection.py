"""By which boxes checkpoints are selected, in whole small runs."""

import jax
import numpy as np
import pytest

from configs import demo
from tcam_jax.data.dataset import Dataset
from tcam_jax.data.protocol import Data
from tcam_jax.evaluate.maps import METHOD_OF_MAP
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.interruption import Interruption
from tcam_jax.runtime.log import start_logging
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.train.both_stages import train
from tcam_jax.train.checkpoint import Checkpoints
from tcam_jax.train.logs import read_metrics
from tcam_jax.train.selection import check_selection, selection_truth


def small_config(data_dir, select_by):
    config = demo.get_config()
    config.dataset.data_dir, config.parallel = str(data_dir), "jit"
    config.dataset.resize, config.dataset.crop, config.model.encoder = 36, 32, "resnet10"
    config.model.decoder_width = 0.25
    for section in (config.classifier, config.tcam):
        section.epochs, section.steps, section.batch_size = 0, 4, 8
    # Fewer frames a batch than pictures could be shown.
    config.eval.batch_size, config.eval.every = 2, "2 steps"
    config.eval.select_by = select_by
    return config


def test_true_boxes_are_taken_for_boxes_alone(shapes_data):
    data = Dataset(small_config(shapes_data, "boxes"))
    truth = data.truth("validation")
    assert truth.has_boxes
    assert selection_truth(small_config(shapes_data, "boxes"), data) is truth
    for without in ("cam", "none"):
        assert not selection_truth(small_config(shapes_data, without), data).has_boxes
    # Boxes that nobody drew there: what is found does not come from the true ones.
    found = selection_truth(small_config(shapes_data, "motion"), data)
    data.truth = lambda split: truth._replace(boxes=[box * np.nan for box in truth.boxes])
    again = selection_truth(small_config(shapes_data, "motion"), data)
    assert found.has_boxes and len(found.boxes) == len(truth.ids)
    for one, other in zip(found.boxes, again.boxes, strict=True):
        assert one.dtype == np.float32 and one.shape[1:] == (4,)
        np.testing.assert_array_equal(one, other)


class _Mine(Data):
    """A user's own data, which have no records."""

    class_names = ("a", "b")


def test_data_without_shots_to_look_into_are_refused(shapes_data):
    for source in ("motion", "selective_search"):
        with pytest.raises(
            InputError, match=f"select_by='{source}' .* _Mine lacks it. Take \"cam\""
        ):
            check_selection(small_config(shapes_data, source), _Mine())
    for source in ("cam", "none", "boxes"):
        check_selection(small_config(shapes_data, source), _Mine())


def test_data_that_do_not_give_what_a_map_looks_at_are_refused(shapes_data):
    config = small_config(shapes_data, "boxes")
    for field, value in (("map", "motion"), ("other_maps", ("crf", "motion"))):
        changed = config.copy_and_resolve_references()
        changed.eval[field] = value
        with pytest.raises(InputError, match="must take the argument motion; that of _Mine does"):
            check_selection(changed, _Mine())
        changed.tcam.epochs = changed.tcam.steps = 0  # the classifier alone has CAMs alone
        check_selection(changed, _Mine())


@pytest.mark.slow
@pytest.mark.parametrize("select_by", ["motion", "cam"])
def test_a_run_is_selected_by_boxes_that_nobody_drew(
    shapes_data, tmp_path, select_by, monkeypatch, small_encoder
):
    validation = Dataset.truth

    def hidden(self, split):  # a run that looked at true boxes would find that all are wrong
        truth = validation(self, split)
        corner = [np.array([[0, 0, 1, 1]], np.float32)] * len(truth.ids)
        return truth._replace(boxes=corner)

    monkeypatch.setattr(Dataset, "truth", hidden)
    config = small_config(shapes_data, select_by)
    config.model.encoder = small_encoder
    config.eval.frames = 10  # of 40
    # A map of one frame, and one that sees a frame's neighbours.
    config.eval.map = {"motion": "logit", "cam": "motion"}[select_by]
    start_logging(tmp_path)
    parallel = Parallel("jit", jax.devices()[:1])
    train(config, Dataset(config), parallel, tmp_path / "run", Interruption())
    said = (tmp_path / "log.txt").read_text()
    assert f"selection by {select_by}: " in said and "of 10 validation frames got a pseudo" in said
    assert said.count("validated on 10 frames") == 2
    for stage, method in (("classifier", "layercam"), ("tcam", METHOD_OF_MAP[config.eval.map])):
        lines = read_metrics(tmp_path / "run" / stage / "metrics.jsonl")
        name = f"validation_{select_by}_corloc_{method}"
        scores = {line["step"]: line[name] for line in lines if name in line}
        assert list(scores) == [0, 2, 4]
        if (select_by, stage) == ("cam", "classifier"):  # its own CAMs cannot judge it
            assert set(scores.values()) == {None}
            scores = {line["step"]: line["validation_accuracy"] for line in lines if name in line}
        assert max(scores.values()) > 0
        checkpoints = Checkpoints(tmp_path / "run" / stage / "checkpoints")
        best = checkpoints.record(checkpoints.newest()).roles["best_localization"]
        assert best["value"] == max(scores.values()) == scores[best["step"]]
