"""The background of a `moving_shapes` shot: a textured, cluttered canvas that the camera pans over.

Nothing here knows the class. Clutter may borrow the hue of a part, but never its saturation, nor
its stripes or dots; it is smaller and busier than a body.
"""

import numpy as np

from tcam_jax.data.builders.moving_shapes.scene import PART_HUES, SIZE, hsv_to_rgb


def paint_background(
    rng: np.random.Generator, palette: np.ndarray, camera: np.ndarray
) -> np.ndarray:
    """Backgrounds float32 [t, 128, 128, 3] in 0..1, one canvas seen from each camera position.

    Args:
        rng: the canvas stream of the shot.
        palette: [3, 3] RGB in 0..1.
        camera: [t, 2] (x, y) of the frame's corner in the canvas, pixels, 0 or more.
    """
    # One pixel more than the furthest corner, for the interpolation.
    side = SIZE + int(np.ceil(camera.max())) + 1
    canvas = _texture(rng, palette.astype(np.float32), side)
    # 4 to 10 of them in sight: a frame shows only its share of the canvas.
    for _ in range(round(rng.integers(4, 11) * (side / SIZE) ** 2)):
        _add_clutter(rng, canvas)
    return np.stack([_crop(canvas, x, y) for x, y in camera])


def _texture(rng: np.random.Generator, palette: np.ndarray, side: int) -> np.ndarray:
    mix = _value_noise(rng, side, (5, 11, 23, 47))
    tone = _value_noise(rng, side, (3, 9, 31, 63))
    angle, waves = rng.uniform(0, np.pi), rng.uniform(4, 16)
    axis = np.arange(side, dtype=np.float32) * np.float32(2 * np.pi * waves / SIZE)
    phase = axis * np.float32(np.cos(angle)) + (axis * np.float32(np.sin(angle)))[:, None]
    tone += np.float32(rng.uniform(0, 0.15)) * np.sin(phase + np.float32(4) * mix)
    share = np.clip((mix - 0.5) * 3 + 0.5, 0, 1)[..., None]
    rest = np.clip((tone - 0.5) * 3 + 0.5, 0, 1)[..., None]
    canvas = palette[1] + rest * (palette[2] - palette[1])
    canvas += share * (palette[0] - canvas)
    return canvas * (0.75 + 0.5 * tone[..., None])


def _value_noise(rng: np.random.Generator, side: int, cells: tuple[int, ...]) -> np.ndarray:
    """Smooth noise [side, side] around 0.5: octaves of a random lattice, linearly interpolated."""
    total = np.zeros((side, side), np.float32)
    weight = np.float32(1.0)
    for n in cells:
        lattice = rng.random((n + 1, n + 1), dtype=np.float32)
        place = np.linspace(0, n, side, endpoint=False, dtype=np.float32)
        left = place.astype(int)
        part = place - left
        part = part * part * (3 - 2 * part)
        before, after = (1 - part).astype(np.float32), part.astype(np.float32)
        rows = _mixed(lattice[left], before[:, None], lattice[left + 1], after[:, None])
        octave = _mixed(rows[:, left], before, rows[:, left + 1], after)
        total += weight * (octave - np.float32(0.5))
        weight *= np.float32(0.6)
    return np.float32(0.5) + np.float32(0.6) * total


def _mixed(a: np.ndarray, a_share: np.ndarray, b: np.ndarray, b_share: np.ndarray) -> np.ndarray:
    """`a * a_share + b * b_share`, the second product not rounded before the sum.

    The very sums of a product by a matrix of the shares, for which NumPy's BLAS would wake a thread
    a core and keep them all spinning: that took twice as long as all else of a shot.
    """
    return ((a * a_share).astype(np.float64) + b.astype(np.float64) * b_share).astype(np.float32)


def _add_clutter(rng: np.random.Generator, canvas: np.ndarray) -> None:
    """Paint one blob or convex polygon, checked, graded or mottled, onto the canvas."""
    radius = rng.uniform(4, 15)
    x, y = rng.uniform(0, canvas.shape[0], 2)
    left, top = (max(int(c - 1.3 * radius), 0) for c in (x, y))
    patch = canvas[top : int(y + 1.3 * radius) + 2, left : int(x + 1.3 * radius) + 2]
    dx = np.arange(left, left + patch.shape[1]) - x
    dy = (np.arange(top, top + patch.shape[0]) - y)[:, None]
    turn = rng.uniform(0, 2 * np.pi)
    u, v = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
    if rng.random() < 0.5:
        distance = np.hypot(u, v / rng.uniform(0.5, 1)) - radius
    else:
        corners = np.cumsum(rng.dirichlet(np.full(int(rng.integers(3, 7)), 6.0))) * 2 * np.pi
        distance = (u[..., None] * np.cos(corners) + v[..., None] * np.sin(corners)).max(
            axis=-1
        ) - 0.8 * radius
        distance = np.maximum(distance, np.hypot(u, v) - 1.25 * radius)

    hue = rng.choice(PART_HUES) if rng.random() < 0.4 else rng.random()
    first = hsv_to_rgb(hue, rng.uniform(0.05, 0.3), rng.uniform(0.15, 0.9))
    second = first * rng.uniform(0.5, 0.8)
    kind = rng.integers(3)
    if kind == 0:
        period = rng.uniform(5, 8)
        mix = (np.floor(u / period) + np.floor(v / period)) % 2
    elif kind == 1:
        mix = np.clip(0.5 + u / (2 * radius), 0, 1)
    else:
        mix = rng.random(u.shape)
    colour = first + mix[..., None] * (second - first)
    cover = np.clip(0.5 - distance, 0, 1)[..., None]
    patch += cover * (colour - patch)


def _crop(canvas: np.ndarray, x: float, y: float) -> np.ndarray:
    """The frame whose corner is at (x, y), interpolated: cameras do not move by whole pixels."""
    left, top = int(x), int(y)
    fx, fy = np.float32(x - left), np.float32(y - top)
    rows = canvas[top : top + SIZE + 1, left : left + SIZE + 1]
    rows = rows[:-1] + fy * (rows[1:] - rows[:-1])
    return rows[:, :-1] + fx * (rows[:, 1:] - rows[:, :-1])
