"""A network over the labelled frames of a split: what it says of them, and how right it is."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import numpy as np

from tcam_jax.data.truth import Truth, video_of
from tcam_jax.evaluate.boxes import LEVELS, REGIONS, largest_box, otsu_level
from tcam_jax.evaluate.corloc import iou, overlaps_by_level, scale_boxes
from tcam_jax.evaluate.level_boxes import level_boxes
from tcam_jax.evaluate.logit_map import otsu_level_of_logits
from tcam_jax.evaluate.maps import OF_ALL_CLASSES, OF_LOGITS, FrameOutputs
from tcam_jax.evaluate.protocols import Judgement, ranks_of
from tcam_jax.evaluate.threshold_rules import THRESHOLD_RULES, Evidence
from tcam_jax.evaluate.walk import Batch, Job, Seen, walk
from tcam_jax.models.tcam import Variables

_Guide = tuple[np.ndarray, np.ndarray]  # a CAM and its frame


class MapAnswers(NamedTuple):
    """What one kind of map says of every frame of a `Truth`, and how right it is.

    Attributes:
      boxes: the largest region's box at each of the 256 levels, int32 `[frames, 256, 4]`.
      peaks: what tau is a share of, int32 `[frames]`: the map's largest value, 0..255; 255 for
        TCAM's map, whose scale is the same for all frames.
      levels: by rule (`evaluate.threshold_rules`), that of each map, 0..254, int32 `[frames]`;
        "otsu" alone for other maps than TCAM's, and without a guide.
      overlaps: for each of `REGIONS`, the best IoU with a true box at each level, float64
        `[frames, 256]`; NaN for a frame without true boxes.
      agreement: IoU of the box at each level with that of the guiding CAM's Otsu region, float64
        `[frames, 256]`; 0 for other maps than TCAM's, and without a guide.
    """

    boxes: np.ndarray
    peaks: np.ndarray
    levels: Mapping[str, np.ndarray]
    overlaps: Mapping[str, np.ndarray]
    agreement: np.ndarray


class SplitScores(NamedTuple):
    """A network's answers for every frame of a `Truth`.

    Attributes:
      logits: `[frames, k]`.
      maps: by (method, class_from), see `evaluate.protocols`.
      seconds_per_frame: forward pass alone, without its compilation, as `walk` times it; None for
        a single batch.
    """

    logits: np.ndarray
    maps: Mapping[tuple[str, str], MapAnswers]
    seconds_per_frame: float | None


def score_split(
    forward: Callable[..., FrameOutputs],
    variables: Variables,
    batches: Iterable[Batch],
    truth: Truth,
    methods: Sequence[str],
    shard: Callable[[Batch], Mapping[str, jax.Array]],
    all_reduce: Callable[[np.ndarray], np.ndarray],
    guided: bool = False,
) -> SplitScores:
    """Run `forward` (of `evaluate.maps.make_forward`, for `methods`) over `batches`.

    Args:
      forward: as made by `make_forward`.
      variables: on the devices that `shard` uses.
      batches: this process's {"frames": uint8 [b, s, s, 3], "record": int64 [b]}; padding has
        record -1, and every frame of `truth` comes once, in some process.
      truth: of all frames.
      methods: those of `forward`, but for its guide.
      shard: spreads a batch over the devices, see `runtime.parallel.Parallel.shard_flat`.
      all_reduce: adds up the arrays of all processes, see `runtime.processes.all_reduce_sum`.
      guided: `forward` has one method more, a CAM, and makes the predicted classes' maps too: the
        rules that need no boxes are asked for the levels of TCAM's map.

    CAMs are made for the true class, as the reference scores them, and for the predicted one if
    `forward` does so. Maps are judged on all cores that the process may use, beside the passes of
    the next batches.
    """
    logits: np.ndarray | None = None
    answers: dict[tuple[str, str], MapAnswers] = {}
    copies: list[Job] = []  # for when all is judged

    def jobs(seen: Seen) -> list[Job]:
        nonlocal logits
        if logits is None:
            logits = np.zeros((len(truth.labels), seen.logits.shape[-1]), seen.logits.dtype)
        logits[seen.indices] = seen.logits[seen.real]
        return _jobs(answers, copies, seen, methods, guided, truth)

    seconds, timed = walk(forward, variables, batches, truth, shard, jobs)
    for copy in copies:
        copy()
    assert logits is not None  # `walk` has seen a batch
    frames = int(all_reduce(np.array(timed)))  # the processes work at the same time
    return SplitScores(
        logits=all_reduce(logits),
        maps=jax.tree.map(all_reduce, answers),
        seconds_per_frame=seconds / frames if frames else None,
    )


def _sources(seen: Seen, methods: Sequence[str]) -> Iterator[tuple[tuple[str, str], np.ndarray]]:
    for class_from, maps in (("truth", seen.maps), ("prediction", seen.predicted_maps)):
        if maps is not None:
            for method, of_method in zip(methods, maps, strict=False):  # the guide is not judged
                if class_from == "truth" or method not in OF_ALL_CLASSES:
                    yield (method, class_from), of_method


def _no_answers(count: int) -> MapAnswers:
    return MapAnswers(
        boxes=np.zeros((count, 256, 4), np.int32),
        peaks=np.zeros(count, np.int32),
        levels={rule: np.zeros(count, np.int32) for rule in THRESHOLD_RULES},
        overlaps={regions: np.zeros((count, 256)) for regions in REGIONS},
        agreement=np.zeros((count, 256)),
    )


def _jobs(
    answers: dict[tuple[str, str], MapAnswers],
    copies: list[Job],
    seen: Seen,
    methods: Sequence[str],
    guided: bool,
    truth: Truth,
) -> list[Job]:
    """Return what judges the maps of a batch; `copies` get what is to be copied afterwards."""
    wrong = seen.logits[seen.real].argmax(-1) != truth.labels[seen.indices]
    guides = seen.predicted_maps[-1] if guided and seen.predicted_maps is not None else None
    to_judge: list[Job] = []
    # Each map has rows of its own in the answers, so that the threads do not meet.
    for source, maps in _sources(seen, methods):
        into = answers.setdefault(source, _no_answers(len(truth.labels)))
        same = answers[source[0], "truth"]  # as the predicted class's, where that is right
        for place, index, differs in zip(seen.real, seen.indices, wrong, strict=True):
            if source[1] == "truth" or differs:
                of_logits = source[0] in OF_LOGITS
                guide = None
                if guides is not None and of_logits:
                    guide = guides[place], seen.frames[place]
                to_judge.append(partial(_judge, into, index, maps[place], truth, of_logits, guide))
            else:
                copies.append(partial(_copy, into, same, index))
    return to_judge


def _judge(
    into: MapAnswers,
    index: int,
    u8: np.ndarray,
    truth: Truth,
    of_logits: bool,
    guide: _Guide | None,
) -> None:
    boxes = level_boxes(u8)
    into.boxes[index] = boxes.largest_boxes()
    into.peaks[index] = LEVELS - 1 if of_logits else u8.max()
    if guide is None:
        otsu = otsu_level_of_logits if of_logits else otsu_level
        into.levels["otsu"][index] = otsu(u8)
    else:
        cam, image = guide
        cam_box = largest_box(cam, None)
        seen = Evidence(u8, into.boxes[index], cam, cam_box, image)
        for name, rule in THRESHOLD_RULES.items():
            into.levels[name][index] = rule(seen)
        into.agreement[index] = iou(into.boxes[index], cam_box[None])[:, 0]
    true_boxes = scaled_truth(truth, index, len(u8))
    unknown = dict.fromkeys(REGIONS, np.nan)
    overlaps = overlaps_by_level(boxes, true_boxes) if len(true_boxes) else unknown
    for name, row in overlaps.items():
        into.overlaps[name][index] = row


def _copy(into: MapAnswers, source: MapAnswers, index: int) -> None:
    for target, values in zip(jax.tree.leaves(into), jax.tree.leaves(source), strict=True):
        target[index] = values[index]


@runtime_checkable
class _Classified(Protocol):
    @property
    def logits(self) -> np.ndarray:
        """`[frames, k]`."""


def accuracy(scores: _Classified, truth: Truth) -> float:
    """Return the classification accuracy, percent of frames."""
    return 100.0 * float((scores.logits.argmax(-1) == truth.labels).mean())


def judge(
    scores: SplitScores, truth: Truth, method: str, class_from: str = "truth"
) -> Judgement | None:
    """Return what the protocols need of one kind of map; None where no frame has a true box."""
    boxed = np.array([len(true_boxes) > 0 for true_boxes in truth.boxes], bool)
    if not boxed.any():
        return None
    # TCAM's map is that of all classes.
    answers = scores.maps[method, "truth" if method in OF_ALL_CLASSES else class_from]
    return Judgement(
        overlaps={name: rows[boxed] for name, rows in answers.overlaps.items()},
        peaks=answers.peaks[boxed],
        levels={rule: levels[boxed] for rule, levels in answers.levels.items()},
        labels=truth.labels[boxed],
        ranks=ranks_of(scores.logits, truth.labels)[boxed],
        videos=video_of(truth.ids)[boxed],
    )


def scaled_truth(truth: Truth, index: int, size: int) -> np.ndarray:
    """Return the true boxes `[g, 4]` of one frame in pixels of the `size` x `size` evaluation."""
    width, height = truth.sizes[index]
    return scale_boxes(truth.boxes[index], int(width), int(height), size)
