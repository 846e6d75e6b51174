"""Frames shared out over processes, in padded batches: the same answers as all of them in one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tcam_jax.data.truth import Truth
from tcam_jax.evaluate import split, walk
from tcam_jax.evaluate.maps import FrameOutputs
from tcam_jax.evaluate.split import accuracy, score_split

SIZE, CLASSES = 8, 3


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (11, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture
def truth() -> Truth:
    return Truth(
        records=np.arange(100, 111),  # a split's record numbers begin anywhere
        ids=[f"frame{i}" for i in range(11)],
        labels=(np.arange(11) % CLASSES).astype(np.int32),
        sizes=np.full((11, 2), SIZE, np.int32),
        boxes=[np.array([[0, 0, 4, 4]], np.float32)] * 11,
    )


def _forward(variables, frames, classes):
    """Maps that depend on frame and class; logits that tell the class."""
    maps = frames[..., 0] // (1 + classes[:, None, None]).astype(jnp.uint8)
    return FrameOutputs(jax.nn.one_hot(classes, CLASSES), maps[None])


def _batches(frames, batch_size, rows):
    """As `data.windows.frame_batches` makes them: the last one is filled up by a repeated frame."""
    numbers = np.arange(-(-len(frames) // batch_size) * batch_size)
    for some in numbers.reshape(-1, batch_size):
        shown = np.minimum(some, len(frames) - 1)
        record = np.where(some < len(frames), 100 + shown, -1)
        yield {"frames": frames[shown][rows], "record": record[rows]}


def _score(frames, truth, batch_size, rows, all_reduce):
    batches = _batches(frames, batch_size, rows)
    return score_split(_forward, {}, batches, truth, ["m"], lambda batch: batch, all_reduce)


def test_any_number_of_threads(frames, truth, monkeypatch):
    def scored(threads):
        monkeypatch.setattr(walk, "usable_cores", lambda: threads)
        return _score(frames, truth, 11, slice(None), lambda x: x).maps

    jax.tree.map(np.testing.assert_array_equal, scored(1), scored(7))


def test_an_error_of_a_thread_is_raised(frames, truth, monkeypatch):
    def broken(u8):
        raise RuntimeError("broken")

    monkeypatch.setattr(split, "level_boxes", broken)
    with pytest.raises(RuntimeError, match="broken"):
        _score(frames, truth, 4, slice(None), lambda x: x)


@pytest.mark.parametrize("processes", [1, 2, 4])
@pytest.mark.parametrize("batch_size", [4, 8, 16])
def test_any_number_of_processes(frames, truth, processes, batch_size):
    alone = _score(frames, truth, 11, slice(None), lambda x: x)
    assert accuracy(alone, truth) == 100.0
    shown = frames[..., 0] // (1 + truth.labels)[:, None, None]
    np.testing.assert_array_equal(alone.maps["m", "truth"].peaks, shown.max((1, 2)))
    each = batch_size // processes
    parts = [
        _score(frames, truth, batch_size, slice(i * each, (i + 1) * each), lambda x: x)
        for i in range(processes)
    ]
    added = jax.tree.map(lambda *arrays: sum(arrays), *(part.maps for part in parts))
    jax.tree.map(np.testing.assert_array_equal, added, alone.maps)
    np.testing.assert_array_equal(
        sum(part.logits if part.logits is not None else 0 for part in parts), alone.logits
    )
