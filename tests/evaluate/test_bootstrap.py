"""Resampled videos: what a resample's CorLoc is, by its definition."""

import numpy as np
import pytest

from tcam_jax.evaluate.bootstrap import VideoBootstrap, paired_difference


def test_a_resample_is_the_mean_over_classes_of_its_videos():
    labels = np.repeat([2, 0, 2, 0, 0], [3, 1, 2, 4, 2])  # no frame is of class 1
    videos = np.repeat([0, 1, 2, 3, 4], [3, 1, 2, 4, 2])
    correct = np.random.default_rng(0).random(len(labels)) < 0.5
    found = VideoBootstrap(labels, videos).class_means(correct)
    # What can be drawn of a class's videos: as many as there are, each any number of times.
    shares = []
    for members in ([1, 3, 4], [0, 2]):
        draws = np.stack(np.meshgrid(*[members] * len(members)), -1).reshape(-1, len(members))
        frames, hits = ([np.sum((videos == v) & w) for v in range(5)] for w in (True, correct))
        shares.append({np.take(hits, d).sum() / np.take(frames, d).sum() for d in draws})
    possible = {50 * (a + b) for a in shares[0] for b in shares[1]}
    assert len(found) == 1000 and len(np.unique(found)) > 5
    assert np.isclose(found[:, None], sorted(possible), atol=1e-9).any(1).all()


def test_of_one_video_a_class_the_difference_is_known_and_no_interval():
    labels, videos = np.repeat([0, 1], [4, 2]), np.repeat([5, 9], [4, 2])
    ours = np.array([[1, 1, 1, 0, 1, 1], [1, 1, 1, 1, 1, 0]], bool)  # 87.5 and 75 on average
    theirs = np.array([[1, 0, 0, 0, 0, 1]], bool)  # 25 and 50
    found = paired_difference(ours, theirs, labels, videos)
    assert found.mean == pytest.approx((62.5 + 25) / 2)
    assert found.interval is None  # there is nothing else to draw
    assert VideoBootstrap(labels, videos).class_means(ours[0]) is None
    apart = np.array([5, 5, 6, 6, 9, 10])
    assert paired_difference(ours, theirs, labels, apart).interval is not None


def test_what_is_hard_for_both_drops_out():
    labels, videos = np.zeros(40, int), np.repeat(np.arange(20), 2)
    theirs = (videos % 2 == 0)[None]  # half of the videos are lost to both
    ours = theirs | (np.arange(40) == 3)  # one frame more
    same = paired_difference(theirs, theirs, labels, videos)
    assert (same.mean, same.interval) == (0, [0, 0])
    found = paired_difference(ours, theirs, labels, videos)
    # 0, 1, 2, … copies of that frame's video, binomial of 20 draws at 1 / 20: at most 3 in 98.4 %.
    assert found.mean == pytest.approx(2.5)
    assert found.interval == pytest.approx([0, 7.5])


def test_an_interval_is_that_of_brute_force():
    """Videos drawn one by one, CorLoc of either method and each seed by its definition."""
    generator = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], [30, 20, 25])
    videos = np.concatenate(
        [generator.integers(10 * k, 10 * k + 6, n) for k, n in enumerate((30, 20, 25))]
    )
    ours, theirs = (generator.random((3, 75)) < share for share in (0.7, 0.5))

    def corloc(hits, chosen):
        of_classes = []
        for k in range(3):
            frames = np.concatenate([np.flatnonzero(videos == v) for v in chosen if v // 10 == k])
            of_classes.append(hits[frames].mean())
        return 100 * np.mean(of_classes)

    names = [np.unique(videos[labels == k]) for k in range(3)]
    drawn = []
    for _ in range(2000):
        chosen = np.concatenate([generator.choice(of, len(of)) for of in names])
        one, two = (np.mean([corloc(run, chosen) for run in runs]) for runs in (ours, theirs))
        drawn.append(one - two)
    found = paired_difference(ours, theirs, labels, videos)
    whole = np.concatenate(names)
    mean = np.mean([corloc(run, whole) for run in ours]) - np.mean(
        [corloc(x, whole) for x in theirs]
    )
    assert found.mean == pytest.approx(mean)
    assert found.interval == pytest.approx(np.percentile(drawn, [2.5, 97.5]).tolist(), abs=1.2)
