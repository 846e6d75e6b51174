"""Otsu's threshold of an activation map, decided in exact integer arithmetic.

The between-class variance of neighbouring thresholds often differs by less than float32 resolves,
and another threshold is another region of interest. Without float64 on accelerators, the numbers
are kept as integers of several limbs, so that every device picks the same bin.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

_BINS = 256
_LIMB_BITS = 15  # the product of two limbs still fits in a signed 32-bit integer
_LIMB_MASK = (1 << _LIMB_BITS) - 1
MOST_PIXELS = 1 << 18

# Integers, any number of them at once: 15 bits of each in an array, the lowest first.
_Limbs = Sequence[Int[Array, "..."]]


class _Players(TypedDict):
    numerator: _Limbs
    denominator: _Limbs
    index: Int[Array, " n"]


def otsu_threshold(cam: Float[Array, "h w"]) -> Float[Array, ""]:
    """Return Otsu's threshold of a map's 8-bit levels.

    The levels are `q = floor(255 * cam)`. They are binned into 256 equal bins over
    `[min q, max q]`, as `skimage.filters.threshold_otsu` does for a *float* image, so the
    threshold is the (fractional) centre of a bin.

    Args:
      cam: activation map, 0..1.

    Returns:
      The threshold in levels, 0..255, float32: the centre of the first bin of greatest
      between-class variance; 0 if all levels are equal.

    Raises:
      ValueError: if the map has more than 2**18 pixels, where the integers would overflow.

    Source:
      Otsu, "A threshold selection method from gray-level histograms", IEEE SMC 1979;
      TCAM section 3 (region of interest).
    """
    if cam.size > MOST_PIXELS:
        raise ValueError(
            f"Otsu's threshold takes maps of at most {MOST_PIXELS} pixels, got {cam.shape}: "
            "resize the map first."
        )
    levels = jnp.floor(255 * cam.astype(jnp.float32)).astype(jnp.int32)
    lowest, span = levels.min(), levels.max() - levels.min()
    # Counting levels instead of bins is enough: each level has a bin of its own, and the empty
    # bins between two levels tie with the lower one, which comes first.
    counts = jnp.bincount((levels - lowest).ravel(), length=_BINS)
    bins = jnp.clip(_BINS * jnp.arange(_BINS) // jnp.maximum(span, 1), 0, _BINS - 1)

    weight = jnp.cumsum(counts)
    moment = jnp.cumsum(counts * bins)
    # With w = weight, m = moment and W, M the totals, the variance is proportional to
    # (w M - W m)^2 / (w (W - w)).
    mean_gap = _subtract(
        _multiply(_limbs(weight), _limbs(moment[-1])), _multiply(_limbs(weight[-1]), _limbs(moment))
    )
    # At most 2**43 and 2**34: the highest of the four limbs is empty.
    mean_gap = mean_gap[:3]
    denominator = _multiply(_limbs(weight), _limbs(weight[-1] - weight))[:3]
    numerator = _multiply(mean_gap, mean_gap)
    best = bins[_first_argmax_of_ratios(numerator, denominator)]
    threshold = lowest + (best + 0.5) * span / _BINS  # exact in float32: at most 17 bits
    return jnp.where(span > 0, threshold, 0).astype(jnp.float32)


def _limbs(value: Int[Array, "..."]) -> _Limbs:
    """Split integers below 2**30 into two limbs, the lower first."""
    return [value & _LIMB_MASK, value >> _LIMB_BITS]


def _carry(columns: Iterable[Int[Array, "..."]]) -> _Limbs:
    # The arithmetic shift makes the carry right for negative columns too.
    limbs: list[Array] = []
    carry: Array | int = 0
    for column in columns:
        total = column + carry
        limbs.append(total & _LIMB_MASK)
        carry = total >> _LIMB_BITS
    return limbs


def _multiply(a: _Limbs, b: _Limbs) -> _Limbs:
    columns: list[Any] = [0] * (len(a) + len(b))  # each becomes an array
    for i, a_limb in enumerate(a):
        for j, b_limb in enumerate(b):
            product = a_limb * b_limb
            columns[i + j] += product & _LIMB_MASK
            columns[i + j + 1] += product >> _LIMB_BITS
    return _carry(columns)


def _subtract(a: _Limbs, b: _Limbs) -> _Limbs:
    return _carry([a_limb - b_limb for a_limb, b_limb in zip(a, b, strict=True)])


def _less(a: _Limbs, b: _Limbs) -> Array | bool:
    result: Array | bool = False
    for a_limb, b_limb in zip(a, b, strict=True):  # the highest limb comes last and overrules
        result = (a_limb < b_limb) | ((a_limb == b_limb) & result)
    return result


def _first_argmax_of_ratios(numerator: _Limbs, denominator: _Limbs) -> Int[Array, ""]:
    """Find the first greatest of the fractions `[n]` by a knock-out tournament of neighbours.

    A denominator of 0 (no pixel above the threshold; its numerator is 0 too) never beats an
    earlier fraction, and the first fraction has none.
    """
    size = numerator[0].shape[0]

    def play(step: Array | int, players: _Players) -> _Players:
        # Player i has won against i..i+2**step-1 and meets the winner of the next as many. Only
        # the first player's games count in the end; no round reaches it around the end.
        rivals = jax.tree.map(lambda values: jnp.roll(values, -(1 << step)), players)
        loses = _less(
            _multiply(players["numerator"], rivals["denominator"]),
            _multiply(rivals["numerator"], players["denominator"]),
        )
        return jax.tree.map(lambda ours, theirs: jnp.where(loses, theirs, ours), players, rivals)

    players: _Players = {
        "numerator": numerator,
        "denominator": denominator,
        "index": jnp.arange(size),
    }
    return jax.lax.fori_loop(0, (size - 1).bit_length(), play, players)["index"][0]
