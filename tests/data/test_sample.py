"""The validation frames that select: the same every time, and even over classes and videos."""

import numpy as np
import pytest

from configs import video_folder
from tcam_jax.data.dataset import Dataset
from tcam_jax.data.protocol import Data
from tcam_jax.data.sample import sample_of, sampled
from tcam_jax.data.truth import Truth, video_of
from tcam_jax.runtime.errors import InputError

BOX, NO_BOX = np.array([[0, 0, 4, 4]], np.float32), np.zeros((0, 4), np.float32)


def truth_of(frames) -> Truth:
    """Of (class, video, boxed) for each frame."""
    return Truth(
        records=np.arange(len(frames)),
        ids=[f"{label}/{video}/s/{i}.jpg" for i, (label, video, _) in enumerate(frames)],
        labels=np.array([label for label, *_ in frames], np.int32),
        sizes=np.full((len(frames), 2), 8, np.int32),
        boxes=[BOX if boxed else NO_BOX for *_, boxed in frames],
    )


def counts(truth: Truth, of) -> list[int]:
    return np.bincount(of(truth)).tolist()


def test_classes_have_as_many_as_they_can_and_videos_too():
    # 40 frames of class 0 in one video of 30 and five of 2; 6 of class 1 in two videos; 2 of 2.
    frames = [(0, "long", True)] * 30 + [(0, f"v{i % 5}", True) for i in range(10)]
    frames += [(1, "a", True)] * 5 + [(1, "b", True)] + [(2, "c", True)] * 2
    truth = truth_of(frames)
    chosen = truth.of(sample_of(truth, 20, 0, by_boxes=True))
    assert counts(chosen, lambda truth: truth.labels) == [12, 6, 2]
    assert counts(chosen, lambda truth: video_of(truth.ids))[:6] == [2] * 6  # class 0's
    few = truth.of(sample_of(truth, 7, 0, by_boxes=True))
    assert sorted(counts(few, lambda truth: truth.labels)) == [2, 2, 3]


def test_it_is_a_function_of_truth_and_seed():
    truth = truth_of([(i % 3, f"v{i % 7}", True) for i in range(90)])
    first, again, other = (sample_of(truth, 30, seed, by_boxes=True) for seed in (3, 3, 4))
    assert first.sum() == other.sum() == 30
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_boxes_come_first_where_they_select_and_are_not_looked_at_elsewhere():
    truth = truth_of([(i % 2, f"v{i % 6}", i % 11 == 0) for i in range(110)])
    boxed = np.array([len(boxes) > 0 for boxes in truth.boxes])
    few = sample_of(truth, 6, 0, by_boxes=True)
    assert boxed[few].all() and few.sum() == 6
    more = sample_of(truth, 50, 0, by_boxes=True)
    assert more[boxed].all() and more.sum() == 50  # all 10, and others
    bare = truth._replace(boxes=[NO_BOX] * 110)
    one, other = (sample_of(of, 6, 0, by_boxes=False) for of in (truth, bare))
    np.testing.assert_array_equal(one, other)


@pytest.fixture
def config(photo_data):
    config = video_folder.get_config("photos")
    config.dataset.data_dir = str(photo_data)
    return config


def test_validation_alone_is_thinned_frames_and_truth_in_step(config):
    data = Dataset(config)
    assert sampled(config, data) is data
    truth = data.truth("validation")
    config.eval.frames = len(truth.ids)
    assert sampled(config, data) is data
    config.eval.frames = 3
    left = sampled(config, data)
    kept = left.truth("validation")
    assert len(kept.ids) == 3 and set(kept.ids) < set(truth.ids)
    records = np.concatenate([b["record"] for b in left.frames("validation", 2)])
    assert records[records >= 0].tolist() == kept.records.tolist()
    assert left.truth("test").ids == data.truth("test").ids
    assert left.training_size() == data.training_size()
    assert left.without("pet").truth("validation").ids == kept.of(kept.labels == 0).ids


def test_what_cannot_be_sampled_is_refused():
    config = video_folder.get_config("photos")

    class Own(Data):
        class_names = ("cup", "pet")

        def truth(self, split):
            return truth_of([(i % 2, "v", True) for i in range(9)])

    config.eval.frames = 1
    with pytest.raises(InputError, match="eval.frames must be 0 .* at least 2.*; got 1"):
        sampled(config, Own())
    config.eval.frames = 2
    with pytest.raises(InputError, match="must have the member `only`.*Own lacks it"):
        sampled(config, Own())
