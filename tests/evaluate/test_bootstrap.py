"""Resampled videos: what a resample's CorLoc is, by its definition."""

import numpy as np

from tcam_jax.evaluate.bootstrap import VideoBootstrap


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
