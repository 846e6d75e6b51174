"""The figures that select a checkpoint: exactly those of the whole evaluation."""

import jax
import numpy as np
import pytest

from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.corloc import TAUS_VALIDATION
from tcam_jax.evaluate.maps import FrameOutputs
from tcam_jax.evaluate.selection_scores import selection_corloc, selection_scores
from tcam_jax.evaluate.split import accuracy, judge, score_split

SIZE, CLASSES, COUNT = 24, 3, 13
RECORDS = np.arange(100, 100 + COUNT)


@pytest.fixture
def maps() -> np.ndarray:
    """A smooth rise, with noise and without, for each frame; two frames are constant."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    centres = rng.random((COUNT, 2, 1, 1))
    maps = 220 * np.exp(-((y - centres[:, 0]) ** 2 + (x - centres[:, 1]) ** 2) / 0.1)
    maps[::2] += rng.normal(0, 12, maps[::2].shape)
    maps[3], maps[4] = 0, 255
    return np.clip(maps, 0, 255).astype(np.uint8)


def truth_of(boxes) -> Truth:
    return Truth(
        records=RECORDS,
        ids=[f"a/v{i}/s/f.jpg" for i in range(COUNT)],
        labels=(np.arange(COUNT) % CLASSES).astype(np.int32),
        sizes=np.full((COUNT, 2), 2 * SIZE, np.int32),
        boxes=boxes,
    )


def boxes_on(maps, most: int):
    """0 to `most` boxes a frame, in pixels of frames of twice the size."""
    rng = np.random.default_rng(1)
    boxes = []
    for levels in maps:
        y, x = divmod(int(levels.argmax()), SIZE)
        count = rng.integers(0, most + 1)
        low = 2 * np.array([x, y]) - rng.integers(0, 20, (count, 2))
        boxes.append(np.concatenate([low, low + rng.integers(3, 40, (count, 2))], 1))
    return [of.astype(np.float32).reshape(-1, 4) for of in boxes]


def _forward(variables, frames, classes):
    """Frames are their own maps; every third frame is taken for another class."""
    logits = np.eye(CLASSES, dtype=np.float32)[(classes + (frames[:, 0, 0, 1] % 3 == 0)) % CLASSES]
    return FrameOutputs(logits, frames[None, ..., 0])


def _batches(maps, batch_size, rows=slice(None)):
    frames = np.repeat(maps[..., None], 3, -1)
    frames[..., 1] = np.arange(COUNT)[:, None, None]
    for first in range(0, COUNT, batch_size):
        numbers = np.arange(first, first + batch_size)
        shown = np.minimum(numbers, COUNT - 1)
        record = np.where(numbers < COUNT, RECORDS[shown], -1)
        yield {"frames": frames[shown][rows], "record": record[rows]}


def _scores(maps, truth, method, rows=slice(None)):
    batches = _batches(maps, 4, rows)
    return selection_scores(_forward, {}, batches, truth, method, lambda batch: batch)


@pytest.mark.parametrize("method", ["layercam", "tcam"])
@pytest.mark.parametrize("most", [0, 1, 3])
def test_figures_are_those_of_the_whole_evaluation(maps, method, most):
    truth = truth_of(boxes_on(maps, most))
    whole = score_split(
        _forward, {}, _batches(maps, 4), truth, (method,), lambda batch: batch, lambda x: x
    )
    scores = _scores(maps, truth, method)
    assert accuracy(scores, truth) == accuracy(whole, truth) < 100.0
    np.testing.assert_array_equal(scores.logits, whole.logits)
    np.testing.assert_allclose(scores.areas, [np.mean(levels / 255 >= 0.5) for levels in maps])
    judged = judge(whole, truth, method)
    if judged is None:
        assert most == 0 and selection_corloc(scores, truth) is None
    else:
        swept = judged.sweep(TAUS_VALIDATION)
        boxed = [len(boxes) > 0 for boxes in truth.boxes]
        np.testing.assert_array_equal(scores.hits[boxed], swept.hits)
        assert selection_corloc(scores, truth) == swept.frame_mean().max() > 0.0


def test_processes_add_up(maps):
    truth = truth_of(boxes_on(maps, 2))
    alone = _scores(maps, truth, "tcam")
    parts = [_scores(maps, truth, "tcam", slice(2 * i, 2 * i + 2)) for i in range(2)]
    jax.tree.map(np.testing.assert_array_equal, jax.tree.map(np.add, *parts), alone)
