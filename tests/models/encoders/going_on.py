"""An encoder that goes on from any of its features, and the whole pass beside it."""

from typing import Any

import jax
import numpy as np

from tcam_jax.models.encoders.encoder import Encoder


def every_way(encoder: Encoder, variables: Any, frames: jax.Array) -> tuple[dict, dict]:
    """Return the features of `frames`, and {feature: those found from it on}."""
    whole = encoder.apply(variables, frames)
    starts = (feature.name for feature in encoder.features[:-1])
    return whole, {x: encoder.apply(variables, whole[x], after=x) for x in starts}


def assert_every_way_is_the_same(encoder: Encoder, variables: Any, frames: jax.Array) -> None:
    """Compare the last feature."""
    whole, rests = jax.jit(lambda *given: every_way(encoder, *given))(variables, frames)
    names = [feature.name for feature in encoder.features]
    assert [*rests] == names[:-1]
    for name, rest in rests.items():
        assert [*rest] == names[encoder.position(name) :]
        np.testing.assert_allclose(rest[names[-1]], whole[names[-1]], rtol=1e-4, atol=1e-5)
