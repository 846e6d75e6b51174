"""The pixels of cut-outs and backgrounds, read once and brought to the size that is used."""

import functools
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tcam_jax.data.animation import is_video, read_film
from tcam_jax.data.pictures import open_image, to_rgb
from tcam_jax.data.video import BadVideo
from tcam_jax.runtime.errors import InputError

CUTOUT_SIDE, PHOTO_SIDE, VIDEO_SIDE = 320, 640, 400  # pixels of the longer side, at most
# Every other frame of the first ones: 30 MB a video.
VIDEO_STRIDE, VIDEO_FRAMES = 2, 100


@functools.cache
def read_cutout(file: Path) -> np.ndarray:
    """One cut-out, float32 [h, w, 4] in 0..1, the colours multiplied by alpha; no empty border.

    The rim goes, and colours of what is left of it come from inside: else what the object was
    photographed against would be seen around it.

    Raises:
        InputError: no image, or one of which nothing, or everything, is transparent.
    """
    try:
        with Image.open(file) as image:
            pixels = np.asarray(image.convert("RGBA"), np.float32) / 255
    except Exception as error:  # Pillow's decoders raise many types
        raise InputError(f"{file} cannot be read ({error}); mend or remove it") from error
    alpha = pixels[..., 3]
    if alpha.min() > 0.5 or alpha.max() < 0.5:
        state = "no transparent pixel" if alpha.min() > 0.5 else "nothing but transparent pixels"
        raise InputError(f"{file} has {state}; expected an object cut out of a photo")
    top, bottom = np.flatnonzero((alpha > 0.5).any(axis=1))[[0, -1]]
    left, right = np.flatnonzero((alpha > 0.5).any(axis=0))[[0, -1]]
    # Room for the rim to end in.
    padded = np.pad(pixels[top : bottom + 1, left : right + 1], ((3, 3), (3, 3), (0, 0)))
    colour, alpha = padded[..., :3], padded[..., 3]
    alpha = np.clip((cv2.GaussianBlur(alpha, (0, 0), 1.0) - 0.4) / 0.45, 0, 1)
    solid = (alpha > 0.95).astype(np.float32)[..., None]
    near = cv2.GaussianBlur(np.concatenate([colour * solid, solid], axis=2), (0, 0), 2.0)
    inner = near[..., :3] / np.maximum(near[..., 3:], 1e-6)
    colour = np.where((solid > 0) | (near[..., 3:] < 1e-3), colour, inner)
    cutout = np.concatenate([colour * alpha[..., None], alpha[..., None]], axis=2)
    return shrink(cutout, CUTOUT_SIDE / max(cutout.shape[:2]))


@functools.lru_cache(maxsize=64)
def read_background(file: Path) -> np.ndarray:
    """A photo or the beginning of a video, uint8 [frames, h, w, 3]; a photo is one frame.

    Raises:
        InputError: it cannot be read.
    """
    if not is_video(file):
        try:
            with open_image(file) as image:
                image.draft("RGB", (2 * PHOTO_SIDE, 2 * PHOTO_SIDE))
                return np.asarray(_thumbnail(to_rgb(image).image, PHOTO_SIDE))[None]
        except Exception as error:
            raise InputError(f"{file} cannot be read ({error}); mend or remove it") from error
    frames: list[np.ndarray] = []
    try:
        for frame in read_film(file, VIDEO_STRIDE):
            frames.append(np.asarray(_thumbnail(Image.fromarray(frame.image), VIDEO_SIDE)))
            if len(frames) == VIDEO_FRAMES:
                break
    except BadVideo as error:
        if not frames:
            raise InputError(f"{file} cannot be decoded ({error}); mend or remove it") from error
    return np.stack(frames)


def shrink(image: np.ndarray, factor: float) -> np.ndarray:
    """The image at `factor` of its size, averaged; as it is where the factor is 1 or more."""
    if factor >= 1:
        return image
    height, width = (max(round(side * factor), 1) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _thumbnail(image: Image.Image, side: int) -> Image.Image:
    image.thumbnail((side, side), Image.Resampling.BOX, reducing_gap=None)
    return image
