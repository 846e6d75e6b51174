"""Drawing the script of a `moving_photos` shot by lot.

A video shows one object: a cut-out of its class, with its own tint. Its shots are in one of two
places.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tcam_jax.data.builders.moving_photos.script import (
    FRAME,
    HEIGHT,
    SPLITS,
    WIDTH,
    Level,
    Occluder,
    Scene,
    Sprite,
    Which,
)
from tcam_jax.data.builders.moving_photos.sources import Sources


def sample_scene(
    which: Which, level: Level, sources: Sources, shape_of: Callable[[Path], tuple[int, int]]
) -> Scene:
    """Draw the script of one shot: a pure function of its arguments.

    Args:
        which: the shot; its class and video choose the cut-out.
        level: a value of `LEVELS`.
        sources: the files of the split.
        shape_of: height and width of a cut-out, pixels.
    """
    looks, rng = which.video_stream(), which.stream(0)
    files = sources.cutouts[which.class_id]
    tint = _tint(looks)
    places = [sources.backgrounds[i] for i in looks.integers(len(sources.backgrounds), size=2)]
    size = SPLITS[which.split]
    absent = looks.random() < level.absent and which.split == "train" and size.shots > 1
    missing = int(looks.integers(size.shots)) if absent else -1

    t = size.frames
    scale = np.sqrt(WIDTH * HEIGHT) * rng.uniform(*level.sizes)
    sprites: list[Sprite] = []

    def add(file: Path, tint: np.ndarray, scale: float, of_class: bool) -> Sprite:
        outside = level.outside if of_class else 0.4
        sprite = _sprite(rng, t, file, shape_of(file), tint, scale, level.speed, outside, of_class)
        sprites.append(sprite)
        return sprite

    clutter = int(rng.choice(3, p=level.clutter))
    in_front = int(rng.binomial(clutter, 0.3))
    others = [file for k, of in enumerate(sources.cutouts) if k != which.class_id for file in of]

    def add_clutter(number: int) -> None:
        for _ in range(number):
            file = others[rng.integers(len(others))]
            add(file, _tint(rng), scale * rng.uniform(*level.clutter_sizes), False)

    add_clutter(clutter - in_front)
    occluder = None
    if which.shot != missing:
        if rng.random() < level.second:
            second = files[rng.integers(len(files))]
            add(second, _tint(rng), scale * rng.uniform(0.5, 0.9), True)
        # In turn: every cut-out is in about as many videos.
        main = add(files[which.video % len(files)], tint, scale, True)
        if rng.random() < level.occluded:
            occluder = _occluder(rng, sources.backgrounds, main, level.speed)
    add_clutter(in_front)

    blurred = rng.random(t) < level.blurred
    return Scene(
        background=places[int(rng.integers(2))],
        first_frame=rng.random(),
        camera=_camera(rng, t, level.speed),
        sprites=tuple(sprites),
        occluder=occluder,
        light=_light(rng, t),
        focus=blurred * rng.uniform(0.6, 1.6, t),
        shutter=rng.uniform(0, 0.6),
        noise=rng.uniform(1, 5),
    )


def _tint(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(0.8, 1.15) * rng.uniform(0.94, 1.06, 3)


def _sprite(
    rng: np.random.Generator,
    t: int,
    file: Path,
    shape: tuple[int, int],
    tint: np.ndarray,
    scale: float,
    speed: float,
    outside: float,
    of_class: bool,
) -> Sprite:
    time = np.arange(t) - (t - 1) / 2
    unit = np.array(shape[::-1]) / np.sqrt(shape[0] * shape[1])  # width and height at size 1
    growth = np.exp(speed * rng.uniform(-0.02, 0.02) * time)
    # Never longer than the frame, whatever its shape.
    scale = min(scale, (0.96 * FRAME / unit).min() / growth.max())
    sizes = scale * growth
    sway, phase = speed * rng.uniform(0, 0.05), rng.uniform(0, 2 * np.pi)
    gait = np.sin(phase + rng.uniform(0.4, 1.4) * time)
    heading = rng.normal(0, 0.4) + np.pi * rng.integers(2)  # mostly sideways
    step = speed * rng.uniform(0, 4) * np.array([np.cos(heading), np.sin(heading)])
    inside = (0.5 - outside) * unit * sizes[:, None]
    # No faster than the frame has room for.
    room = np.maximum(FRAME - 1 - 2 * inside.max(axis=0), 0) / max(t - 1, 1)
    path = time[:, None] * np.clip(step, -room, room)
    path[:, 1] += rng.uniform(0, 0.02) * scale * gait
    low, high = (inside - path).max(axis=0), (FRAME - 1 - inside - path).min(axis=0)
    return Sprite(
        file=file,
        flipped=bool(rng.integers(2)),
        tint=tint,
        centres=path + rng.uniform(np.minimum(low, high), np.maximum(low, high)),
        sizes=sizes,
        angles=np.deg2rad(rng.uniform(-10, 10) + speed * rng.uniform(-0.6, 0.6) * time),
        shears=sway * gait,
        shadow=rng.uniform(0.15, 0.45) if rng.random() < 0.6 else 0.0,
        of_class=of_class,
    )


def _camera(rng: np.random.Generator, t: int, speed: float) -> np.ndarray:
    time = np.arange(t) - (t - 1) / 2
    pan = rng.uniform(0.1, 0.9, 2) + speed * rng.uniform(-0.03, 0.03, 2) * time[:, None]
    pan += speed * rng.normal(0, 0.006, (t, 2))  # held by hand
    view = rng.uniform(0.45, 0.9) * np.exp(speed * rng.uniform(-0.012, 0.012) * time)
    tilt = np.deg2rad(rng.uniform(-3, 3) + speed * rng.uniform(-0.3, 0.3) * time)
    return np.column_stack([np.clip(pan, 0, 1), np.clip(view, 0.3, 1), tilt])


def _light(rng: np.random.Generator, t: int) -> np.ndarray:
    swing = 1 + 0.06 * np.sin(rng.uniform(0, 2 * np.pi) + rng.uniform(0.2, 0.8) * np.arange(t))
    return swing[:, None] * rng.uniform(0.85, 1.1) * rng.uniform(0.95, 1.05, 3)


def _occluder(
    rng: np.random.Generator, backgrounds: Sequence[Path], main: Sprite, speed: float
) -> Occluder:
    t, size = len(main.sizes), float(main.sizes.mean())
    corners = np.arange(24) / 24 * 2 * np.pi
    outline = 1 + sum(
        rng.uniform(0, 0.5) / k * np.sin(k * corners + rng.uniform(0, 2 * np.pi))
        for k in range(1, 5)
    )
    heading = rng.uniform(0, 2 * np.pi)
    step = speed * rng.uniform(0.5, 5) * np.array([np.cos(heading), np.sin(heading)])
    # In the middle of the shot it is before the object.
    offset = rng.uniform(-0.45, 0.45, 2) * size
    return Occluder(
        file=backgrounds[rng.integers(len(backgrounds))],
        outline=outline * rng.uniform(0.15, 0.3) * size,
        centres=main.centres + offset + (np.arange(t) - (t - 1) / 2)[:, None] * step,
        blur=rng.uniform(0.7, 1.8),
    )
