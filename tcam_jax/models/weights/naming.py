"""Whose names a file's tensors have, and what stands before them: of all, what fits most."""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from tcam_jax.models.encoders.encoder import Encoder, Renaming, Tensors
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.weights.torch_names import Path, to_torch, torch_name


class Naming(NamedTuple):
    """A library's names behind a prefix, and how many of the encoder's tensors have them.

    Attributes:
      renaming: of the library.
      prefix: before the encoder's names, such as "module.encoder_q.".
      tensors: of the file, joined where the library keeps them apart.
      fits: how many of the encoder's `total` tensors the file has, of the right shape.
      others: prefixes behind which as many are.
    """

    renaming: Renaming
    prefix: str
    tensors: Tensors
    fits: int
    total: int
    others: tuple[str, ...]

    def __str__(self) -> str:
        before = f"behind {self.prefix!r}" if self.prefix else "with nothing before them"
        return f"{self.renaming.library}, {before}"


def find_naming(flat: Mapping[Path, Any], tensors: Tensors, encoder: Encoder) -> Naming:
    """Return the naming and the prefix that make most tensors the encoder's; the first of several.

    Args:
      flat: variables, or their shapes, by their paths.
      tensors: of the file.
      encoder: what `flat` has under "encoder".
    """
    best: tuple[tuple[int, int], Naming] | None = None
    for renaming in encoder.renamings:
        joined = renaming.fuse(tensors) if renaming.fuse else tensors
        wanted = encoder_names(flat, renaming)
        fits, named = _prefixes(joined, wanted)
        # By shapes; but where none is right, by names, for the message.
        ranked = sorted(named, key=lambda prefix: (fits[prefix], named[prefix]), reverse=True)
        prefix = ranked[0] if ranked else "encoder."
        others = tuple(p for p in ranked[1:] if fits[p] == fits[prefix] == len(wanted))
        score = (fits[prefix], named[prefix])
        if best is None or score > best[0]:
            found = Naming(renaming, prefix, joined, fits[prefix], len(wanted), others)
            best = (score, found)
    assert best is not None, "an encoder has a naming, its own"
    return best[1]


def encoder_names(flat: Mapping[Path, Any], renaming: Renaming) -> dict[str, tuple[int, ...]]:
    """Return the names of the encoder's tensors in a library, with nothing before; their shapes."""
    return {
        torch_name(path, renaming).removeprefix("encoder."): torch_shape(path, shape.shape)
        for path, shape in flat.items()
        if path[1] == "encoder"
    }


def torch_shape(path: Path, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape in PyTorch of the variable at `path`, of `shape` here."""
    return to_torch(path, np.broadcast_to(np.int8(0), shape)).shape


def _prefixes(
    tensors: Tensors, wanted: Mapping[str, tuple[int, ...]]
) -> tuple[Counter[str], Counter[str]]:
    """Count behind each prefix the wanted tensors of the right shape, and of any."""
    fits: Counter[str] = Counter()
    named: Counter[str] = Counter()
    for name, tensor in tensors.items():
        words = name.split(".")
        for i in range(len(words)):
            shape = wanted.get(".".join(words[i:]))
            if shape is not None:
                prefix = "".join(f"{word}." for word in words[:i])
                named[prefix] += 1
                fits[prefix] += shape == tensor.shape
    return fits, named


def recognise(tensors: Tensors) -> str | None:
    """Return the encoder most of whose tensors, and no other's, the file has whole."""
    names = {name.removeprefix("batch_stats/").removeprefix("params/") for name in tensors}
    best, most = None, 0
    for encoder, make in ENCODERS.items():
        module = make()
        flat = _shapes(module)
        counts = [sum("/".join(path[1:]) in names for path in flat)]
        for renaming in module.renamings:
            joined = renaming.fuse(tensors) if renaming.fuse else tensors
            _, named = _prefixes(joined, encoder_names(flat, renaming))
            counts.append(max(named.values(), default=0))
        if max(counts) == len(flat) > most:
            best, most = encoder, len(flat)
    return best


def siblings_names(encoder: Encoder, renaming: Renaming) -> Iterator[str]:
    """Return the names that tensors of the encoder's family have in the library of `renaming`."""
    for make in ENCODERS.values():
        module = make()
        if type(module) is type(encoder):
            for other in module.renamings:
                if other.library == renaming.library:
                    yield from encoder_names(_shapes(module), other)


@cache
def _shapes(encoder: Encoder) -> dict[Path, Any]:
    side = 4 * max(encoder.output_strides)
    shapes = jax.eval_shape(encoder.init, jax.random.key(0), jnp.zeros((1, side, side, 3)))
    flat = traverse_util.flatten_dict(shapes)
    return {(collection, "encoder", *rest): x for (collection, *rest), x in flat.items()}
