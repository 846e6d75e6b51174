"""Pretrained weights: tensors of a file into the network's variables, and back.

A part of the network (encoder, classification head, decoder, map head) is taken whole or, where the
file has nothing of it, left as it was. A classification head of another kind or of other classes is
left out, as are the classes that an encoder was pretrained on, and whatever has names that are none
of the network's. Everything else that does not fit is an error.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from tcam_jax.models.encoders.encoder import Tensors
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import CLASSIFIER_PARTS, LOCALISER_PARTS, TCAM, Variables
from tcam_jax.models.weights.naming import (
    Naming,
    encoder_names,
    find_naming,
    recognise,
    siblings_names,
    torch_shape,
)
from tcam_jax.models.weights.torch_names import (
    Path,
    from_torch,
    to_torch,
    torch_name,
    without_counters,
)
from tcam_jax.runtime.counted import few
from tcam_jax.runtime.errors import InputError

_SHOWN = 5  # names in a message


class Pretrained(NamedTuple):
    """Variables with what a file gave.

    Attributes:
      variables: of the whole network, NumPy arrays where they come from the file.
      parts: those taken from the file.
      left_out: names in the file that are deliberately not used.
      naming: the library whose names the file has, and what stands before them; "" for ours.
      notes: what else there is to say of the file: another head, another prefix that fits as well.
    """

    variables: Variables
    parts: tuple[str, ...]
    left_out: tuple[str, ...]
    naming: str = ""
    notes: tuple[str, ...] = ()


class _Found(NamedTuple):
    """A file's tensors by the paths of our variables, and what else is in it."""

    tensors: Tensors  # joined where the library keeps them apart
    by_path: dict[Path, str]  # name in the file, or the one it should have
    left_out: list[str]
    unknown: list[str]
    naming: Naming | None  # None: ours


def adopt(variables: Variables, tensors: Tensors, source: str, model: TCAM) -> Pretrained:
    """Put the tensors of a file into the variables of the whole network.

    Args:
      variables: of `model`, arrays or anything with `shape` and `dtype`.
      tensors: by PyTorch's names, those of a library that the encoder declares, behind any prefix;
        or by our own paths, joined by "/".
      source: what the messages call the file.
      model: the network, for the names that its encoder has elsewhere.

    Raises:
      InputError: tensors are missing, left over, of a wrong shape, no floating-point numbers or not
        finite; all of a kind are counted, the first few named.
    """
    flat = dict(traverse_util.flatten_dict(variables))
    ours = any(name.startswith("params/") for name in tensors)
    found = _by_our_paths(flat, tensors) if ours else _by_torch_names(flat, tensors, model)
    tensors, left_out, notes = found.tensors, list(found.left_out), []
    taken = {path: name for path, name in found.by_path.items() if name in tensors}

    def value_of(path: Path) -> np.ndarray:
        value = tensors[taken[path]]
        return value if ours else from_torch(path, value)

    def refuse(problem: str, names: Sequence[str]) -> NoReturn:
        _refuse(source, problem, names, tensors, found.naming)

    head = [path for path in flat if path[1] == "classification_head"]
    fits = all(path in taken and value_of(path).shape == flat[path].shape for path in head)
    unknown = list(found.unknown)
    if not fits:  # of another kind, or of other classes
        of_it = [n for n in unknown if "classification_head" in n.replace("/", ".").split(".")]
        unknown = [name for name in unknown if name not in of_it]
        of_it += [taken.pop(path) for path in head if path in taken]
        left_out += of_it
        if of_it:
            shapes = ", ".join(f"{name} {list(tensors[name].shape)}" for name in of_it[:_SHOWN])
            notes.append(f"its classification head is left out, of other classes or kind: {shapes}")

    parts = []
    for part in (*CLASSIFIER_PARTS, *LOCALISER_PARTS):
        paths = [path for path in flat if path[1] == part]
        missing = [found.by_path[path] for path in paths if path not in taken]
        if len(missing) < len(paths):
            parts.append(part)
            if missing:
                refuse(f"lacks {len(missing)} tensors of the {part}", missing)
    if "encoder" not in parts:
        refuse("holds nothing of the encoder", list(tensors))
    if unknown:
        refuse(f"holds {len(unknown)} tensors that this network has no place for", unknown)

    wrong, other, broken = [], [], []
    for path, name in taken.items():
        value, expected = value_of(path), flat[path].shape
        if value.shape != expected:
            there = expected if ours else torch_shape(path, expected)
            wrong.append(f"{name} {list(tensors[name].shape)} instead of {list(there)}")
        elif not jnp.issubdtype(value.dtype, jnp.floating):
            other.append(f"{name} ({value.dtype})")
        elif not np.isfinite(np.asarray(value, np.float32)).all():
            broken.append(name)
        else:
            # A copy: the file's memory may be mapped from it, and training reuses buffers.
            flat[path] = np.array(value, flat[path].dtype)
    if wrong:
        refuse(f"has {len(wrong)} tensors of another shape", wrong)
    if other:  # quantised, or packed: worth nothing without what they were scaled by
        refuse(f"has {len(other)} tensors that are no floating-point numbers", other)
    if broken:
        refuse(f"has values that are not finite in {len(broken)}", broken)
    if found.naming and found.naming.others:
        others = ", ".join(map(repr, found.naming.others))
        notes.append(f"what stands behind {others} would fit too: save it alone to have it instead")
    naming = "" if found.naming is None else str(found.naming)
    merged = traverse_util.unflatten_dict(flat)
    return Pretrained(merged, tuple(parts), tuple(left_out), naming, tuple(notes))


def _by_our_paths(flat: Mapping[Path, Any], tensors: Tensors) -> _Found:
    by_path = {path: "/".join(path) for path in flat}
    unknown = [name for name in tensors if name not in by_path.values()]
    return _Found(tensors, by_path, [], unknown, None)


def _by_torch_names(flat: Mapping[Path, Any], given: Tensors, model: TCAM) -> _Found:
    naming = find_naming(flat, without_counters(given), model.declared)
    tensors, prefix, renaming = naming.tensors, naming.prefix, naming.renaming
    # A whole network has "encoder." before the encoder's names, and its other parts beside it.
    is_whole = prefix.endswith("encoder.")
    root = prefix.removesuffix("encoder.")
    by_path = {}
    for path in flat:
        name = torch_name(path, renaming)
        if path[1] == "encoder":
            by_path[path] = prefix + name.removeprefix("encoder.")
        else:  # "": no file has it
            by_path[path] = root + name if is_whole else ""
    rest = set(tensors).difference(by_path.values())
    unknown = _of_the_encoder(rest, naming, flat, model)
    if is_whole:
        taken = {path[1] for path in flat if path[1] != "encoder" and by_path[path] in tensors}
        of_parts = [root + "classification_head."]  # of another kind perhaps
        of_parts += [root + "decoder.", root + "segmentation_head."] if taken else []
        unknown |= {name for name in rest if name.startswith(tuple(of_parts))}
    left_out = [name for name in tensors if name in rest - unknown]
    return _Found(tensors, by_path, left_out, [n for n in tensors if n in unknown], naming)


def _of_the_encoder(
    rest: set[str], naming: Naming, flat: Mapping[Path, Any], model: TCAM
) -> set[str]:
    """Return the names that begin as one of the encoder's does, and are none: no mere strays."""
    prefix, renaming = naming.prefix, naming.renaming
    classes = (*renaming.classes, *(prefix + name for name in renaming.classes))

    def first(name: str) -> str:
        return name.removeprefix(prefix).split(".")[0]

    inside = {name for name in rest if name.startswith(prefix) and not name.startswith(classes)}
    known = {name.split(".")[0] for name in encoder_names(flat, renaming)}
    if {first(name) for name in inside} - known:
        # Of its family too: a larger encoder must not pass for a smaller.
        known |= {name.split(".")[0] for name in siblings_names(model.declared, renaming)}
    return {name for name in inside if first(name) in known}


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


def _refuse(
    source: str, problem: str, names: Sequence[str], tensors: Tensors, naming: Naming | None
) -> NoReturn:
    best = ""
    if naming is not None and naming.fits:
        best = f" Best fit names of {naming}: {naming.fits} of {naming.total} of the encoder's."
    encoder = recognise(tensors)
    kind = f"is a {encoder}" if encoder else f"is none of {', '.join(ENCODERS)}"
    raise InputError(
        f"{source} does not fit the configured network: it {problem}: {few(names, _SHOWN)}.{best} "
        f"The file {kind}; compare config.model (encoder, head) and the number of classes with it."
    )
