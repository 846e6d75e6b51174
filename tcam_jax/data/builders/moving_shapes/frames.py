"""The frames and boxes of a `moving_shapes` shot, drawn with NumPy from its script.

Shapes are signed distance functions on the pixel grid, all frames of a shot at once: a shape covers
a pixel by `0.5 - distance`, clipped to 0..1, which is its anti-aliased edge.
"""

from typing import NamedTuple

import numpy as np

from tcam_jax.data.builders.moving_shapes.canvas import paint_background
from tcam_jax.data.builders.moving_shapes.scene import (
    CLASS_NAMES,
    PART_HUES,
    PARTS,
    SIZE,
    SPLITS,
    Occluder,
    Scene,
    SplitSize,
    Video,
    body_axis,
    hsv_to_rgb,
    sample_scene,
    stream,
)

__all__ = ["CLASS_NAMES", "SPLITS", "Shot", "SplitSize", "render_shot"]


import itertools

SIGNATURES = list(itertools.combinations(range(5), 2))


class Shot(NamedTuple):
    """The frames of one shot and the box of the object in each.

    Attributes:
        frames: uint8 [t, 128, 128, 3], RGB, 0..255.
        boxes: float32 [t, 4], (x0, y0, x1, y1) in pixels: the first and last column and row that
            the visible object (body and visible parts, less what hides them) reaches, 0..127.
    """

    frames: np.ndarray
    boxes: np.ndarray


def render_shot(seed: int, split: str, class_id: int, video: int, shot: int) -> Shot:
    """Draw one shot: a pure function of its arguments.

    Args:
        seed: of the whole data set, 0 or more.
        split: a key of `SPLITS`.
        class_id: index into `CLASS_NAMES`.
        video: index of the video within its split and class.
        shot: index of the shot within its video.

    Raises:
        ValueError: if an argument names nothing that the data set has.
    """
    scene = sample_scene(seed, split, class_id, video, shot)
    frames = paint_background(
        stream(seed, split, class_id, video, shot, use=1), scene.video.palette, scene.camera
    )
    axis = np.arange(SIZE, dtype=np.float32)
    seen = draw_object(scene, axis, axis, frames)
    sensor = stream(seed, split, class_id, video, shot, use=2)
    return Shot(_expose(sensor, scene, frames), boxes_of(seen))


def draw_object(scene: Scene, x: np.ndarray, y: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Draw the object, and what passes before it, onto `frames`; say where the object is seen.

    Args:
        scene: the script.
        x: float32 [w], pixel coordinates of the columns.
        y: float32 [h], of the rows.
        frames: float32 [t, h, w, 3] in 0..1, painted over in place.

    Returns:
        bool [t, h, w], the pixels that show the object.
    """
    looks = scene.video
    u, v, px = _body_coordinates(scene, x, y)
    distance = px * _body_distance(looks, u, v)
    _paint(frames, _cover(distance), _body_colours(looks, u, v, distance))
    seen = distance < 0

    for part in range(PARTS):
        shown = scene.visible[:, part]
        if not shown.any():
            continue
        radius = np.float32(looks.radii[part])
        s = (u[shown] - np.float32(looks.anchors[part, 0])) / radius
        q = (v[shown] - np.float32(looks.anchors[part, 1])) / radius
        distance = radius * px[shown] * _part_distance((scene.class_id + part) % 3, s, q)
        painted = frames[shown]
        _paint(painted, _cover(distance), _part_colours(scene.class_id, s, q, distance))
        frames[shown] = painted
        seen[shown] |= distance < 0

    if scene.occluder is not None:
        distance = _occluder_distance(scene.occluder, x, y)
        _paint(frames, _cover(distance), scene.occluder.colour.astype(np.float32))
        seen &= distance >= 0
    return seen


def boxes_of(seen: np.ndarray) -> np.ndarray:
    """Boxes float32 [t, 4] of masks [t, h, w]: first and last column and row, both inside."""
    columns, rows = seen.any(axis=1), seen.any(axis=2)
    ends = [
        np.argmax(columns, axis=1),
        np.argmax(rows, axis=1),
        columns.shape[1] - 1 - np.argmax(columns[:, ::-1], axis=1),
        rows.shape[1] - 1 - np.argmax(rows[:, ::-1], axis=1),
    ]
    return np.stack(ends, axis=1).astype(np.float32)


def _per_frame(values) -> np.ndarray:
    return np.asarray(values, np.float32)[:, None, None]


def _body_coordinates(scene: Scene, x, y):
    """Place of each pixel along and across the body, in body lengths, and pixels a body length."""
    dx = x - _per_frame(scene.centres[:, 0])
    dy = y[:, None] - _per_frame(scene.centres[:, 1])
    px = _per_frame(scene.lengths)
    cos, sin = _per_frame(np.cos(scene.angles)) / px, _per_frame(np.sin(scene.angles)) / px
    u = (dx * cos + dy * sin) * np.float32(scene.facing)
    return u, dy * cos - dx * sin, px


def _body_distance(looks: Video, u, v):
    a, b = np.float32(0.5), np.float32(looks.thickness / 2)
    if looks.outline == 0:
        # First-order distance to an ellipse: exact on the outline, which is where it matters.
        level = np.sqrt((u / a) ** 2 + (v / b) ** 2)
        slope = np.sqrt((u / a**2) ** 2 + (v / b**2) ** 2) + np.float32(1e-6)
        return (level - 1) * level / slope
    corner = np.float32(0.3) * b if looks.outline == 1 else b
    across = np.abs(v - body_axis(u, np.float32(looks.bend))) - (b - corner)
    along = np.abs(u) - (a - corner)
    outside = np.sqrt(np.maximum(along, 0) ** 2 + np.maximum(across, 0) ** 2)
    return outside + np.minimum(np.maximum(along, across), 0) - corner


def _body_colours(looks: Video, u, v, distance):
    """One colour, lit from the upper front, with a thin darker rim."""
    shade = np.float32(1.0) + np.float32(0.16) * u - np.float32(0.4) * v
    rim = np.clip((distance + np.float32(3.0)) / 2, 0, 1)
    shade *= 1 - np.float32(0.45) * rim
    return shade[..., None] * looks.body_colour.astype(np.float32)


def _part_distance(shape: int, s, q):
    """Distance to a disc, a diamond or a rounded square about as wide as 2, in part radii."""
    if shape == 0:
        return np.sqrt(s * s + q * q) - 1
    s, q = np.abs(s), np.abs(q)
    if shape == 1:
        return (s + q - np.float32(1.25)) * np.float32(0.7071)
    s, q = np.maximum(s - np.float32(0.6), 0), np.maximum(q - np.float32(0.6), 0)
    return np.sqrt(s * s + q * q) - np.float32(0.3)


def _part_colours(class_id: int, s, q, distance):
    """The signature of a class: its pure hue, striped with black or dotted with white.

    Neighbouring hues have different patterns, whose mean lightness differs too: small nets see that
    long before they see stripes.
    """
    hue = np.float32(hsv_to_rgb(PART_HUES[class_id], 1.0, 1.0))
    if class_id % 2 == 0:
        second, wave = np.float32(0.06), np.float32(2 * np.pi * 1.2)
        mix = np.clip(np.float32(0.2) + 2 * np.sin(wave * s), 0, 1)
    else:
        second, wave = np.float32(1.0), np.float32(2 * np.pi * 0.8)
        mix = np.clip(2 * (np.cos(wave * s) + np.cos(wave * q)) - np.float32(0.5), 0, 1)
    colour = hue + mix[..., None] * (second - hue)
    rim = np.clip(distance + np.float32(1.5), 0, 1)
    return colour * (1 - np.float32(0.5) * rim[..., None])


def _occluder_distance(occluder: Occluder, x, y):
    a, b = occluder.semi_axes.astype(np.float32)
    dx = (x - _per_frame(occluder.centres[:, 0])) / a
    dy = (y[:, None] - _per_frame(occluder.centres[:, 1])) / b
    return (np.sqrt(dx * dx + dy * dy) - 1) * b


def _cover(distance):
    return np.clip(np.float32(0.5) - distance, 0, 1)


def _paint(frames, cover, colour) -> None:
    frames += cover[..., None] * (colour - frames)


def _expose(rng: np.random.Generator, scene: Scene, frames: np.ndarray) -> np.ndarray:
    """What the camera records: light, blur, sensor noise, 8 bits."""
    frames = frames * scene.light[:, None, None].astype(np.float32)
    for index in np.flatnonzero(scene.blurred):
        frames[index] = _blur(frames[index])
    frames += np.float32(0.012) * rng.standard_normal(frames.shape, dtype=np.float32)
    return np.rint(255 * np.clip(frames, 0, 1)).astype(np.uint8)


def _blur(frame: np.ndarray) -> np.ndarray:
    """Binomial blur of 5 x 5 pixels, the border repeated."""
    for axis in (0, 1):
        for _ in range(2):
            pad = [(1, 1) if a == axis else (0, 0) for a in range(3)]
            wide = np.moveaxis(np.pad(frame, pad, mode="edge"), axis, 0)
            frame = np.moveaxis((wide[:-2] + 2 * wide[1:-1] + wide[2:]) / 4, 0, axis)
    return frame
