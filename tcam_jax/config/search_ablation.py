"""The table "search": what every knob of stage 2, and the crops, are worth, one turned at a time.

Over any config: a knob is a change of the config's own values. One that changes nothing that is
trained, such as a factor of a loss that is off, has no row, and one that the rest of it does not
allow is named in the table's note. To add a knob is to add a line to `KNOBS`.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from ml_collections import ConfigDict

from tcam_jax.config.ablation import Ablation, Variant, changed
from tcam_jax.config.continuation import is_of_idle_loss
from tcam_jax.config.rules import flatten, validate
from tcam_jax.data.builders.registry import training_size
from tcam_jax.data.duration import UNITS
from tcam_jax.evaluate.maps import METHOD_OF_MAP
from tcam_jax.losses.objective import WINDOW_LOSSES, window_losses
from tcam_jax.runtime.errors import InputError

Knob = Callable[[ConfigDict], Mapping[str, Any]]
"""From a config to what is changed in it, {dotted field: value}."""

_OF_POOLING = ("cam_tmp", "pooling", "align")
BASE = "search"
"""The run of the config as it is; others are named after it and their knob."""


def to(value: Any, *fields: str) -> Knob:
    """Set fields of `config.tcam`, or of the whole config, to a value."""
    return lambda config: {_of_config(field): value for field in fields}


def times(factor: float, field: str) -> Knob:
    """Multiply a field of `config.tcam`, or of the whole config; a weight all along its way."""
    names = [_of_config(field)]
    if field.endswith(".weight"):
        names.append(names[0].removesuffix("weight") + "final_weight")

    def knob(config: ConfigDict) -> Mapping[str, Any]:
        before = flatten(config)
        return {name: factor * before[name] for name in names if before.get(name)}

    return knob


def _of_config(field: str) -> str:
    known = ("dataset", "tcam", "model", "eval")
    return field if field.split(".")[0] in known else f"tcam.{field}"


def _twice_as_long(config: ConfigDict) -> Mapping[str, Any]:
    return {f"tcam.{unit}": 2 * config.tcam[unit] for unit in UNITS}


def _cropped_to(share: float) -> Knob:
    """Resize training frames so that a random crop has this share of a side; 1: no other crop.

    The crop keeps its size, which is the network's and evaluation's.
    """
    return lambda config: {"dataset.resize": round(config.dataset.crop / share)}


def _other_pooling(config: ConfigDict) -> Mapping[str, Any]:
    # The other two are so already where nothing is pooled.
    return {
        "tcam.window.cam_tmp": not config.tcam.window.cam_tmp,
        "tcam.window.pooling": "max",
        "tcam.window.align": False,
    }


def _pooled(how: str) -> Knob:
    """Pool the CAMs of a window in another way."""
    return lambda config: {"tcam.window.pooling": how, "tcam.window.cam_tmp": True}


def _in_window(loss: str, weight: float) -> Knob:
    """Switch on a loss that needs neighbouring frames."""
    return lambda config: {
        f"tcam.losses.{loss}.weight": weight,
        "tcam.window.n": max(config.tcam.window.n, 1),
    }


def _frames(n: int) -> Knob:
    """Another number of neighbours; without any, the losses that need them are off."""
    off: dict[str, Any] = {f"tcam.losses.{name}.weight": 0.0 for name in WINDOW_LOSSES}

    def knob(config: ConfigDict) -> Mapping[str, Any]:
        known = flatten(config).keys()
        return {"tcam.window.n": n} | {x: off[x] for x in off if not n and x in known}

    return knob


def _along_the_flow(n: int) -> Knob:
    """Another number of neighbours, the mean of whose maps is taken where things are in the target.

    The maximum over many maps grows with their number, along the flow too.
    """
    return lambda config: {
        "tcam.window.n": n,
        "tcam.window.cam_tmp": True,
        "tcam.window.labelled": "target",
        "tcam.window.align": True,
        "tcam.window.pooling": "mean",
    }


def _self_training(config: ConfigDict) -> Mapping[str, Any]:
    ema = config.tcam.optimizer.ema or 0.95
    return {"tcam.seeds.self_training_start": 0.5, "tcam.optimizer.ema": ema}


KNOBS: dict[str, tuple[str, Knob]] = {
    "lr_up": ("learning rate × 3", times(3.0, "optimizer.learning_rate")),
    "lr_down": ("learning rate ÷ 3", times(1 / 3, "optimizer.learning_rate")),
    "warmup_cosine": ("warm-up and cosine", to("warmup_cosine", "optimizer.schedule")),
    "longer": ("twice as many steps", _twice_as_long),
    "ema": ("EMA of 0.99", to(0.99, "optimizer.ema")),
    "seeds_1": ("1 + 1 seeds a frame", to(1, "seeds.fg_pixels", "seeds.bg_pixels")),
    "seeds_16": ("16 + 16 seeds a frame", to(16, "seeds.fg_pixels", "seeds.bg_pixels")),
    "seeds_256": ("256 + 256 seeds a frame", to(256, "seeds.fg_pixels", "seeds.bg_pixels")),
    "rule_reference": ("seeds as the reference", to("reference", "seeds.rule")),
    "rule_paper": ("seeds as the paper", to("paper", "seeds.rule")),
    "rule_colo_cam": ("seeds as CoLo-CAM", to("colo_cam", "seeds.rule")),
    "rule_fcam": ("seeds as F-CAM", to("fcam", "seeds.rule")),
    "largest": ("seeds of the largest region", to("largest", "seeds.region")),
    "crf_up": ("CRF weight × 3", times(3.0, "losses.crf.weight")),
    "crf_down": ("CRF weight ÷ 3", times(1 / 3, "losses.crf.weight")),
    "sigma_up": ("CRF σ of colours × 1.5", times(1.5, "losses.crf.sigma_rgb")),
    "sigma_down": ("CRF σ of colours ÷ 1.5", times(1 / 1.5, "losses.crf.sigma_rgb")),
    "size_off": ("without the size term", to(0.0, "losses.size.weight")),
    "size_up": ("size weight × 10", times(10.0, "losses.size.weight")),
    "n0": ("n = 0, without losses of neighbours", _frames(0)),
    "n1": ("n = 1", _frames(1)),
    "n2": ("n = 2", _frames(2)),
    "n4": ("n = 4", _frames(4)),
    "pooling": ("CAMs pooled over time, or not", _other_pooling),
    "n4_aligned": (
        "n = 4, the mean along the optical flow, for seeds in the target",
        _along_the_flow(4),
    ),
    "n8": ("n = 8", _frames(8)),
    "n8_aligned": (
        "n = 8, the mean along the optical flow, for seeds in the target",
        _along_the_flow(8),
    ),
    "pooled_mean": ("the mean over time", _pooled("mean")),
    "pooled_softmax": ("softmax over time", _pooled("softmax")),
    "motion_0": ("motion's share of the seed maps: 0", to(0.0, "seeds.motion")),
    "motion_25": ("motion's share: 0.25", to(0.25, "seeds.motion")),
    "motion_50": ("motion's share: 0.5", to(0.5, "seeds.motion")),
    "motion_75": ("motion's share: 0.75", to(0.75, "seeds.motion")),
    "self_training": ("seeds of its own maps from the half on, by an EMA", _self_training),
    "joint_1": ("joint colour term of 1, n = 1 at least", _in_window("joint_color_crf", 1.0)),
    "joint_4": ("joint colour term of 4, n = 1 at least", _in_window("joint_color_crf", 4.0)),
    "consistency": (
        "temporal consistency of 1, n = 1 at least",
        _in_window("temporal_consistency", 1.0),
    ),
    "crop_whole": ("whole frames, mirrored at random, in both stages", _cropped_to(1.0)),
    "crop_small": ("random crops of 70 % of a side, in both stages", _cropped_to(0.7)),
    "width": ("decoder of twice the width", times(2.0, "model.decoder_width")),
}
"""name of the run -> what is changed, in words and in the config."""


def _what_counts(config: ConfigDict) -> Mapping[str, Any]:
    """Return the fields on which stage 2 depends, given the others."""
    flat, window = flatten(config), config.tcam.window
    fields = {field: x for field, x in flat.items() if not is_of_idle_loss(field, flat)}
    pools = window.cam_tmp and window.n > 0
    without: Collection[str] = ()
    if not pools:
        without = _OF_POOLING
    if not (pools or window_losses(config.tcam.losses) or window.labelled == "all"):
        without = window.keys()  # no neighbour is looked at
    idle = {f"tcam.window.{name}" for name in without}
    return {field: x for field, x in fields.items() if field not in idle}


def search(config: ConfigDict) -> Ablation:
    """Return the config as it is, its other maps, and a row for each knob that changes it."""
    own, before, counts = config.eval.map, flatten(config), _what_counts(config)
    others = tuple(name for name in METHOD_OF_MAP if name != own)
    every_map = {"eval.other_maps": others}
    rows = [Variant(BASE, "**the config as it is**", every_map)]
    rows += [
        Variant(BASE, f"its map {name}", every_map, method=METHOD_OF_MAP[name]) for name in others
    ]
    refused = []
    for name, (title, knob) in KNOBS.items():
        turned = knob(config)
        if turned.keys() - before.keys():  # losses are a config's own
            continue
        if "dataset.resize" in turned and training_size(config.dataset.config):
            refused.append(title)  # frames are stored at the size that they have
            continue
        one = changed(config, turned)
        if _what_counts(one) == counts:
            continue
        try:
            validate(one)
        except InputError:
            refused.append(title)
        else:
            fields = {field: x for field, x in flatten(one).items() if before[field] != x}
            rows.append(Variant(f"{BASE}_{name}", title, fields))
    note = "Stage 2 alone: one classifier a seed serves all rows but those named of both stages."
    if refused:
        note += f" What the config does not allow is left out: {'; '.join(refused)}."
    return Ablation(
        "search",
        "One knob at a time",
        tuple(rows),
        note=note,
        baseline=BASE,
    )
