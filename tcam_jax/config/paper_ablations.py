"""The paper's ablations as lists of config overrides, its numbers beside.

Published numbers: TCAM's Table 3 and text (losses; n = 0 and n = 1), Table 1 (CAM methods), all on
YouTube-Objects v1.0. Fig. 3 is a plot: between n = 1 and n = 10 it has no numbers.
"""

from typing import Any

from tcam_jax.config.ablation import Ablation, Variant

# Whatever the recipe of the config.
_TCAM: dict[str, Any] = {
    "tcam.window.cam_tmp": True,
    "tcam.window.labelled": "target",
    "tcam.window.pooling": "max",
    "tcam.window.align": False,
}
NO_CRF = {"tcam.losses.crf.weight": 0.0}
NO_SIZE = {"tcam.losses.size.weight": 0.0}
TARGET_ALONE = _TCAM | {"tcam.window.n": 0}
TCAM = _TCAM | {"tcam.window.n": 1}
ONE_BASELINE = {"eval.cam_methods": ("layercam",)}

LOSSES = Ablation(
    "losses",
    "Losses (Table 3)",
    (
        Variant("n1", "LayerCAM", TCAM, 65.6, method="layercam"),
        Variant("pl", "n = 0, pseudo-labels", {**TARGET_ALONE, **NO_CRF, **NO_SIZE}, 68.5),
        Variant("pl_crf", "n = 0, pseudo-labels + CRF", {**TARGET_ALONE, **NO_SIZE}, 69.6),
        Variant("pl_size", "n = 0, pseudo-labels + size", {**TARGET_ALONE, **NO_CRF}, 66.2),
        Variant("n0", "n = 0, pseudo-labels + CRF + size", TARGET_ALONE, 70.5),
        Variant("n1", "**n = 1, the same: TCAM**", TCAM, 73.0),
    ),
    baseline="n1",
)

PUBLISHED_RANGE = {0: 70.5, 1: 73.0}
CAM_METHODS = {  # title and published CorLoc
    "cam": ("CAM", 50.1),
    "gradcampp": ("GradCAM++", 63.2),
    "layercam": ("LayerCAM", 65.6),
    "gradcam": ("GradCAM", 56.4),
    "xgradcam": ("XGradCAM", 56.7),
    "smoothgradcampp": ("Smooth GradCAM++", 57.1),
    "eigencam": ("EigenCAM", None),
}
PRESET_METHODS = ("cam", "gradcampp", "layercam")

# Which step of the classifier is best for localisation depends on the CAM method; the most accurate
# one does not, so all runs of this table share one classifier. They are of its CAMs, whatever seeds
# the config has.
ONE_CLASSIFIER: dict[str, Any] = TCAM | {
    "tcam.seed_source": "cam",
    "tcam.seed_dir": "",
    "tcam.encoder_checkpoint": "best_classification",
    "tcam.seed_checkpoint": "best_classification",
}


def temporal(full: bool) -> Ablation:
    """Temporal range: n = 0, 1, 2, 4; full: 0 to 10."""
    return Ablation(
        "temporal",
        "Temporal range (Fig. 3)",
        tuple(
            Variant(f"n{n}", f"n = {n}", _TCAM | {"tcam.window.n": n}, PUBLISHED_RANGE.get(n))
            for n in (range(11) if full else (0, 1, 2, 4))
        ),
        baseline="n1",
    )


def seeds(full: bool) -> Ablation:
    """Where seeds come from: CAM methods, and rules for drawing from LayerCAM."""
    variants = []
    for method in CAM_METHODS if full else PRESET_METHODS:
        title, published = CAM_METHODS[method]
        overrides: dict[str, Any] = {"tcam.cam_method": method, "eval.cam_methods": (method,)}
        overrides = ONE_CLASSIFIER | overrides
        variants.append(Variant(f"seeds_{method}", f"{title} itself", overrides, published, method))
        variants.append(Variant(f"seeds_{method}", f"seeds from {title}", overrides))
    rules: dict[str, tuple[str, dict[str, Any]]] = {
        "paper": ("rule of the paper's text", {"tcam.seeds.rule": "paper"}),
        "largest": ("largest region only", {"tcam.seeds.region": "largest"}),
        "many": (
            "64 + 64 seeds a frame",
            {"tcam.seeds.fg_pixels": 64, "tcam.seeds.bg_pixels": 64},
        ),
    }
    for name, (title, overrides) in rules.items():
        overrides = ONE_CLASSIFIER | ONE_BASELINE | overrides
        variants.append(Variant(f"seeds_{name}", f"seeds from LayerCAM, {title}", overrides))
    return Ablation(
        "seeds",
        "Seeds (n = 1)",
        tuple(variants),
        every_seed=full,
        note="All from the most accurate classifier, not from the one that localises best.",
        baseline="seeds_layercam",
    )


def bounds(full: bool) -> Ablation:
    """What looks at nothing, and what a perfect seed map gives: needs boxes in training."""
    of_boxes_alone = {
        "tcam.seed_source": "boxes",
        "tcam.seed_dir": "",
        "tcam.seeds.motion": 0.0,
        "tcam.seeds.self_training_start": 1.0,
    }
    boxes = {"dataset.config": "train_boxes", **of_boxes_alone, **TCAM, **ONE_BASELINE}
    return Ablation(
        "bounds",
        "Bounds",
        (
            Variant("n1", "whole frame", TCAM, method="whole_frame"),
            Variant("n1", "centre box", TCAM, method="centre_box"),
            Variant("boxes", "seeds from true boxes", boxes),
        ),
        every_seed=full,
        baseline="n1",
    )


def extra_losses() -> Ablation:
    """The other losses, each added to TCAM's three."""
    added = {
        "entropy": 0.1,
        "bg_larger_than_fg": 0.001,
        "empty_outside_box": 0.001,
        "temporal_consistency": 1.0,
        "joint_color_crf": 1.0,
    }
    return Ablation(
        "extra_losses",
        "Further losses (n = 1)",
        (
            Variant("n1", "TCAM", TCAM),
            *(
                Variant(f"plus_{name}", f"+ {name}", TCAM | {f"tcam.losses.{name}.weight": weight})
                for name, weight in added.items()
            ),
        ),
        baseline="n1",
    )
