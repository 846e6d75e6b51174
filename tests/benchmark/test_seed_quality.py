"""The figures of seeds that were put by hand, and a run's from the command."""

import jax.numpy as jnp
import numpy as np
import pytest

from tcam_jax.benchmark import seed_quality
from tcam_jax.config import defaults
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import TCAM
from tcam_jax.pseudo_labels.seed_maps import FrozenClassifiers
from tcam_jax.pseudo_labels.windows import LabelledWindows


def mask(*boxes):
    """One 8 x 8 mask for each (top, bottom, left, right), bottom and right not in it."""
    masks = np.zeros((len(boxes), 8, 8), bool)
    for one, (top, bottom, left, right) in zip(masks, boxes, strict=True):
        one[top:bottom, left:right] = True
    return jnp.asarray(masks)


def test_figures_of_known_seeds(monkeypatch):
    # Three windows, of classes 0, 0 and 1; IoU 1, 1/4 and 1/2.
    true = mask((0, 4, 0, 4), (0, 4, 0, 4), (0, 8, 0, 4))
    found = mask((0, 4, 0, 4), (0, 2, 0, 2), (0, 4, 0, 4))
    seeds = np.full((3, 8, 8), -255, np.int32)
    seeds[0, 0, :4] = 1  # all right
    seeds[1, 0, 2:6] = 1  # half of them
    seeds[2, 0, 4] = 1  # none
    seeds[0, 7, 7], seeds[1, 1, 1], seeds[2, 7, 7] = 0, 0, 0  # right, wrong, right

    def labelled(frozen, batch, number, target, whole_window, *, config, model):
        boxes = true if config.tcam.seed_source == "boxes" else found
        return LabelledWindows({}, batch["frames"], None, jnp.asarray(seeds), boxes)

    monkeypatch.setattr(seed_quality, "label_windows", labelled)
    batch = {"label": np.array([0, 0, 1]), "frames": np.zeros((3, 1, 8, 8, 3), np.uint8)}
    config = defaults.get_config()
    model = TCAM(2, ENCODERS["resnet10"])
    frozen = FrozenClassifiers({}, None)
    figures = seed_quality._measured(config, model, frozen, [batch, batch])
    assert figures == {
        "corloc": pytest.approx(100 * (1 / 2 + 1) / 2),
        "foreground": pytest.approx(100 * (1 + 1 / 2 + 0) / 3),
        "background": pytest.approx(100 * 2 / 3),
        "recall": pytest.approx(100 * (1 + 1 / 4 + 1 / 2) / 3),
    }


def test_rows_over_time_look_at_no_motion():
    for rows, least in ((seed_quality.OVER_TIME, 0), (seed_quality.WITH_MOTION, 0.25)):
        shares = [row["seeds.motion"] for row in rows.values()]
        assert min(shares) == least and (max(shares) == 0) == (rows is seed_quality.OVER_TIME)


def test_rows_change_nothing_but_what_they_say():
    config = defaults.get_config()
    config.tcam.window.labelled, config.tcam.seed_source = "all", "files"
    changed = seed_quality._changed(config, {"window.n": 4, "window.align": True})
    assert (changed.tcam.window.n, changed.tcam.window.align) == (4, True)
    assert (changed.tcam.window.labelled, changed.tcam.seed_source) == ("target", "cam")
    assert config.tcam.window.n == 1 and config.tcam.seed_source == "files"
