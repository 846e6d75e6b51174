"""Which arithmetic a traced program gets: by device, by environment, by `traced_for`."""

import jax
import jax.numpy as jnp
import pytest

from tcam_jax.models import cpu
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.layers import Conv
from tcam_jax.models.tcam import TCAM, for_inference
from tcam_jax.runtime.errors import InputError


def test_only_a_cpu_is_computed_for_otherwise(monkeypatch):
    assert cpu.chosen()
    for platform in ("gpu", "tpu"):
        monkeypatch.setattr(jax, "default_backend", lambda p=platform: p)
        assert not cpu.chosen()
        with cpu.traced_for("cpu"):
            assert cpu.chosen()
        assert not cpu.chosen()


def test_the_environment_switches_it_off(monkeypatch):
    monkeypatch.setenv("TCAM_CPU_KERNELS", "1")
    assert cpu.chosen()
    monkeypatch.setenv("TCAM_CPU_KERNELS", "0")
    assert not cpu.chosen()
    with cpu.traced_for("cpu"):
        assert not cpu.chosen()
    variables = {"params": {}}
    assert for_inference(TCAM(3, ENCODERS["resnet50"]), variables) is variables


@pytest.mark.parametrize("value", ["off", "", "2"])
def test_another_value_of_the_environment_is_refused(monkeypatch, value):
    monkeypatch.setenv("TCAM_CPU_KERNELS", value)
    with pytest.raises(InputError, match=f"TCAM_CPU_KERNELS must be 1 .* or 0 .*; got '{value}'"):
        Conv(8, 3).init(jax.random.key(0), jnp.zeros((1, 4, 4, 2)))


@pytest.mark.parametrize(
    ("kernel_size", "stride"), [(3, 1), (1, 1), (1, 2), (3, 2), (7, 2)], ids=str
)
def test_a_program_is_traced_again_where_the_choice_changes(kernel_size, stride):
    layer, x = Conv(64, kernel_size, stride), jnp.zeros((1, 28, 28, 64))
    variables = layer.init(jax.random.key(0), x)
    gradient = jax.jit(jax.grad(lambda v, x: layer.apply(v, x).sum()))
    differ = lambda: "custom_vjp" in str(jax.make_jaxpr(layer.apply)(variables, x))  # noqa: E731
    programs = []
    for platform in ("cpu", "cuda", "cpu"):
        with cpu.traced_for(platform):
            assert differ() is (platform == "cpu")
            programs.append(gradient.trace(variables, x).lower().as_text())
    assert programs[0] == programs[2] != programs[1]
