"""Prediction on frames that are not part of a dataset: class, probability, boxes, map."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tcam_jax.predict.decision import LEAST_SCORE, Decision
from tcam_jax.predict.inputs import InputFrame, Inputs, frames_of
from tcam_jax.predict.neighbours import readings, with_neighbours
from tcam_jax.predict.prediction import Prediction
from tcam_jax.predict.smooth_boxes import with_smooth_boxes
from tcam_jax.predict.squares import room_for_squares, squares_of
from tcam_jax.predict.tracks import with_tracks
from tcam_jax.runtime.given import check_count
from tcam_jax.runtime.stopwatch import Stopwatch

_Computed = tuple[ArrayLike, ArrayLike]
# uint8 frames [b, size, size, 3], and where things move in them, float32 [b, g, g], if that is seen
# -> logits [b, k], uint8 maps [b, size, size].
Forward = Callable[..., _Computed]


_Output = tuple[InputFrame, np.ndarray, np.ndarray]  # of a frame: itself, logits [k], map


class Predictor:
    """A trained TCAM network, ready for frames of any size; `tcam_jax.load` makes one of a run.

        for prediction in model.stream(frames_of_a_video, smoothing=2):
            print(prediction.class_name, prediction.box)

    Args:
      forward: uint8 RGB frames `[b, size, size, 3]` -> (logits `[b, k]`, foreground maps, uint8
        `[b, size, size]`); called with 1 or `batch_size` frames only. If `sees_motion`, it takes
        float32 `[b, g, g]` of `data.optical_flow.motion_map` too.
      class_names: `[k]`.
      size: the square that frames are resized to, pixels.
      tau: threshold, share of a map's maximum; None: Otsu's threshold of each map.
      of_logits: the maps are of `evaluate.logit_map`; tau is then on their scale, 0..1, and the
        same logit for all maps.
      background: the class whose frames have no boxes; None: there is no such class.
      sees_motion: the maps count in what moves between a frame and its neighbours in its file;
        frames in memory are then those of one video, in their order. An image has no neighbours.
      batch_size: frames per forward pass.
      rule: each map's own threshold, in the place of tau: of `threshold_rules.MAP_RULES`.
      regions: "largest": one box a frame; "all": one for each connected region above the threshold.
      min_area: boxes of a smaller share of the frame, 0..1, are left out.
      min_probability: a frame whose class is less probable, 0..1, has no boxes.
      min_score: boxes with a lower score, 0..1, are left out: by default those of noise alone.
      class_name: report this class; None: the most probable one. The map, and so the boxes, are
        the same for all classes.

    Raises:
      InputError: an option is unknown or out of range.
    """

    def __init__(
        self,
        forward: Forward,
        class_names: Sequence[str],
        size: int,
        tau: float | None,
        of_logits: bool = False,
        background: str | None = None,
        sees_motion: bool = False,
        *,
        batch_size: int = 16,
        rule: str | None = None,
        regions: str = "largest",
        min_area: float = 0.0,
        min_probability: float = 0.0,
        min_score: float = LEAST_SCORE,
        class_name: str | None = None,
    ):
        check_count(batch_size, "batch_size", 1)
        self.class_names = tuple(class_names)
        self.size, self.tau, self.batch_size = size, tau, batch_size
        self._forward, self._sees_motion = forward, sees_motion
        self._decision = partial(
            Decision,
            class_names,
            of_logits=of_logits,
            background=background,
            regions=regions,
            min_area=min_area,
            min_probability=min_probability,
            min_score=min_score,
            class_name=class_name,
        )
        self._decide = self._decision(tau, rule=rule)

    def __call__(self, frames: Inputs, **options: Any) -> list[Prediction]:
        """Do as `predict`."""
        return self.predict(frames, **options)

    def predict(self, frames: Inputs, **options: Any) -> list[Prediction]:
        """Predict every frame.

            model.predict("holiday/*.jpg")

        Args:
          frames: one of these, or an iterable of them, mixed and nested: an array or tensor, RGB,
            uint8 `[h, w, 3]`, grey `[h, w]`, or a stack `[n, h, w, 3]`; a PIL image, in any mode,
            which is turned upright by its EXIF; the path of an image, a video or a folder that
            holds some at any depth; a glob; an open PyAV container; "camera:0". Sizes may differ.
          options: of `stream`: `stride`, `smoothing`, `track`, `smooth_boxes`.

        Returns:
          A `Prediction` for each frame; boxes in pixels of the frame, upright.

        Raises:
          InputError: a frame is none of these, or a path leads to no frame that can be read.
        """
        return list(self.stream(frames, **options))

    def at_threshold(self, prediction: Prediction, tau: float) -> Prediction:
        """Return what the same map says at another threshold; the network is not asked again.

        Args:
          prediction: one of this predictor's.
          tau: as of the predictor.

        Raises:
          InputError: `tau` is out of range.
        """
        seen = InputFrame(prediction.file, prediction.frame, prediction.time, prediction.image)
        return self._decision(tau)(seen, np.log(prediction.probabilities), prediction.map)

    def stream(
        self,
        frames: Inputs,
        smoothing: int = 0,
        stopwatch: Stopwatch | None = None,
        track: bool = False,
        smooth_boxes: int = 0,
        stride: int = 1,
    ) -> Iterator[Prediction]:
        """Like `predict`, for any number of frames.

        Two batches of frames are in memory: one is computed while the next is read. A network that
        sees motion reads two frames ahead, so that a camera's come later. An error of
        `frames` is raised after the predictions of all frames before it.

        Args:
          frames: as of `predict`.
          smoothing: each map becomes the mean of those of this many frames before and after it
            in its file; frames in memory are then those of one video, in their order.
          stopwatch: takes the seconds of "decode" (frames to come, to be resized, and their motion
            to be found), "forward"
            (the host waits for the network) and "boxes".
          track: number what each box follows through its video, see `tracks.with_tracks`; frames in
            memory are those of one video.
          smooth_boxes: each box becomes the mean of its track's in this many frames before and
            after, see `smooth_boxes.with_smooth_boxes`; boxes are then tracked.
          stride: of videos that are given by their names, every so many frames are taken.

        Raises:
          InputError: `smoothing` or `smooth_boxes` is negative, `stride` below 1, or as of
            `predict`.
        """
        for name, reach in (("smoothing", smoothing), ("smooth_boxes", smooth_boxes)):
            check_count(reach, name, 0)
        check_count(stride, "stride", 1)
        stopwatch = stopwatch or Stopwatch()
        # Neighbours are of the same reading of a file.
        all_outputs = self._outputs(frames_of(frames, stride), stopwatch)
        for outputs in readings(all_outputs, itemgetter(0)):
            predictions = self._decided(_smoothed(outputs, smoothing), stopwatch)
            if track or smooth_boxes:
                predictions = with_tracks(predictions)
            yield from with_smooth_boxes(predictions, smooth_boxes) if smooth_boxes else predictions

    def _decided(self, outputs: Iterator[_Output], stopwatch: Stopwatch) -> Iterator[Prediction]:
        for output in outputs:
            with stopwatch.of("boxes"):
                prediction = self._decide(*output)
            yield prediction

    def _outputs(self, frames: Iterator[InputFrame], stopwatch: Stopwatch) -> Iterator[_Output]:
        """Yield what the network says of each frame."""
        squares = squares_of(frames, self.size, self._sees_motion)
        running = None
        more, fault = True, None
        while more:
            read: list[InputFrame] = []
            with stopwatch.of("decode"):
                batch = room_for_squares(self.batch_size, self.size, self._sees_motion)
                while more and len(read) < self.batch_size:
                    try:
                        frame, *seen = next(squares)
                        for rows, row in zip(batch, seen, strict=True):
                            rows[len(read)] = row
                        read.append(frame)
                    except StopIteration:
                        more = False
                    except Exception as error:  # not before what came before it
                        more, fault = False, error
            with stopwatch.of("forward"):
                started = (read, self._start(batch, len(read), running is None)) if read else None
            yield from self._finish(running, stopwatch)
            running = started
        yield from self._finish(running, stopwatch)
        if fault is not None:
            raise fault

    def _start(self, batch: Sequence[np.ndarray], count: int, is_first: bool) -> list[_Computed]:
        # Each number of frames is a program, and compiling it takes longer than any padding does
        # (10 to 30 s on two cores), so there are two: for one frame and for a batch. There the
        # demo's network takes 35 ms for one frame and 390 for 16, so that up to half a batch is
        # best computed one by one. The rest after full batches is padded: their program is there.
        if is_first and count <= self.batch_size // 2:
            return [self._forward(*(rows[i : i + 1] for rows in batch)) for i in range(count)]
        return [self._forward(*batch)]

    @staticmethod
    def _finish(
        running: tuple[list[InputFrame], list[_Computed]] | None, stopwatch: Stopwatch
    ) -> Iterator[_Output]:
        if running is None:
            return
        read, computed = running
        with stopwatch.of("forward"):
            logits = np.concatenate([np.asarray(one[0], np.float64) for one in computed])
            maps = np.concatenate([np.asarray(one[1]) for one in computed])
        yield from zip(read, logits, maps, strict=False)


def _smoothed(outputs: Iterator[_Output], reach: int) -> Iterator[_Output]:
    """Replace each map by the mean over its neighbours, as far as there are any."""
    for near in with_neighbours(outputs, reach):
        centre = near[reach]
        assert centre is not None
        maps = [one[-1] for one in near if one is not None]
        frame, logits, _ = centre
        yield frame, logits, np.mean(maps, axis=0).astype(np.uint8)
