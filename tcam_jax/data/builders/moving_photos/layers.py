"""What a `moving_photos` frame consists of: background, objects, what passes before them."""

import math

import cv2
import numpy as np

from tcam_jax.data.builders.moving_photos.pictures import read_background, read_cutout, shrink
from tcam_jax.data.builders.moving_photos.script import HEIGHT, WIDTH, Occluder, Scene, Sprite


class Background:
    """What the camera sees of a photo or video, without objects."""

    def __init__(self, scene: Scene):
        self._frames = read_background(scene.background)
        height, width = self._frames.shape[1:3]
        self._fit = min(width / WIDTH, height / HEIGHT)  # of the largest view, per frame's pixel
        factor = 1 / (self._fit * scene.camera[:, 2].max())  # then no view needs averaging
        self._factor = min(factor, 1.0)
        self._first = round(scene.first_frame * max(len(self._frames) - len(scene.camera), 0))
        self._camera = scene.camera
        self._shrunk: dict[int, np.ndarray] = {}

    def frame(self, index: int, shutter: float) -> np.ndarray:
        """Float32 [h, w, 3] in 0..1."""
        number = self._first + index
        around, inside = divmod(number, len(self._frames))
        # A video that is too short runs back again.
        number = inside if around % 2 == 0 else len(self._frames) - 1 - inside
        if number not in self._shrunk:
            picture = shrink(self._frames[number], self._factor)
            self._shrunk[number] = picture.astype(np.float32) / 255
        picture = self._shrunk[number]
        matrix = self._matrix(index, picture)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        seen = cv2.warpAffine(
            picture, matrix, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REFLECT
        )
        before = self._matrix(max(index - 1, 0), picture)
        middle = np.array([WIDTH / 2, HEIGHT / 2, 1])
        return _smear(seen, shutter * (matrix - before) @ middle / np.hypot(*matrix[0, :2]))

    def _matrix(self, index: int, picture: np.ndarray) -> np.ndarray:
        """From places in the frame to places in the picture."""
        x, y, view, angle = self._camera[index]
        height, width = picture.shape[:2]
        scale = min(width / WIDTH, height / HEIGHT) * view
        half = np.array([WIDTH - 1, HEIGHT - 1]) / 2
        room = np.array([width, height]) - scale * np.array([WIDTH, HEIGHT])
        centre = np.array([x, y]) * room + scale * np.array([WIDTH, HEIGHT]) / 2 - 0.5
        turn = scale * _rotation(angle)
        return np.column_stack([turn, centre - turn @ half])


class SpritePainter:
    """The layers of one cut-out, shrunk once for all frames of the shot."""

    def __init__(self, sprite: Sprite):
        self.sprite = sprite
        cutout = read_cutout(sprite.file)
        cutout = cutout[:, ::-1] if sprite.flipped else cutout
        size = math.sqrt(cutout.shape[0] * cutout.shape[1])
        self._cutout = shrink(cutout, sprite.sizes.max() / size)
        self._size = math.sqrt(self._cutout.shape[0] * self._cutout.shape[1])
        self._mean = float(cutout[..., :3].sum() / max(3 * cutout[..., 3].sum(), 1))

    def layer(self, index: int, shutter: float, brightness: float = 0.5) -> np.ndarray:
        """Float32 [h, w, 4], colours multiplied by alpha, a little adapted to the background.

        `brightness`: the mean of the background, 0..1; alpha does not depend on it.
        """
        sprite = self.sprite
        turn = _rotation(sprite.angles[index]) @ np.array([[1, sprite.shears[index]], [0, 1]])
        turn *= sprite.sizes[index] / self._size
        half = (np.array(self._cutout.shape[1::-1]) - 1) / 2
        matrix = np.column_stack([turn, sprite.centres[index] - turn @ half])
        layer = cv2.warpAffine(self._cutout, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        moved = sprite.centres[index] - sprite.centres[max(index - 1, 0)]
        layer = _smear(layer, shutter * moved)
        adapted = np.clip((brightness / max(self._mean, 0.05)) ** 0.25, 0.75, 1.3)
        gain = np.append(sprite.tint * adapted, 1).astype(np.float32)
        return np.minimum(layer * gain, layer[..., 3:])

    def shade(self, frame: np.ndarray, layer: np.ndarray, index: int) -> None:
        """Darken what lies right of and below the object."""
        if not self.sprite.shadow:
            return
        size = float(self.sprite.sizes[index])
        dark = cv2.resize(layer[..., 3], (WIDTH // 4, HEIGHT // 4), interpolation=cv2.INTER_AREA)
        dark = cv2.GaussianBlur(dark, (0, 0), max(0.06 * size / 4, 0.5))
        shift = np.float32([[4, 0, 0.03 * size], [0, 4, 0.06 * size]])
        dark = cv2.warpAffine(dark, shift, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        frame *= 1 - np.float32(self.sprite.shadow) * dark[..., None]


class OccluderPainter:
    """The layers of what passes before everything."""

    def __init__(self, occluder: Occluder):
        self._occluder = occluder
        picture = read_background(occluder.file)[0]
        self._texture = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA) / 255
        self._texture = self._texture.astype(np.float32)

    def layer(self, index: int) -> np.ndarray:
        """Float32 [h, w, 4], colours multiplied by alpha."""
        occluder = self._occluder
        around = np.arange(len(occluder.outline)) / len(occluder.outline) * 2 * np.pi
        corners = occluder.centres[index] + occluder.outline[:, None] * np.column_stack(
            [np.cos(around), np.sin(around)]
        )
        alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.fillPoly(alpha, [np.rint(corners).astype(np.int32)], 255)
        alpha = cv2.GaussianBlur(alpha.astype(np.float32) / 255, (0, 0), occluder.blur)
        corner = occluder.centres[index] - np.array([WIDTH, HEIGHT]) / 2  # its middle moves along
        shift = np.float32([[1, 0, corner[0]], [0, 1, corner[1]]])
        texture = cv2.warpAffine(
            self._texture, shift, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT
        )
        texture = cv2.GaussianBlur(texture, (0, 0), occluder.blur)
        return np.concatenate([texture * alpha[..., None], alpha[..., None]], axis=2)


def _smear(image: np.ndarray, way: np.ndarray) -> np.ndarray:
    """The image as it is while it moves by `way` (x, y), pixels."""
    length = float(np.hypot(*way))
    if length < 0.8:
        return image
    reach = math.ceil(length / 2) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for part in np.linspace(-0.5, 0.5, 4 * reach + 1):
        x, y = reach + part * way[0], reach + part * way[1]
        column, row = int(x), int(y)
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
            weight = (1 - abs(x - column - dx)) * (1 - abs(y - row - dy))
            kernel[row + dy, column + dx] += weight
    return cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)


def _rotation(angle: float) -> np.ndarray:
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
