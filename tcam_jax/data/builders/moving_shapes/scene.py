"""The script of a `moving_shapes` shot: who is in it, where, and what shows in which frame.

An object is a large body, whose outline and colour say nothing about its class, and three small
parts, whose saturated colour and pattern are its class. Parts show and hide from frame to frame, so
a classifier needs only what shows now, while the object is the whole body: the weakness of class
activation maps, and the help of neighbouring frames, that TCAM is about (paper, section 1).

Lengths with a name in `_px` or a stated unit of pixels are pixels of the 128 x 128 frame; lengths
"in body lengths" are fractions of the body's longer dimension. Pixel centres have integer
coordinates. Colours are RGB in 0..1.
"""

from typing import NamedTuple

import numpy as np

from tcam_jax.data.builders.sources import SplitSize

SIZE = 128
CLASS_NAMES: tuple[str, ...] = (
    "auk", "barge", "crab", "drone", "eel", "ferry", "gecko", "heron", "ibex", "jeep",
)  # fmt: skip
PARTS = 3
# One hue a class, spaced as the eye and RGB tell them apart.
PART_HUES = (0.0, 0.085, 0.16, 0.24, 0.34, 0.47, 0.56, 0.66, 0.77, 0.88)

# Chances a frame that a showing part hides and that a hidden one shows. With the rule that one part
# always shows, 0.4 of the parts show in a frame and 0.65 in the union of two neighbours (tested).
HIDE, SHOW = 0.62, 0.27


SPLITS: dict[str, SplitSize] = {
    "train": SplitSize(videos=40, shots=2, frames=4),
    "validation": SplitSize(videos=5, shots=2, frames=3),
    "test": SplitSize(videos=12, shots=2, frames=3),
}


class Video(NamedTuple):
    """What the shots of a video share: the place, and the looks of the object."""

    palette: np.ndarray  # [3, 3] background colours
    body_colour: np.ndarray  # [3]
    outline: int  # 0 ellipse, 1 rounded box, 2 bean
    thickness: float  # shorter dimension of the body, in body lengths
    bend: float  # curvature of the bean, per body length; 0 for the others
    anchors: np.ndarray  # [3, 2] part centres (along, across the body; front and down > 0)
    radii: np.ndarray  # [3] part radii, in body lengths


class Occluder(NamedTuple):
    """A small ellipse that passes before the object."""

    centres: np.ndarray  # [t, 2] (x, y), pixels
    semi_axes: np.ndarray  # [2] pixels
    colour: np.ndarray  # [3]


class Scene(NamedTuple):
    """One shot, ready to be drawn."""

    class_id: int
    video: Video
    facing: int  # +1 the front is to the right, -1 to the left
    centres: np.ndarray  # [t, 2] body centre (x, y), pixels
    lengths: np.ndarray  # [t] body length, pixels
    angles: np.ndarray  # [t] radians
    visible: np.ndarray  # [t, 3] bool, the parts that show
    camera: np.ndarray  # [t, 2] (x, y) of the frame's corner in the canvas, pixels, >= 0
    light: np.ndarray  # [t, 3] gain of each colour channel
    blurred: np.ndarray  # [t] bool
    occluder: Occluder | None


def stream(
    seed: int, split: str, class_id: int, video: int, shot: int | None, use: int
) -> np.random.Generator:
    """Random generator of one use (0 script, 1 canvas, 2 sensor) of a shot, or of a whole video.

    Separate streams keep, say, the canvas as it is when the script draws a number more. With
    `shot=None` the stream is the video's own.

    Raises:
        ValueError: if an argument names nothing that the data set has.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {sorted(SPLITS)}, got {split!r}")
    size = SPLITS[split]
    limits = {"class_id": (class_id, len(CLASS_NAMES)), "video": (video, size.videos)}
    if shot is not None:
        limits["shot"] = (shot, size.shots)
    for name, (value, limit) in limits.items():
        if not 0 <= value < limit:
            raise ValueError(f"{name} must be in 0..{limit - 1} in split {split!r}, got {value}")
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, got {seed}")
    scope = 0 if shot is None else 1 + shot
    return np.random.default_rng([seed, list(SPLITS).index(split), class_id, video, scope, use])


def sample_scene(seed: int, split: str, class_id: int, video: int, shot: int) -> Scene:
    """Draw the script of one shot: a pure function of its arguments.

    Raises:
        ValueError: if an argument names nothing that the data set has.
    """
    rng = stream(seed, split, class_id, video, shot, use=0)
    looks = _sample_video(stream(seed, split, class_id, video, None, use=0), class_id)
    t = SPLITS[split].frames
    time = np.arange(t) - (t - 1) / 2

    lengths = SIZE * rng.uniform(0.4, 0.67) * np.exp(rng.uniform(-0.015, 0.015) * time)
    angles = np.deg2rad(rng.uniform(-40, 40) + rng.uniform(-2.5, 2.5) * time)
    heading = rng.uniform(0, 2 * np.pi)
    step = rng.uniform(0.5, 2.5) * np.array([np.cos(heading), np.sin(heading)])
    bob = rng.uniform(0, 1.0) * np.sin(rng.uniform(0, 2 * np.pi) + 1.7 * time)
    path = time[:, None] * step + bob[:, None] * np.array([0.0, 1.0])
    centres = path + _place(rng, looks, lengths, angles, path)

    pan = rng.uniform(-3, 3, 2) * time[:, None] + rng.uniform(-0.7, 0.7, (t, 2))
    return Scene(
        class_id=class_id,
        video=looks,
        facing=int(rng.choice([-1, 1])),
        centres=centres,
        lengths=lengths,
        angles=angles,
        visible=_sample_visibility(rng, t),
        camera=pan - pan.min(axis=0),
        light=_sample_light(rng, t),
        blurred=rng.random(t) < 0.2,
        occluder=_sample_occluder(rng, lengths, centres) if rng.random() < 0.3 else None,
    )


def hsv_to_rgb(hue, saturation, value) -> np.ndarray:
    """Colours [..., 3] in 0..1 from hue (any real, period 1), saturation and value in 0..1."""
    hue, saturation, value = np.broadcast_arrays(hue, saturation, value)
    position = (np.array([5.0, 3.0, 1.0]) + 6 * hue[..., None]) % 6
    ramp = np.clip(np.minimum(position, 4 - position), 0, 1)
    return value[..., None] * (1 - saturation[..., None] * ramp)


def _sample_video(rng: np.random.Generator, class_id: int) -> Video:
    # Muted, like all clutter: only parts are saturated. Backgrounds go from dark to bright, bodies
    # lie between: brightness alone, which excites even an untrained network, finds no body.
    values = np.array([rng.uniform(0.05, 0.25), rng.uniform(0.8, 1.0), rng.uniform(0.1, 0.9)])
    palette = hsv_to_rgb(rng.random(3), rng.uniform(0.05, 0.3, 3), rng.permutation(values))
    # Any muted middle will do for a body, as long as it can be told from every background colour.
    candidates = hsv_to_rgb(rng.random(32), rng.uniform(0.0, 0.25, 32), rng.uniform(0.4, 0.65, 32))
    distance = np.linalg.norm(candidates[:, None] - palette, axis=-1).min(axis=1)
    body_colour = candidates[np.argmax(distance >= min(0.4, distance.max()))]

    outline = int(rng.integers(3))
    thickness = rng.uniform(0.5, 0.66) if outline < 2 else rng.uniform(0.4, 0.5)
    bend = rng.uniform(0.5, 0.8) * rng.choice([-1, 1]) if outline == 2 else 0.0
    # A class wears its third part on its back or under its belly.
    side = 1 if class_id % 4 < 2 else -1
    anchors = np.array([[0.41, 0.0], [-0.41, 0.0], [0.0, side * (thickness / 2 - 0.07)]])
    anchors += rng.uniform(-0.025, 0.025, (PARTS, 2))
    anchors[:, 1] += body_axis(anchors[:, 0], bend)
    return Video(
        palette, body_colour, outline, thickness, bend, anchors, rng.uniform(0.14, 0.16, PARTS)
    )


def body_axis(along, bend):
    """Where, across the body, its bent axis runs at the place `along` it; in body lengths."""
    return bend * (along**2 - 1 / 12)


def _sample_visibility(rng: np.random.Generator, t: int) -> np.ndarray:
    """Two-state Markov chain of each part; when all would hide, one hidden before shows."""
    now = rng.random(PARTS) < SHOW / (SHOW + HIDE)
    if not now.any():
        now[rng.integers(PARTS)] = True
    rows = [now]
    for _ in range(t - 1):
        draw = rng.random(PARTS)
        after = np.where(now, draw >= HIDE, draw < SHOW)
        if not after.any():
            hidden = np.flatnonzero(~now) if not now.all() else np.arange(PARTS)
            after[rng.choice(hidden)] = True
        rows.append(after)
        now = after
    return np.stack(rows)


def _place(rng, looks: Video, lengths, angles, path) -> np.ndarray:
    """A shift of the path, uniform where the border cuts off at most a small strip of the body."""
    along, across = np.abs(np.cos(angles)), np.abs(np.sin(angles))
    thick = looks.thickness + abs(looks.bend) / 6
    half = (
        lengths[:, None]
        / 2
        * np.sqrt(
            np.stack([along**2 + (thick * across) ** 2, across**2 + (thick * along) ** 2], axis=-1)
        )
    )
    inside = 0.85 * half
    low, high = (inside - path).max(axis=0), (SIZE - 1 - inside - path).min(axis=0)
    return rng.uniform(low, high)


def _sample_light(rng: np.random.Generator, t: int) -> np.ndarray:
    tint = rng.uniform(0.94, 1.06, 3)
    swing = 1 + 0.15 * np.sin(rng.uniform(0, 2 * np.pi) + rng.uniform(0.3, 1.2) * np.arange(t))
    return swing[:, None] * tint


def _sample_occluder(rng, lengths, centres) -> Occluder:
    # Shorter than a part is wide, so that it never hides one altogether.
    t, length = len(lengths), lengths.mean()
    heading, speed = rng.uniform(0, 2 * np.pi), rng.uniform(0.08, 0.2) * length
    step = speed * np.array([np.cos(heading), np.sin(heading)])
    start = centres.mean(axis=0) + rng.uniform(-0.3, 0.3, 2) * length
    return Occluder(
        centres=start + (np.arange(t) - (t - 1) / 2)[:, None] * step,
        semi_axes=length * np.array([rng.uniform(0.07, 0.09), rng.uniform(0.04, 0.06)]),
        colour=hsv_to_rgb(rng.random(), rng.uniform(0, 0.2), rng.uniform(0.1, 0.9)),
    )
