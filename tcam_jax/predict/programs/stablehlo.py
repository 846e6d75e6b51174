"""A network as a program of StableHLO beside its weights; JAX runs it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict

import jax
import numpy as np
import safetensors.numpy
from flax.traverse_util import flatten_dict
from jax import export

from tcam_jax.models.tcam import TCAM, Variables
from tcam_jax.predict.programs.plain import PLATFORMS, any_frames, check_shapes, for_all_platforms
from tcam_jax.runtime.errors import InputError

PROGRAM, WEIGHTS = "model.stablehlo", "weights.safetensors"
TAKES = f"weights: {{name: array}} of {WEIGHTS}, frames"
FILES = (PROGRAM, WEIGHTS)


class About(TypedDict):
    """What `read` needs of model.json."""

    platforms: list[str]


def write(
    folder: Path, model: TCAM, variables: Variables, size: int, method: str
) -> dict[str, Any]:
    """Write the network into `folder`; return what `read` and others must know of it.

    Args:
      folder: is there.
      model, variables, size, method: see `exported.save`.
    """
    weights = {
        name: np.ascontiguousarray(leaf)
        for name, leaf in flatten_dict(jax.device_get(variables), sep="/").items()
    }
    program = _program(model, variables, weights, size, method)
    (folder / PROGRAM).write_bytes(program.serialize())
    (folder / WEIGHTS).write_bytes(safetensors.numpy.save(weights))
    return {
        "platforms": list(program.platforms),
        "jax": jax.__version__,
        "calling_convention": program.calling_convention_version,
    }


def read(folder: Path, about: Mapping[str, Any]) -> Callable[[Any], tuple[jax.Array, jax.Array]]:
    """Return what `write` wrote as a function of the frames.

    Raises:
      InputError: it is not for this platform.
      Exception: any other kind: these are no such files, or not of what `about` says.
    """
    platform = {"gpu": "cuda"}.get(jax.default_backend(), jax.default_backend())
    if platform not in about["platforms"]:
        raise InputError(f"{folder} is for {about['platforms']}, not for this {platform}.")
    program = export.deserialize(bytearray((folder / PROGRAM).read_bytes()))
    weights = safetensors.numpy.load((folder / WEIGHTS).read_bytes())
    *taken, frames = program.in_avals
    check_shapes(about, frames.shape, *(output.shape for output in program.out_avals))
    ours: Any = jax.tree.structure(((weights, 0), {}))
    same_names = ours == program.in_tree
    found = [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(weights)]
    if not same_names or found != [(leaf.shape, leaf.dtype) for leaf in taken]:
        raise ValueError(f"{WEIGHTS} has other arrays than {PROGRAM} takes")
    weights = jax.device_put(weights)
    call = jax.jit(program.call)
    return lambda frames: call(weights, frames)


def _program(
    model: TCAM,
    variables: Variables,
    weights: Mapping[str, np.ndarray],
    size: int,
    method: str,
) -> export.Exported:
    network = for_all_platforms(model, method)
    structure = jax.tree.structure(variables)
    # By name, so that the file of the weights is the argument. Sorted names are not the tree's
    # order, so each leaf is looked up.
    names = jax.tree.leaves(_names(variables))

    def run(weights: Mapping[str, jax.Array], frames: jax.Array) -> tuple[jax.Array, jax.Array]:
        return network(jax.tree.unflatten(structure, [weights[name] for name in names]), frames)

    shapes = {name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for name, leaf in weights.items()}
    return export.export(jax.jit(run), platforms=PLATFORMS)(shapes, any_frames(size))


def _names(variables: Variables) -> Any:
    return jax.tree_util.tree_map_with_path(
        lambda path, _: "/".join(key.key for key in path), variables
    )
