"""The README's "Add your own loss", as written."""

import importlib.util
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from tcam_jax.config import defaults
from tcam_jax.config.rules import validate
from tcam_jax.losses.inputs import LossInputs
from tcam_jax.losses.objective import LOSSES, objective

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_example_is_short_and_works(tmp_path, monkeypatch):
    example = re.search(r"\*\*Add your own loss\*\*.*?```python\n(.*?)```", README, re.DOTALL)[1]
    assert len(example.splitlines()) <= 20
    (tmp_path / "own.py").write_text(example)
    spec = importlib.util.spec_from_file_location("own", tmp_path / "own.py")
    own = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(own)
    assert '`"total_variation": total_variation`' in README
    monkeypatch.setitem(LOSSES, "total_variation", own.total_variation)

    assert "`losses.total_variation = _loss(weight=0.0)`" in README
    config = defaults.get_config()
    with config.unlocked():
        config.tcam.losses.total_variation = defaults.loss(weight=0.0)
    config.tcam.losses.total_variation.weight = 2.0
    validate(config)

    logits = jnp.asarray(np.random.default_rng(0).normal(0, 2, (2, 4, 3, 2)), jnp.float32)
    inputs = LossInputs(logits, jnp.zeros((2, 4, 3, 3)), jnp.zeros((2, 4, 3), int), jnp.ones(()))
    settings = config.tcam.losses.total_variation.to_dict()
    total, terms = jax.jit(lambda inputs: objective(inputs, {"total_variation": settings}))(inputs)
    s = np.asarray(jax.nn.softmax(logits))[..., 1]
    expected = sum(
        abs(s[b, y, x] - s[b, y + dy, x + dx])
        for b in range(2)
        for dy, dx in ((0, 1), (1, 0))
        for y in range(4 - dy)
        for x in range(3 - dx)
    )
    np.testing.assert_allclose(terms["total_variation"], (expected, 24), rtol=1e-5)
    np.testing.assert_allclose(total, 2.0 * expected / 24, rtol=1e-5)
