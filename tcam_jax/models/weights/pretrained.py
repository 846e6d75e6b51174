"""Pretrained weights: tensors of a file into the network's variables, and back.

A part of the network (encoder, classification head, decoder, map head) is taken whole or, where the
file has nothing of it, left as it was. A classification head of another kind or of other classes is
left out, as are the classes that an encoder was pretrained on, and whatever stands beside an
encoder. Everything else that does not fit is an error.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from tcam_jax.models.encoders.encoder import Encoder, Renaming, Tensors
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import CLASSIFIER_PARTS, LOCALISER_PARTS, TCAM, Variables
from tcam_jax.models.weights.torch_names import (
    Path,
    best_prefix,
    from_torch,
    to_torch,
    torch_name,
    without_counters,
)
from tcam_jax.runtime.errors import InputError

_SHOWN = 5  # names in a message


class Pretrained(NamedTuple):
    """Variables with what a file gave.

    Attributes:
      variables: of the whole network, NumPy arrays where they come from the file.
      parts: those taken from the file.
      left_out: names in the file that are deliberately not used.
      naming: the library whose names the file has, and what stands before them; "" for ours.
    """

    variables: Variables
    parts: tuple[str, ...]
    left_out: tuple[str, ...]
    naming: str = ""


class _Found(NamedTuple):
    """A file's tensors by the paths of our variables, and what else is in it."""

    tensors: Tensors  # joined where the library keeps them apart
    by_path: dict[Path, str]  # name in the file
    left_out: list[str]
    unknown: list[str]
    naming: str


def adopt(variables: Variables, tensors: Tensors, source: str, model: TCAM) -> Pretrained:
    """Put the tensors of a file into the variables of the whole network.

    Args:
      variables: of `model`, arrays or anything with `shape` and `dtype`.
      tensors: by PyTorch's names, those of a library that the encoder declares, behind any prefix;
        or by our own paths, joined by "/".
      source: what the messages call the file.
      model: the network, for the names that its encoder has elsewhere.

    Raises:
      InputError: tensors are missing, left over, of a wrong shape or not finite; all of a kind are
        counted, the first few named.
    """
    flat = dict(traverse_util.flatten_dict(variables))
    ours = any(name.startswith("params/") for name in tensors)
    found = _by_our_paths(flat, tensors) if ours else _by_torch_names(flat, tensors, model)
    tensors, taken, left_out = found.tensors, dict(found.by_path), list(found.left_out)

    def value_of(path: Path) -> np.ndarray:
        value = tensors[taken[path]]
        return value if ours else from_torch(path, value)

    head = [path for path in flat if path[1] == "classification_head"]
    fits = all(path in taken and value_of(path).shape == flat[path].shape for path in head)
    unknown = list(found.unknown)
    if not fits:  # of another kind, or of other classes
        of_it = [n for n in unknown if "classification_head" in n.replace("/", ".").split(".")]
        unknown = [name for name in unknown if name not in of_it]
        left_out += [taken.pop(path) for path in head if path in taken] + of_it

    parts = []
    for part in (*CLASSIFIER_PARTS, *LOCALISER_PARTS):
        paths = [path for path in flat if path[1] == part]
        missing = ["/".join(path[2:]) for path in paths if path not in taken]
        if len(missing) < len(paths):
            parts.append(part)
            if missing:
                problem = f"lacks {len(missing)} tensors of the {part}"
                _refuse(source, problem, missing, tensors)
    if unknown:
        problem = f"holds {len(unknown)} tensors that this network has no place for"
        _refuse(source, problem, unknown, tensors)
    if "encoder" not in parts:
        _refuse(source, "holds nothing of the encoder", list(tensors), tensors)

    wrong, broken = [], []
    for path, name in taken.items():
        value, expected = value_of(path), flat[path].shape
        if value.shape != expected:
            there = expected if ours else _torch_shape(path, expected)
            wrong.append(f"{name} {list(tensors[name].shape)} instead of {list(there)}")
        elif not np.isfinite(np.asarray(value, np.float32)).all():
            broken.append(name)
        # A copy: the file's memory may be mapped from it, and training reuses buffers.
        flat[path] = np.array(value, flat[path].dtype)
    if wrong:
        _refuse(source, f"has {len(wrong)} tensors of another shape", wrong, tensors)
    if broken:
        _refuse(source, f"has values that are not finite in {len(broken)}", broken, tensors)
    merged = traverse_util.unflatten_dict(flat)
    return Pretrained(merged, tuple(parts), tuple(left_out), found.naming)


def _by_our_paths(flat: Mapping[Path, Any], tensors: Tensors) -> _Found:
    by_name = {"/".join(path): path for path in flat}
    taken = {by_name[name]: name for name in tensors if name in by_name}
    return _Found(tensors, taken, [], [name for name in tensors if name not in by_name], "")


def _by_torch_names(flat: Mapping[Path, Any], given: Tensors, model: TCAM) -> _Found:
    tensors = without_counters(given)
    tensors, renaming, prefix = _naming(flat, tensors, model.declared)
    # A whole network has "encoder." before the encoder's names, and its other parts beside it.
    whole = prefix.removesuffix("encoder.") if prefix.endswith("encoder.") else None
    taken = {}
    for path in flat:
        name = torch_name(path, renaming)
        if path[1] == "encoder":
            name = prefix + name.removeprefix("encoder.")
        elif whole is None:
            continue
        else:
            name = whole + name
        if name in tensors:
            taken[path] = name
    used = set(taken.values())
    rest = [name for name in tensors if name not in used]
    classes = (*renaming.classes, *(prefix + name for name in renaming.classes))
    beside = whole is None or not any(path[1] != "encoder" for path in taken)
    left_out = [
        name
        for name in rest
        if name.startswith(classes) or (beside and taken and not name.startswith(prefix))
    ]
    unknown = [name for name in rest if name not in left_out]
    return _Found(tensors, taken, left_out, unknown, f"{renaming.library}, behind {prefix!r}")


def _naming(
    flat: Mapping[Path, Any], tensors: Tensors, encoder: Encoder
) -> tuple[Tensors, Renaming, str]:
    """Return the naming and the prefix that make most tensors the encoder's; and these, joined."""
    paths = [path for path in flat if path[1] == "encoder"]
    best, most = (tensors, encoder.renamings[0], "encoder."), 0
    for renaming in encoder.renamings:
        joined = renaming.fuse(tensors) if renaming.fuse else tensors
        names = {torch_name(path, renaming).removeprefix("encoder.") for path in paths}
        prefix, count = best_prefix(joined, names)
        if count > most:
            best, most = (joined, renaming, prefix), count
    return best


def torch_tensors(variables: Variables, model: TCAM) -> dict[str, np.ndarray]:
    """Return variables by PyTorch's names and in its layout, as `adopt` takes them."""
    renaming = model.declared.renamings[0]
    return {
        torch_name(path, renaming): to_torch(path, np.asarray(value))
        for path, value in traverse_util.flatten_dict(variables).items()
    }


def own_tensors(variables: Variables) -> dict[str, np.ndarray]:
    """Return variables by our own paths, joined by "/", as `adopt` takes them."""
    flat = traverse_util.flatten_dict(variables, sep="/")
    return {name: np.asarray(value) for name, value in flat.items()}


def _torch_shape(path: Path, shape: tuple[int, ...]) -> tuple[int, ...]:
    return to_torch(path, np.broadcast_to(np.int8(0), shape)).shape


def _refuse(source: str, problem: str, names: list[str], tensors: Tensors) -> None:
    shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    encoder = _recognise(tensors)
    kind = f"is a {encoder}" if encoder else f"is none of {', '.join(ENCODERS)}"
    raise InputError(
        f"{source} does not fit the configured network: it {problem}: {shown}. The file {kind}; "
        "compare config.model (encoder, head) and the number of classes with it."
    )


def _recognise(tensors: Tensors) -> str | None:
    """Return the encoder most of whose tensors, and no other's, the file has whole."""
    names = {name.removeprefix("batch_stats/").removeprefix("params/") for name in tensors}
    best, most = None, 0
    for encoder, make in ENCODERS.items():
        module = make()
        side = 4 * max(module.output_strides)
        shapes = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, side, side, 3)))
        paths = [(c, "encoder", *rest) for c, *rest in traverse_util.flatten_dict(shapes)]
        counts = [sum("/".join(path[1:]) in names for path in paths)]
        for renaming in module.renamings:
            wanted = {torch_name(path, renaming).removeprefix("encoder.") for path in paths}
            joined = renaming.fuse(tensors) if renaming.fuse else tensors
            counts.append(best_prefix(joined, wanted)[1])
        if max(counts) == len(paths) > most:
            best, most = encoder, len(paths)
    return best
