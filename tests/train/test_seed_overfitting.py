"""Hand-made histories of validations: who overfits is told so once, who does not is left alone."""

import json

import numpy as np
import pytest

from tcam_jax.runtime.log import log
from tcam_jax.train.seed_overfitting import SeedOverfitting
from tcam_jax.train.stage import Validation
from tcam_jax.train.stage_logs import StageLogs
from tests.train.test_loop import _stage


def _lines(losses, areas, corlocs=None, name="validation_corloc_tcam"):
    """Metrics as they are written: a validation every 20 steps, two lines of training before it."""
    corlocs = [None] * len(losses) if corlocs is None else corlocs
    yield {"step": 0, "validation_foreground": 50.0, name: corlocs[0]}
    for i, (loss, area, corloc) in enumerate(zip(losses, areas, corlocs, strict=True), 1):
        yield {"step": 20 * i - 10, "loss_partial_ce": loss + 0.01}
        yield {"step": 20 * i, "loss_partial_ce": loss - 0.01}
        yield {"step": 20 * i, "validation_foreground": area, name: corloc}


def _told(lines, watch=None):
    """(step, text) of all that is told."""
    watch = watch or SeedOverfitting()
    told = [(line["step"], watch.see(line["step"], line)) for line in lines]
    return [(step, text) for step, text in told if text]


LOSSES = [0.6, 0.4, 0.3, 0.22, 0.15, 0.1, 0.08, 0.06, 0.04, 0.03, 0.02, 0.02]
AREAS = [45, 38, 34, 32, 31, 31, 33, 36, 40, 44, 48, 50]
FALLING = [30, 45, 56, 60, 62, 61, 58, 55, 50, 45, 40, 38]
RISING = [30, 45, 52, 56, 58, 60, 61, 62, 62, 63, 62, 63]


def test_with_boxes_it_is_told_once_with_figures():
    (told,) = _told(_lines(LOSSES, AREAS, FALLING))
    # Medians of three: the peak is of steps 80 to 120, 61. Second differences up to step 180 have
    # a median of 2, noise of 1.2: 5 points are enough, 55 of steps 140 to 180.
    assert told[0] == 180
    assert told[1] == (
        "the decoder overfits its seeds since about step 100: up to step 180 their cross-entropy "
        "went from 0.150 to 0.060, CorLoc on validation frames fell from 61.0 to 55.0, the "
        "foreground from 31 to 36 % of the frame; the checkpoint of step 100, of the best CorLoc, "
        "is the one taken. Train for fewer steps, on more frames or videos, with "
        "tcam.optimizer.ema or a larger tcam.losses.crf.weight, see docs/troubleshooting.md"
    )


@pytest.mark.parametrize("name", ["validation_motion_corloc_tcam", "validation_corloc_tcam_crf"])
def test_with_boxes_of_any_kind(name):
    assert len(_told(_lines(LOSSES, AREAS, FALLING, name))) == 1


def test_without_boxes_it_is_seen_by_the_seeds_and_the_area():
    (told,) = _told(_lines(LOSSES, AREAS))
    # Learned (at most 0.2) in steps 80 to 120, at 31 % of the frame; known (at most 0.05) in 160 to
    # 200, at 40 %, more than a quarter above.
    assert told[0] == 200 and "CorLoc" not in told[1]
    assert (
        "since about step 100: up to step 200 their cross-entropy went from 0.150 to 0.040, "
        in (told[1])
    )
    assert "0.040, the foreground from 31 to 40 % of the frame; " in told[1]
    assert "without boxes the last step's checkpoint is taken" in told[1]


SEEDED = np.random.default_rng(0)


@pytest.mark.parametrize(
    "history",
    {
        "better and better": (LOSSES, AREAS, RISING),
        "as good as it was": (LOSSES, AREAS, np.minimum(RISING, 58)),
        "a few points down": (LOSSES, AREAS, [*RISING[:8], 60, 59, 58, 58]),
        "worse, but the seeds are not learned": ([0.6] * 12, AREAS, FALLING),
        "one bad validation": (LOSSES, AREAS, [*RISING[:11], 20]),
        "noise around a plateau": ([0.04] * 100, [30] * 100, 50 + SEEDED.normal(0, 4, 100)),
        "short": (LOSSES[6:11], AREAS[6:11], FALLING[6:11]),
        "no boxes, the area stays": (LOSSES, [45, 38, *[31] * 10], None),
        "no boxes, the area shrinks": (LOSSES, AREAS[::-1], None),
        "no boxes, seeds not known": (np.maximum(LOSSES, 0.1), AREAS, None),
        "no boxes, seeds never learned": ([0.5] * 12, AREAS, None),
        "no boxes, the area jumps": ([0.02] * 30, [*[20, 40] * 14, 40, 40], None),
        "no boxes, short": (LOSSES[7:], AREAS[7:], None),
        "not finite": ([float("nan")] * 12, AREAS, FALLING),
    }.items(),
    ids=lambda item: item[0],
)
def test_others_are_left_alone(history):
    assert not _told(_lines(*history[1]))


def test_of_a_stage_without_a_decoder_or_seeds_nothing_is_said():
    for gone in ("loss_partial_ce", "validation_foreground"):
        lines = list(_lines(LOSSES, AREAS, FALLING))
        assert not _told({k: x for k, x in line.items() if k != gone} for line in lines)


@pytest.mark.parametrize(("last_step", "count"), [(180, 1), (179, 0), (100, 0), (240, 1)])
def test_of_a_network_that_teaches_itself_nothing_is_said(last_step, count):
    """It is told at step 180 of given seeds."""
    assert len(_told(_lines(LOSSES, AREAS, FALLING), SeedOverfitting((), last_step))) == count


@pytest.mark.parametrize("stopped", [0, 1, 9, 20, 27])
def test_a_history_goes_on_after_a_resume(stopped):
    """27: just after it was told. Later lines of training may come before a validation's."""
    lines = list(_lines(LOSSES, AREAS, FALLING))
    (expected,) = _told(lines)
    assert lines[27]["step"] == expected[0] and "validation_foreground" in lines[27]
    told = _told(lines[stopped + 1 :], SeedOverfitting(lines[: stopped + 1]))
    assert told == ([expected] if stopped < 27 else [])
    early = [*lines[:24], lines[25], lines[24], *lines[26:]]  # of step 170, then the validation
    assert _told(early) == [expected]


def test_the_log_has_it_also_after_a_resume(tmp_path, monkeypatch):
    warnings = []
    monkeypatch.setattr(log, "warning", lambda text, *args: warnings.append(text % args))
    stage = _stage(tmp_path / "tcam", num_steps=240)
    lines = list(_lines(LOSSES, AREAS, FALLING))

    def write(logs, lines):
        for line in lines:
            known = {name: value for name, value in line.items() if value is not None}
            metrics = {name: float(value) for name, value in known.items() if name != "step"}
            if "validation_foreground" in metrics:
                logs.validation_begins()
                logs.validation(line["step"], Validation(metrics, {}, None))
            else:
                timing = {"examples_per_second": 1.0, "seconds_data": 0.0, "seconds_step": 1.0}
                logs.training(line["step"], {"loss": 1.0, **metrics}, 0, timing)

    logs = StageLogs(stage, -1, validated=True)
    write(logs, lines[:25])  # up to the validation of step 160
    logs.close()
    assert lines[24]["step"] == 160 and not warnings
    logs = StageLogs(stage, 160, validated=True)
    write(logs, lines[25:])
    logs.close()
    (warning,) = warnings
    assert warning.startswith("tcam: the decoder overfits its seeds since about step 100: up to")
    written = (stage.directory / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in written] == [line["step"] for line in lines]
