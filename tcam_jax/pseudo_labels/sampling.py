"""Random draws of foreground and background pixels from an activation map."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

_SIGN_BIT = np.uint32(0x80000000)


class SeedRule(NamedTuple):
    """Where seeds may fall and how large they are.

    Attributes:
      fg_fraction: share of the region of interest, from its highest activation down, that
        foreground is drawn from, in (0, 1].
      bg: "lowest" draws background from the lowest activations of the whole map, "complement" from
        everything outside the region of interest.
      bg_fraction: share of the map that "lowest" draws from, in (0, 1]; "complement" ignores it.
      dilation: side of the square that each seed grows to, in pixels, odd.
      fg_weighted: foreground is drawn in proportion to its activation; False: uniformly.
      fg_erosion: side of the square by which the region shrinks before foreground is drawn from
        it, in pixels, odd; 1: not at all.
    """

    fg_fraction: float
    bg: str
    bg_fraction: float
    dilation: int
    fg_weighted: bool = True
    fg_erosion: int = 1


SEED_RULES = {
    # TCAM's published command, and its paper's text: they differ in all four.
    "reference": SeedRule(fg_fraction=0.6, bg="lowest", bg_fraction=0.1, dilation=3),
    "paper": SeedRule(fg_fraction=1.0, bg="complement", bg_fraction=1.0, dilation=1),
    # The published commands of CoLo-CAM and of F-CAM.
    "colo_cam": SeedRule(fg_fraction=0.7, bg="lowest", bg_fraction=0.1, dilation=3),
    "fcam": SeedRule(1.0, "lowest", 0.1, 3, fg_weighted=False, fg_erosion=11),
}
"""name -> rule; a user's own joins them."""


def sample_foreground(
    key: PRNGKeyArray,
    cam: Float[Array, "h w"],
    roi: Bool[Array, "h w"],
    *,
    fraction: float,
    pixels: int,
    weighted: bool = True,
) -> tuple[Int[Array, " pixels"], Bool[Array, " pixels"]]:
    """Draw foreground pixels without replacement.

    The candidates are the `int(fraction * |roi|)` highest of `cam * roi + 1e-8`; of equal values
    the first in raster order comes first.

    Args:
      key: random key.
      cam: activation map, 0..1.
      roi: region of interest.
      fraction: share of the region that is kept, in (0, 1].
      pixels: number of draws.
      weighted: in proportion to the activation; False: uniformly.

    Returns:
      Raster indices `[pixels]` int32 in the order drawn, and which of them are valid: draws beyond
      the number of candidates, and all draws of a constant map, are not.

    Raises:
      ValueError: if `fraction` or `pixels` is out of range.

    Source:
      TCAM section 3 (foreground sampling); successive sampling by the Gumbel-top-k trick, Kool et
      al., "Stochastic beams and where to find them", ICML 2019.
    """
    _check(fraction, pixels, cam.size)
    activation = (cam * roi).astype(jnp.float32).ravel() + 1e-8
    # A float32 product, like the authors': float64 would keep another number of pixels for some
    # fractions (0.7 for one).
    kept = (jnp.float32(fraction) * roi.sum().astype(jnp.float32)).astype(jnp.int32)
    candidates = _lowest(-activation, kept)
    log_weight = jnp.log(activation) if weighted else jnp.zeros_like(activation)
    return _draw(key, log_weight, candidates & _varies(cam), pixels)


def sample_background(
    key: PRNGKeyArray,
    cam: Float[Array, "h w"],
    roi: Bool[Array, "h w"],
    *,
    rule: str,
    fraction: float,
    pixels: int,
) -> tuple[Int[Array, " pixels"], Bool[Array, " pixels"]]:
    """Draw background pixels uniformly, without replacement.

    Args:
      key: random key.
      cam: activation map, 0..1.
      roi: region of interest.
      rule: "lowest" draws from the `int(fraction * h * w)` lowest activations of the whole map
        (of equal values the first in raster order), "complement" from all pixels outside the
        region.
      fraction: share of the map that "lowest" keeps, in (0, 1].
      pixels: number of draws.

    Returns:
      Raster indices `[pixels]` int32 in the order drawn, and which of them are valid: draws beyond
      the number of candidates, and all draws of a constant map, are not.

    Raises:
      ValueError: if `rule` is unknown, or `fraction` or `pixels` is out of range.

    Source:
      TCAM section 3 (background sampling).
    """
    _check(fraction, pixels, cam.size)
    if rule == "lowest":
        candidates = _lowest(cam.astype(jnp.float32).ravel(), int(fraction * cam.size))
    elif rule == "complement":
        candidates = ~roi.ravel()
    else:
        raise ValueError(f"The background rule must be 'lowest' or 'complement', got {rule!r}.")
    return _draw(key, jnp.zeros(cam.size, jnp.float32), candidates & _varies(cam), pixels)


def _check(fraction: float, pixels: int, size: int) -> None:
    if not 0 < fraction <= 1:
        raise ValueError(f"The fraction of candidate pixels must be in (0, 1], got {fraction}.")
    if not 1 <= pixels <= size:
        raise ValueError(
            f"The number of seed pixels must be 1 to {size}, the pixels of the map, got {pixels}."
        )


def _varies(cam: Float[Array, "h w"]) -> Bool[Array, ""]:
    # A constant map says nothing about where the object is.
    return cam.max() > cam.min()


def _draw(
    key: PRNGKeyArray,
    log_weight: Float[Array, " n"],
    candidates: Bool[Array, " n"],
    pixels: int,
) -> tuple[Int[Array, " pixels"], Bool[Array, " pixels"]]:
    # In mode "low" the largest of 50,000 Gumbel variables come from a coarse grid and tie, and
    # ties would favour the top of the image.
    noise = jax.random.gumbel(key, log_weight.shape, jnp.float32, mode="high")
    score = jnp.where(candidates, log_weight + noise, -jnp.inf)
    score, index = jax.lax.top_k(score, pixels)
    return index, score > -jnp.inf


def _lowest(values: Float[Array, " n"], number: Int[Array, ""] | int) -> Bool[Array, " n"]:
    """Mark the `number` lowest of float32 `values` `[n]`; of equal values the first ones.

    A bitwise search for the number-th value, since XLA's sort is many times slower.
    """
    values = jnp.where(values == 0, 0, values)  # -0.0 equals 0.0, but its bits do not
    bits = jax.lax.bitcast_convert_type(values, jnp.uint32)
    # Floats as unsigned integers of the same order.
    rank = jnp.where(bits & _SIGN_BIT != 0, ~bits, bits | _SIGN_BIT)

    def refine(step: Array | int, bound: Array) -> Array:
        trial = bound | (_SIGN_BIT >> step)
        return jnp.where((rank < trial).sum() < number, trial, bound)

    bound = jax.lax.fori_loop(jnp.uint32(0), jnp.uint32(32), refine, jnp.uint32(0))
    below, tied = rank < bound, rank == bound
    return below | (tied & (jnp.cumsum(tied) <= number - below.sum()))
