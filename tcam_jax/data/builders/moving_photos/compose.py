"""The frames of a `moving_photos` shot, composed from its script, and where objects are seen."""

from typing import NamedTuple

import cv2
import numpy as np

from tcam_jax.data.builders.moving_photos.layers import Background, OccluderPainter, SpritePainter
from tcam_jax.data.builders.moving_photos.pictures import read_cutout
from tcam_jax.data.builders.moving_photos.scene import sample_scene
from tcam_jax.data.builders.moving_photos.script import HEIGHT, WIDTH, Level, Scene, Which
from tcam_jax.data.builders.moving_photos.sources import Sources

# An object of which less is seen, of what the frame would show were nothing before it, is not
# annotated.
LEAST_SEEN = 0.2


class Seen(NamedTuple):
    """Where one object of the video's class is seen in a frame.

    Attributes:
        mask: bool [180, 240], the pixels of which it makes at least half, after everything that is
            nearer; none where less than `LEAST_SEEN` of it is seen.
        share: seen of its pixels in the frame, 0..1.
    """

    mask: np.ndarray
    share: float

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """First and last column and row of the mask (x0, y0, x1, y1, inside); None: no pixel."""
        if not self.mask.any():
            return None
        x0, x1 = np.flatnonzero(self.mask.any(axis=0))[[0, -1]].tolist()
        y0, y1 = np.flatnonzero(self.mask.any(axis=1))[[0, -1]].tolist()
        return float(x0), float(y0), float(x1), float(y1)


class Composer:
    """One shot: a pure function of the arguments, and of the files.

    Args:
        which: names the shot.
        level: how difficult it is.
        sources: the files of its split.

    Raises:
        InputError: a file that cannot be used.
    """

    def __init__(self, which: Which, level: Level, sources: Sources):
        scene = sample_scene(which, level, sources, lambda file: read_cutout(file).shape[:2])
        self.scene: Scene = scene
        self._sensor = which.stream(1)
        self._sprites = [SpritePainter(sprite) for sprite in scene.sprites]
        self._occluder = OccluderPainter(scene.occluder) if scene.occluder else None
        self._background = Background(scene)

    @property
    def shows_object(self) -> bool:
        """Whether an object of the class is in the shot."""
        return any(sprite.of_class for sprite in self.scene.sprites)

    def frames(self) -> list[np.ndarray]:
        """The frames in order, uint8 [180, 240, 3], RGB. To be called once: the noise goes on."""
        return [self._frame(index) for index in range(len(self.scene.camera))]

    def seen(self, index: int) -> list[Seen]:
        """Where the objects of the class are seen in one frame, the nearest first."""
        free = np.ones((HEIGHT, WIDTH), np.float32)  # of what is nearer
        if self._occluder:
            free = 1 - self._occluder.layer(index)[..., 3]
        found = []
        for painter in reversed(self._sprites):
            alpha = painter.layer(index, self.scene.shutter)[..., 3]
            if painter.sprite.of_class:
                mask, whole = alpha * free >= 0.5, int((alpha >= 0.5).sum())
                share = int(mask.sum()) / max(whole, 1)
                found.append(Seen(mask & (share >= LEAST_SEEN), share))
            free = free * (1 - alpha)
        return found

    def _frame(self, index: int) -> np.ndarray:
        scene = self.scene
        frame = self._background.frame(index, scene.shutter)
        brightness = float(frame.mean())
        for painter in self._sprites:
            layer = painter.layer(index, scene.shutter, brightness)
            painter.shade(frame, layer, index)
            frame = layer[..., :3] + (1 - layer[..., 3:]) * frame
        if self._occluder:
            layer = self._occluder.layer(index)
            frame = layer[..., :3] + (1 - layer[..., 3:]) * frame
        if scene.focus[index]:
            frame = cv2.GaussianBlur(frame, (0, 0), float(scene.focus[index]))
        frame = 255 * frame * scene.light[index].astype(np.float32)
        frame += np.float32(scene.noise) * self._sensor.standard_normal(frame.shape, np.float32)
        return np.clip(np.rint(frame), 0, 255).astype(np.uint8)
