"""The parts that need no libtpu: what is read from a program, what is counted, the arithmetic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from configs import youtube_objects
from tcam_jax.benchmark import described, program_text, scaling
from tcam_jax.benchmark.flop_count import count_flops
from tcam_jax.benchmark.step_time import Chip, step_time
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.parallel import AXIS, Parallel


def test_all_reduces_of_a_compiled_program():
    def step(state, frozen, batch):
        mean = lax.psum(batch["x"].sum((0, 1)), AXIS)  # float32 [3, 5]: 60 bytes
        half = lax.psum(jnp.sin(mean).sum(1).astype(jnp.bfloat16) * state, AXIS)  # [3]
        return state + 1, (mean, lax.pmax(half.astype(jnp.float32).sum(), AXIS))  # 4 bytes

    mapped = Parallel("shard_map", jax.devices()[:8]).compile(step)
    batch = {"x": jax.ShapeDtypeStruct((1, 16, 3, 5), jnp.float32)}
    state = jax.ShapeDtypeStruct((), jnp.bfloat16)
    found = program_text.all_reduce_bytes(mapped.lower(state, None, batch).compile().as_text())
    # A CPU adds up bfloat16 in float32: 12 bytes, not 6.
    assert sorted(found) == [4, 12, 60]


def test_all_reduces_of_a_tpu_program():
    hlo = """
  %psum.1 = f32[64]{0:T(128)S(3)} all-reduce(%a), channel_id=1, metadata={op_name="x = y"}
  ROOT %all-reduce.2 = (bf16[10]{0:T(128)S(3)}, f32[], /*index=5*/pred[8]{0}) all-reduce-start(%b)
  %done = f32[7] all-reduce-done(%all-reduce.2)
  %get-tuple-element = f32[256]{0} get-tuple-element(%all-reduce.2), index=1
"""
    assert program_text.all_reduce_bytes(hlo) == [256, 20 + 4 + 8]


def test_kernels_of_a_program():
    hlo = """
%fused_computation (param_0: f32[8,4]) -> f32[8] {
  %param_0 = f32[8,4]{1,0} parameter(0)
  ROOT %reduce.1 = f32[8]{0} reduce(%param_0, %constant), dimensions={1}, to_apply=%sum
}

%sum (a: f32[], b: f32[]) -> f32[] {
  ROOT %add = f32[] add(%a, %b)
}

%body (carry: (f32[8])) -> (f32[8]) {
  %carry = (f32[8]{0}) parameter(0)
  %inner = f32[8]{0} get-tuple-element(%carry), index=0
  %twice = f32[8]{0} add(%inner, %inner), metadata={op_name="twice(%unknown), f32[99]"}
  ROOT %out = (f32[8]{0}) tuple(%twice)
}

ENTRY %main (x: bf16[8,4]) -> f32[8] {
  %x = bf16[8,4]{1,0} parameter(0)
  %wide = f32[8,4]{1,0} convert(%x)
  %row = f32[8]{0} fusion(%wide), kind=kInput, calls=%fused_computation
  %all-reduce-start = f32[8]{0} all-reduce-start(%row), to_apply=%sum
  %all-reduce-done = f32[8]{0} all-reduce-done(%all-reduce-start)
  %loop = (f32[8]{0}) while(%tuple.1), condition=%condition, body=%body
  ROOT %product = (f32[8]{0}, u8[5]{0}) custom-call(%all-reduce-done, %wide), custom_call_target="g"
}
"""
    moved = (64 + 128) + (128 + 32) + (32 + 32) + (32 + 32 + 32) + (32 + 128 + 32 + 5)
    assert program_text.kernels(hlo) == (5, moved)


def test_counted_flops():
    def work(x, kernel, matrix):
        for _ in range(2):
            x = lax.conv_general_dilated(
                x, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
        _, rows = lax.scan(lambda carry, row: (carry, row @ matrix), 0.0, jnp.ones((7, 2, 3)))
        return x.sum() + rows.sum()

    shapes = ((1, 8, 8, 4), (3, 3, 4, 4), (3, 5))
    arguments = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    first, second = 2 * 4 * 4 * 4 * 9 * 4, 2 * 2 * 2 * 4 * 9 * 4  # outputs of 4 x 4 and 2 x 2
    matmul = 7 * 2 * (2 * 5 * 3)
    assert count_flops(jax.make_jaxpr(work)(*arguments).jaxpr) == first + second + matmul
    gradient = jax.make_jaxpr(jax.value_and_grad(work, argnums=(1, 2)))(*arguments)
    # Forwards, both kernels' gradients, one input's, which holds zeros that do not count; of the
    # product only the matrix needs a gradient.
    assert count_flops(gradient.jaxpr) == 2 * first + 3 * second + 2 * matmul


def test_a_product_that_nothing_needs_is_not_counted():
    def work(x):
        unneeded = jax.jit(lambda x: (x @ x, x + 1))
        return unneeded(x)[1]

    assert count_flops(jax.make_jaxpr(work)(jnp.ones((3, 3))).jaxpr) == 0


def test_step_time_by_hand():
    chip = Chip(100e12, 1e12, 50e9, 1e-6)
    figures = {
        "counted_flops": 2e12,  # at half of the peak: 40 ms
        "moved_bytes": 30e9,  # 30 ms
        "all_reduces": 100,  # of 6 hops: 0.6 ms
        "all_reduce_bytes": 100e6,  # 1.5 times through a link: 3 ms
    }
    times = step_time(chip, 4, 0.5, figures)
    np.testing.assert_allclose(times, (0.040, 0.030, 0.003, 0.0006, 0.0436))
    assert step_time(chip, 1, 0.5, figures).total == pytest.approx(0.040)
    figures["moved_bytes"] = 60e9
    assert step_time(chip, 4, 0.5, figures).total == pytest.approx(0.0636)


@pytest.mark.slow
def test_figures_of_a_step():
    config = youtube_objects.get_config()
    config.model.encoder = "resnet18"
    config.dataset.resize, config.dataset.crop = 36, 32
    traced = scaling.trace_step(config, "classifier", jax.devices()[:8], batch_per_device=2)
    found = scaling.figures(traced)
    state, _, batch = traced.in_avals[0]
    assert batch["frames"].shape == (1, 16, 1, 36, 36, 3)  # of all devices
    parameters = sum(x.size for x in jax.tree.leaves(state.params))
    # Every gradient is reduced once; the rest are batch norm's statistics, sums and counts.
    assert 0 < found["all_reduce_bytes"] - 4 * parameters < 0.01 * 4 * parameters
    assert found["hbm_bytes"] > found["argument_bytes"] > 2 * 4 * parameters
    assert found["counted_flops"] > 0


@pytest.mark.parametrize(
    ("name", "install"), [("v4:2x2x4", r'"jax\[tpu\]"'), ("h100:8", "--no-deps jax-cuda12-plugin")]
)
def test_without_a_compiler(monkeypatch, name, install):
    monkeypatch.setattr(described, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=f"pip install {install}"):
        described.described_devices(name)


def test_gpus_that_a_compiler_describes():
    pytest.importorskip("jax_cuda12_plugin", reason="an optional compiler, see benchmark.described")
    devices = described.described_devices("h100:3")
    assert [device.platform for device in devices] == ["gpu"] * 3


@pytest.mark.parametrize(("name", "devices"), [("v4:2x2x4", 16), ("v5e:2x4", 8), ("v9:2x4", 0)])
def test_slices_that_libtpu_describes(name, devices):
    pytest.importorskip("libtpu", reason='an optional compiler: pip install "jax[tpu]"')
    if devices:
        assert len(described.described_devices(name)) == devices
    else:
        with pytest.raises(InputError, match="'v9:2x4'.*TPU v9"):
            described.described_devices(name)
