"""Prediction on frames that are not part of a dataset: class, probability, box, map."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from tcam_jax.errors import InputError
from tcam_jax.evaluate.boxes import largest_box
from tcam_jax.evaluate.maps import PREDICTED, TCAM_METHOD, make_forward
from tcam_jax.models.tcam import TCAM, Variables


class Prediction(NamedTuple):
    """What TCAM says of one frame.

    Attributes:
      class_index, class_name: the most probable class.
      probability: its probability, 0..1.
      box: x0, y0, x1, y1 in pixels of the frame as given.
      score: mean foreground probability inside the box, 0..1.
      map: foreground map, uint8 `[s, s]`, floor(255 * probability), at the network's size.
    """

    class_index: int
    class_name: str
    probability: float
    box: tuple[float, float, float, float]
    score: float
    map: np.ndarray


class Predictor:
    """A trained TCAM network, ready for frames of any size.

    Args:
      model, variables: the network and all its variables.
      class_names: `[k]`.
      size: the square that frames are resized to, pixels.
      tau: threshold, share of a map's maximum; None: Otsu's threshold of each map.
      batch_size: frames per forward pass.
    """

    def __init__(
        self,
        model: TCAM,
        variables: Variables,
        class_names: Sequence[str],
        size: int,
        tau: float | None,
        batch_size: int = 16,
    ):
        self.class_names = tuple(class_names)
        self.size, self.tau = size, tau
        self._variables, self._batch_size = variables, batch_size
        self._forward = make_forward(model, (TCAM_METHOD,))

    def predict(self, frames: Sequence[np.ndarray]) -> list[Prediction]:
        """Predict every frame: RGB, uint8 `[h, w, 3]`, sizes may differ.

        Raises:
          InputError: a frame is not uint8 `[h, w, 3]`.
        """
        return list(self.stream(frames))

    def stream(self, frames: Iterable[np.ndarray]) -> Iterator[Prediction]:
        """Like `predict`, one batch at a time, so that few frames are in memory."""
        batch: list[np.ndarray] = []
        for frame in frames:
            batch.append(frame)
            if len(batch) == self._batch_size:
                yield from self._predict_batch(batch)
                batch = []
        if batch:
            yield from self._predict_batch(batch)

    def _predict_batch(self, frames: Sequence[np.ndarray]) -> Iterator[Prediction]:
        # Padded to one batch size: another shape would compile another program.
        resized = np.zeros((self._batch_size, self.size, self.size, 3), np.uint8)
        for i, frame in enumerate(frames):
            frame = np.asarray(frame)
            if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
                raise InputError(
                    f"a frame must be RGB, uint8 [h, w, 3]; got {frame.dtype} {frame.shape}. "
                    "Convert it first, for instance with PIL's `Image.convert('RGB')`."
                )
            square = (self.size, self.size)
            resized[i] = Image.fromarray(frame).resize(square, Image.Resampling.BILINEAR)
        classes = np.full(self._batch_size, PREDICTED, np.int32)
        outputs = self._forward(self._variables, resized, classes)
        logits, maps = np.asarray(outputs.logits, np.float64), np.asarray(outputs.maps[0])
        for frame, row, u8 in zip(frames, logits, maps, strict=False):
            yield self._one(frame, row, u8)

    def _one(self, frame: np.ndarray, logits: np.ndarray, u8: np.ndarray) -> Prediction:
        probabilities = np.exp(logits - logits.max())
        probabilities /= probabilities.sum()
        index = int(probabilities.argmax())
        x0, y0, x1, y1 = (int(v) for v in largest_box(u8, self.tau))
        scale_x, scale_y = frame.shape[1] / self.size, frame.shape[0] / self.size
        return Prediction(
            class_index=index,
            class_name=self.class_names[index],
            probability=float(probabilities[index]),
            box=(x0 * scale_x, y0 * scale_y, x1 * scale_x, y1 * scale_y),
            score=float(u8[y0 : y1 + 1, x0 : x1 + 1].mean() / 255),
            map=u8,
        )
