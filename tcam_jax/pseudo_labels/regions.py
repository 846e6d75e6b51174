"""Connected regions of a mask: the largest or densest one, and the box around them all.

Regions of seeds are 4-connected, as in the authors' implementation: pixels that touch at a corner
alone are of two regions. Regions of scores and predictions are OpenCV's, 8-connected, also as
theirs (`evaluate.boxes`).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

DENSE_AREA = 0.05
"""Share of the frame that the densest region must have, as published."""


def largest_region(mask: Bool[Array, "h w"]) -> Bool[Array, "h w"]:
    """Keep the 4-connected region with the most pixels.

    Args:
      mask: pixels of any number of regions.

    Returns:
      True inside the largest region; of equally large ones, the one whose first pixel comes first
      in raster order. An empty mask stays empty.

    Source:
      CoLo-CAM (Belharbi et al., Pattern Recognition 162:111358, 2025), which samples from the
      largest region of the thresholded map only.
    """
    labels = _first_pixels(mask)
    return mask & (labels == _sizes(labels, mask).argmax())


def densest_region(mask: Bool[Array, "h w"], cam: Float[Array, "h w"]) -> Bool[Array, "h w"]:
    """Keep the 4-connected region with the highest mean activation, unless it is too small.

    Args:
      mask: pixels of any number of regions.
      cam: activation map.

    Returns:
      True inside that region; if it has less than `DENSE_AREA` of the frame, inside the largest
      one. Of equal regions the one whose first pixel comes first in raster order. An empty mask
      stays empty.

    Source:
      An option of TCAM's implementation (`roi_high_density`).
    """
    labels = _first_pixels(mask)
    sizes = _sizes(labels, mask)
    sums = jnp.zeros(mask.size, jnp.float32).at[labels].add(jnp.where(mask, cam, 0))
    densest = jnp.where(sizes > 0, sums / jnp.maximum(sizes, 1), -1).argmax()
    enough = sizes[densest] >= DENSE_AREA * mask.size
    return mask & (labels == jnp.where(enough, densest, sizes.argmax()))


def eroded(mask: Bool[Array, "h w"], side: int) -> Bool[Array, "h w"]:
    """Keep the pixels around which a square of `side` pixels, odd, is True as far as it is seen.

    Regions do not shrink at the frame's border, as in the authors' implementation. i times with a
    square of k pixels is once with 1 + i * (k - 1).
    """
    for window in ((side, 1), (1, side)):
        mask = jax.lax.reduce_window(mask, True, jax.lax.bitwise_and, window, (1, 1), "SAME")
    return mask


def region_box(mask: Bool[Array, "h w"]) -> Bool[Array, "h w"]:
    """Fill the bounding box of a mask.

    Args:
      mask: pixels of any number of regions.

    Returns:
      True inside the smallest upright box around all True pixels, its outermost pixels included;
      an empty mask has an empty box.
    """
    return _between(mask.any(axis=1))[:, None] & _between(mask.any(axis=0))


def reference_box(mask: Bool[Array, "h w"]) -> Bool[Array, "h w"]:
    """Fill the bounding box of a mask by the rule of the authors' implementation.

    There a box around pixels x0..x1 ends at min(x1 + 1, w - 1), and is filled up to, not with, this
    column; likewise the rows. So it is `region_box` without the frame's last row and column.
    """
    return region_box(mask).at[-1].set(False).at[:, -1].set(False)


def _between(line: Bool[Array, " n"]) -> Bool[Array, " n"]:
    return (jnp.cumsum(line) > 0) & (jnp.cumsum(line[::-1])[::-1] > 0)


def _sizes(labels: Int[Array, "h w"], mask: Bool[Array, "h w"]) -> Int[Array, " pixels"]:
    """Count the pixels of each region, at the index of its first."""
    return jnp.zeros(mask.size, jnp.int32).at[labels].add(mask.astype(jnp.int32))


def _first_pixels(mask: Bool[Array, "h w"]) -> Int[Array, "h w"]:
    """Label each pixel of the mask `[h, w]` with the raster index of its region's first pixel.

    Minimum labels with hooking and pointer jumping (Zhang, Azad and Hu, "FastSV", SIAM PP 2020;
    its aggressive hooking saves hardly a round here). If pixels only took over their neighbours'
    labels, long thin regions would take hundreds of rounds; this way, spirals, snakes and mazes of
    224x224 pixels take 9 at most.
    """
    outside = mask.size  # larger than any label, so that no minimum takes it
    pixels = jnp.arange(mask.size, dtype=jnp.int32)

    def spread(state: tuple[Array, Array]) -> tuple[Array, Array]:
        labels, _ = state
        heard = _lowest_neighbours(jnp.where(mask, labels.reshape(mask.shape), outside), outside)
        # A label names a pixel of the same region. What a pixel hears is told to the pixel that
        # its label names, and then each label is exchanged twice for the label of what it names.
        lower = labels.at[labels].min(jnp.where(mask, heard, outside).ravel())
        lower = lower[lower]
        lower = lower[lower]
        return lower, (lower != labels).any()

    # Nothing changes any more once labels name themselves and no neighbour has a lower one.
    labels, _ = jax.lax.while_loop(lambda state: state[1], spread, (pixels, jnp.bool_(True)))
    return labels.reshape(mask.shape)


def _lowest_neighbours(values: Int[Array, "h w"], beyond: int) -> Int[Array, "h w"]:
    padded = jnp.pad(values, 1, constant_values=beyond)
    rows = jnp.minimum(padded[:-2, 1:-1], padded[2:, 1:-1])
    columns = jnp.minimum(padded[1:-1, :-2], padded[1:-1, 2:])
    return jnp.minimum(values, jnp.minimum(rows, columns))
