import gzip
import json

import jax
import jax.numpy as jnp
import pytest

from tcam_jax.benchmark import trace
from tcam_jax.runtime.errors import InputError


def _named(kind, pid, name, tid=0):
    return {"ph": "M", "pid": pid, "tid": tid, "name": kind, "args": {"name": name}}


def _ran(pid, tid, name, microseconds, operation=None):
    args = {"hlo_op": operation} if operation else {}
    return {"ph": "X", "pid": pid, "tid": tid, "name": name, "dur": microseconds, "args": args}


def test_kernels_of_two_steps_on_a_gpu():
    events = [
        _named("process_name", 1, "/device:GPU:0"),
        _named("thread_name", 1, "Stream #13(Compute)", tid=1),
        _named("thread_name", 1, "XLA Modules", tid=2),
        _named("process_name", 9, "/host:CPU"),
        _ran(1, 1, "sm90_xmma_fprop", 3000, "cudnn-conv.1"),
        _ran(1, 1, "sm90_xmma_fprop", 5000, "cudnn-conv.1"),
        _ran(1, 1, "loop_add", 1000, "loop_add_fusion"),
        _ran(1, 1, "MemcpyD2D", 500),
        _ran(1, 2, "jit_step", 9000, "cudnn-conv.1"),  # the sum of a row below
        _ran(9, 1, "launch", 9999, "cudnn-conv.1"),  # the host's
    ]
    program = '  %cudnn-conv.1 = f32[2]{0} custom-call(), metadata={op_name="jit(step)/conv1/conv"}'
    assert trace.kernels({"traceEvents": events}, 2, program) == [
        trace.Kernel("cudnn-conv.1", "sm90_xmma_fprop", "jit(step)/conv1/conv", 4.0, 1.0),
        trace.Kernel("loop_add_fusion", "loop_add", "", 0.5, 0.5),
        trace.Kernel("MemcpyD2D", "MemcpyD2D", "", 0.25, 0.5),
    ]


def test_a_profile_of_this_machine(tmp_path):
    step = jax.jit(lambda x: jnp.sin(x @ x).sum(0)).lower(jnp.ones((64, 64))).compile()
    x = jax.block_until_ready(jnp.ones((64, 64)))
    with jax.profiler.trace(tmp_path):
        for _ in range(3):
            jax.block_until_ready(step(x))
    found = trace.kernels(trace.read_trace(tmp_path), 3, step.as_text())
    assert found and all(kernel.milliseconds > 0 for kernel in found)
    assert any("sin" in kernel.source for kernel in found)


def test_the_newest_trace_is_read(tmp_path):
    with pytest.raises(InputError, match="has no profile"):
        trace.read_trace(tmp_path)
    for day in ("2026_11_01", "2026_11_29"):
        file = tmp_path / "plugins/profile" / day / "host.trace.json.gz"
        file.parent.mkdir(parents=True)
        file.write_bytes(gzip.compress(json.dumps({"traceEvents": [day]}).encode()))
    assert trace.read_trace(tmp_path) == {"traceEvents": ["2026_11_29"]}
