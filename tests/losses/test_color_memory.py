"""What the joint colour term keeps: one grid of colours a window, whatever the frames."""

import jax
import jax.numpy as jnp
import pytest

from tcam_jax.losses.inputs import LossInputs, Window
from tcam_jax.losses.joint_color_crf import joint_color_crf
from tcam_jax.losses.kernels.grid import SPACING, colour_axis

GRID_BYTES = 4 * len(colour_axis(15.0, SPACING["default"])[1]) ** 3


def temporary_bytes(windows: int, t: int, size: int, backend: str) -> int:
    """Of the value and the gradient, as compiled; maps and images come on top."""

    def value(map_logits, images, valid):
        inputs = LossInputs(
            map_logits[:, 0],
            images[:, 0],
            jnp.zeros((windows, size, size), jnp.int32),
            jnp.ones(()),
            window=Window(map_logits, images, valid),
        )
        return joint_color_crf(inputs, sigma_rgb=15.0, backend=backend)[0]

    shape = (windows, t, size, size)
    arguments = (
        jax.ShapeDtypeStruct((*shape, 2), jnp.float32),
        jax.ShapeDtypeStruct((*shape, 3), jnp.float32),
        jax.ShapeDtypeStruct(shape[:2], bool),
    )
    compiled = jax.jit(jax.value_and_grad(value)).lower(*arguments).compile()
    return compiled.memory_analysis().temp_size_in_bytes


@pytest.mark.parametrize("backend", ["grid", "grid_matmul"])
def test_memory_is_linear_in_the_pixels(backend):
    wide, wider = (temporary_bytes(1, 18, size, backend) for size in (32, 64))
    a_pixel = (wider - wide) / (18 * (64**2 - 32**2))
    # All pairs were 4 bytes for each of the window's 73,728 pixels; these are some dozen numbers.
    assert 0 < a_pixel < 400


def test_frames_of_a_window_share_one_grid():
    few, many = (temporary_bytes(1, t, 8, "grid") for t in (2, 18))
    # Sixteen frames more of 64 pixels: less than half a grid, where a grid each were sixteen.
    assert 0 < many - few < GRID_BYTES / 2


def test_windows_take_turns_at_the_grid():
    one, four = (temporary_bytes(windows, 4, 8, "grid") for windows in (1, 4))
    assert 0 < four - one < 2 * GRID_BYTES  # 768 pixels more, and not three grids
