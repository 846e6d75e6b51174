"""Crop, flip and normalise on the device: one geometry for a window's frames and for its CAMs."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Key, Num


class Normalisation(NamedTuple):
    """Mean and standard deviation of RGB in 0..1 that a pretrained encoder expects."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Geometry(NamedTuple):
    """Where a sample is cropped (pixels of the source) and whether it is mirrored."""

    top: Int[Array, ""]
    left: Int[Array, ""]
    flip: Bool[Array, ""]


def sample_keys(seed: int, number: Int[Array, ""], slots: Int[Array, " b"]) -> Key[Array, " b"]:
    """Return one key a sample, a function of (seed, batch, global slot), not of the device."""
    batch_key = jax.random.fold_in(jax.random.key(seed), number)
    return jax.vmap(jax.random.fold_in, (None, 0))(batch_key, slots)


def random_geometry(key: Key[Array, ""], source: int, crop: int) -> Geometry:
    """Draw a uniform crop of `crop` pixels out of `source`, mirrored with probability 1/2."""
    crop_key, flip_key = jax.random.split(key)
    top, left = jax.random.randint(crop_key, (2,), 0, source - crop + 1)
    return Geometry(top, left, jax.random.bernoulli(flip_key))


def transform(
    image: Num[Array, "h w *c"], geometry: Geometry, crop: int
) -> Num[Array, "crop crop *c"]:
    """Crop and mirror one image or map: `[h, w, …]` to `[crop, crop, …]`, same dtype."""
    start = (geometry.top, geometry.left) + (0,) * (image.ndim - 2)
    cropped = lax.dynamic_slice(image, start, (crop, crop, *image.shape[2:]))
    return jnp.where(geometry.flip, cropped[:, ::-1], cropped)


def normalise(
    frames: Num[Array | np.ndarray, "*b h w 3"], normalisation: Normalisation
) -> Float[Array, "*b h w 3"]:
    """Bring RGB frames of 0..255 (uint8 or float) to the encoder's zero mean, unit variance."""
    return (frames / 255.0 - jnp.array(normalisation.mean)) / jnp.array(normalisation.std)


def resize_map(cam: Float[Array, "y x"], size: int) -> Float[Array, "size size"]:
    """Enlarge a map bilinearly (half-pixel centres, edges clamped) to `size` x `size`."""
    return jax.image.resize(cam, (size, size), "linear", antialias=False)


def shrink_frames(frames: Num[Array, "*b h w 3"], size: int) -> Float[Array, "*b size size 3"]:
    """Shrink frames of 0..255 with antialiasing: the classifier's view of the whole frame."""
    shape = (*frames.shape[:-3], size, size, 3)
    return jax.image.resize(frames.astype(jnp.float32), shape, "linear", antialias=True)
