"""tcam_jax: Temporal Class Activation Maps (TCAM, WACV 2023) in JAX/Flax.

model = tcam_jax.load("runs/demo")
predictions = model.predict(frames)

What is listed in `__all__` is the public API; each name is imported when it is first used.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tcam_jax.cams.methods import CAM_METHODS, class_activation_maps
    from tcam_jax.data.protocol import Data
    from tcam_jax.data.truth import Truth
    from tcam_jax.losses.objective import LOSSES
    from tcam_jax.models.encoders.registry import ENCODERS
    from tcam_jax.models.heads import HEADS
    from tcam_jax.predict.prediction import Prediction
    from tcam_jax.predict.predictor import Predictor
    from tcam_jax.runs.evaluate import evaluate_run
    from tcam_jax.runs.experiment import train_and_evaluate
    from tcam_jax.runs.load import load
    from tcam_jax.runtime.errors import Diverged, InputError
    from tcam_jax.runtime.interruption import Interrupted, Interruption

__version__ = "0.1.0"
__all__ = [
    "CAM_METHODS",
    "ENCODERS",
    "HEADS",
    "LOSSES",
    "Data",
    "Diverged",
    "InputError",
    "Interrupted",
    "Interruption",
    "Prediction",
    "Predictor",
    "Truth",
    "class_activation_maps",
    "evaluate_run",
    "load",
    "train_and_evaluate",
]

_MODULES = {
    "cams.methods": ("CAM_METHODS", "class_activation_maps"),
    "data.protocol": ("Data",),
    "data.truth": ("Truth",),
    "losses.objective": ("LOSSES",),
    "models.encoders.registry": ("ENCODERS",),
    "models.heads": ("HEADS",),
    "predict.prediction": ("Prediction",),
    "predict.predictor": ("Predictor",),
    "runs.evaluate": ("evaluate_run",),
    "runs.experiment": ("train_and_evaluate",),
    "runs.load": ("load",),
    "runtime.errors": ("Diverged", "InputError"),
    "runtime.interruption": ("Interrupted", "Interruption"),
}


def __getattr__(name: str) -> object:
    # Lazily: importing the package should not import JAX before a program could configure it.
    for module, names in _MODULES.items():
        if name in names:
            value = getattr(importlib.import_module(f"tcam_jax.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'tcam_jax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
