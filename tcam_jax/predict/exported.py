"""A network as a folder that predicts without its config or this code: StableHLO, weights, JSON."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from flax.traverse_util import flatten_dict
from jax import export, lax

from tcam_jax.evaluate.logit_map import LOGIT_SCALE
from tcam_jax.evaluate.maps import (
    OF_LOGITS,
    PREDICTED,
    TCAM_CRF,
    TCAM_FUSED,
    TCAM_METHOD,
    TCAM_PROBABILITY,
    FrameOutputs,
    make_forward,
)
from tcam_jax.models import cpu
from tcam_jax.models.tcam import TCAM, Variables
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import cannot_write, write_whole

SCHEMA = 2
_SCALED = f"(0.5 + z / (2 (|z| + {LOGIT_SCALE:g})))"
_MEANING = {  # of a map; a CAM is called by its method
    TCAM_METHOD: f"{_SCALED}, z = foreground - background logit",
    TCAM_PROBABILITY: "foreground probability",
    TCAM_CRF: f"{_SCALED}, z = foreground - background logit after dense-CRF refinement",
    TCAM_FUSED: "foreground probability * LayerCAM of the predicted class",
}
_OWN = ("Otsu's threshold", "the upper of Otsu's two thresholds between three classes of z")
PLATFORMS = ("cpu", "cuda", "tpu")
_PROGRAM, _WEIGHTS, _ABOUT = "model.stablehlo", "weights.safetensors", "model.json"
_NEEDED = (
    "classes",
    "size",
    "tau",
    "of_logits",
    "platforms",
    "sha256",
)  # what `load` reads of model.json


class Exported(NamedTuple):
    """A saved network, ready to run.

    Attributes:
      forward: uint8 frames [b, size, size, 3], RGB -> (float32 logits [b, k], uint8 maps
        [b, size, size]: floor(255 * value)).
      class_names: [k].
      size: of the frames, pixels.
      tau: threshold, share of a map's maximum; None: each map's own, see
        `evaluate.boxes.largest_box`.
      of_logits: the maps are of `evaluate.logit_map`, and tau is on their scale.
      background: the class whose frames have no boxes; None: there is no such class.
    """

    forward: Callable[[Any], tuple[jax.Array, jax.Array]]
    class_names: tuple[str, ...]
    size: int
    tau: float | None
    of_logits: bool
    background: str | None


def save(
    folder: Path,
    model: TCAM,
    variables: Variables,
    class_names: Sequence[str],
    size: int,
    tau: float | None,
    method: str = TCAM_METHOD,
    background: str | None = None,
) -> None:
    """Write the network to the new `folder`, whole or not at all.

    Args:
      folder: to be made.
      model, variables: the network.
      class_names, size, tau, background: as in `Exported`.
      method: what its maps are, see `evaluate.maps`; a CAM is the predicted class's.

    Raises:
      InputError: `folder` exists, or cannot be written.
    """
    if folder.exists():
        raise InputError(f"{folder} must be a new folder; there is something already.")
    weights = {
        name: np.ascontiguousarray(leaf)
        for name, leaf in flatten_dict(jax.device_get(variables), sep="/").items()
    }
    program = _program(model, variables, weights, size, method)
    unfinished = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir()
        (unfinished / _PROGRAM).write_bytes(program.serialize())
        (unfinished / _WEIGHTS).write_bytes(safetensors.numpy.save(weights))
        scale = "255" if method in OF_LOGITS else "the map's maximum"
        about = {
            "schema": SCHEMA,
            "classes": list(class_names),
            "size": size,
            "tau": tau,
            "of_logits": method in OF_LOGITS,
            "background": background,
            "threshold": f"a pixel is foreground where map > int(tau * {scale}); tau null: each "
            f"map's own, {_OWN[method in OF_LOGITS]}. The box is that of the 8-connected region "
            "with the largest outer contour.",
            "inputs": "(weights: {name: array} of weights.safetensors, frames: uint8 "
            f"[b, {size}, {size}, 3], RGB, resized bilinearly without keeping the aspect)",
            "outputs": f"(logits: float32 [b, {len(class_names)}], maps: uint8 "
            f"[b, {size}, {size}], floor(255 * {_MEANING.get(method, method)}))",
            "platforms": list(program.platforms),
            "jax": jax.__version__,
            "calling_convention": program.calling_convention_version,
            "sha256": {name: _digest(unfinished / name) for name in (_PROGRAM, _WEIGHTS)},
        }
        write_whole(unfinished / _ABOUT, json.dumps(about, indent=2) + "\n")
        unfinished.rename(folder)
    except OSError as error:
        raise cannot_write(folder, error) from error


def load(folder: str | Path) -> Exported:
    """Read what `save` wrote.

        predictor = Predictor(**exported.load("models/demo")._asdict())

    Raises:
      InputError: a file is missing or damaged, of another schema, or not for this platform.
    """
    folder = Path(folder).expanduser()
    for name in (_ABOUT, _PROGRAM, _WEIGHTS):
        if not (folder / name).is_file():
            raise InputError(f"{folder} must be a folder of tcam export_model; it has no {name}.")
    about = _read_about(folder / _ABOUT)
    for name in (_PROGRAM, _WEIGHTS):
        if _digest(folder / name) != about["sha256"][name]:
            raise InputError(f"{folder / name} is damaged: its digest differs. Export again.")
    platform = {"gpu": "cuda"}.get(jax.default_backend(), jax.default_backend())
    if platform not in about["platforms"]:
        raise InputError(f"{folder} is for {about['platforms']}, not for this {platform}.")
    program = export.deserialize(bytearray((folder / _PROGRAM).read_bytes()))
    weights = jax.device_put(safetensors.numpy.load((folder / _WEIGHTS).read_bytes()))
    call = jax.jit(program.call)
    return Exported(
        lambda frames: call(weights, frames),
        tuple(about["classes"]),
        about["size"],
        about["tau"],
        about["of_logits"],
        about.get("background"),  # older folders have none
    )


def _read_about(path: Path) -> dict[str, Any]:
    try:
        about = json.loads(path.read_text())
        schema = about["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged: {error!r}. Export again.") from error
    if schema != SCHEMA:
        raise InputError(f"{path} has schema {schema}, this version reads {SCHEMA}.")
    missing = [key for key in _NEEDED if key not in about]
    if missing:
        raise InputError(f"{path} is damaged: it lacks {', '.join(missing)}. Export again.")
    return about


def _program(
    model: TCAM,
    variables: Variables,
    weights: Mapping[str, np.ndarray],
    size: int,
    method: str,
) -> export.Exported:
    forward = make_forward(model, (method,))
    structure = jax.tree.structure(variables)
    # By name, so that the file of the weights is the argument. Sorted names are not the tree's
    # order, so each leaf is looked up.
    names = jax.tree.leaves(_names(variables))

    def traced(platform: str) -> Callable[..., FrameOutputs]:
        def on_platform(*arguments: Any) -> FrameOutputs:
            with cpu.traced_for(platform):  # whatever this machine is
                return forward(*arguments)

        return on_platform

    def run(weights: Mapping[str, jax.Array], frames: jax.Array) -> tuple[jax.Array, jax.Array]:
        tree = jax.tree.unflatten(structure, [weights[name] for name in names])
        classes = jnp.full(frames.shape[0], PREDICTED, jnp.int32)
        outputs = lax.platform_dependent(
            tree, frames, classes, cpu=traced("cpu"), default=traced("cuda")
        )
        return outputs.logits.astype(jnp.float32), outputs.maps[0]

    (batch,) = export.symbolic_shape("b")
    shapes = {name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for name, leaf in weights.items()}
    frames = jax.ShapeDtypeStruct((batch, size, size, 3), jnp.uint8)
    return export.export(jax.jit(run), platforms=PLATFORMS)(shapes, frames)


def _names(variables: Variables) -> Any:
    return jax.tree_util.tree_map_with_path(
        lambda path, _: "/".join(key.key for key in path), variables
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
