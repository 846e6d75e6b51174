"""Constraints on areas, each as an extended log-barrier. Areas are sums of probabilities."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from tcam_jax.losses.inputs import LossInputs, probabilities, required, summed
from tcam_jax.losses.log_barrier import extended_log_barrier


def size(inputs: LossInputs) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Sum the log-barriers on the areas of background and foreground: both want to be large.

    Per sample `(barrier(-sum S0) + barrier(-sum S1)) / 2`, with areas in pixels. Neither region
    may vanish; the two pulls balance at equal areas.

    Returns:
      The sum over the samples and their number.

    Source:
      TCAM equation 5 (absolute size constraint).
    """
    areas = probabilities(inputs.map_logits).sum(axis=(1, 2))
    return summed((_barrier(-areas, inputs)).sum(axis=-1) / 2, inputs)


def bg_larger_than_fg(inputs: LossInputs) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Sum the log-barriers on `foreground area - background area`, in pixels.

    Returns:
      The sum over the samples and their number.

    Source:
      Belharbi et al., "F-CAM: Full resolution class activation maps via guided parametric
      upscaling", WACV 2022 (size constraints); an option of TCAM's implementation.
    """
    areas = probabilities(inputs.map_logits).sum(axis=(1, 2))
    return summed(_barrier(areas[:, 1] - areas[:, 0], inputs), inputs)


def fg_size(
    inputs: LossInputs, *, target: float, tolerance: float = 0.001
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Sum the log-barriers that hold the foreground's share s of the frame at a target.

    Per sample `(barrier(target - tolerance - s) + barrier(s - target - tolerance)) / 2`. The two
    slopes cancel while `|s - target| + tolerance < 1 / t^2`: the term only acts beyond, at t = 1
    never.

    Args:
      inputs: the batch.
      target: wanted share, in (0, 1).
      tolerance: accepted distance from it, in (0, 1).

    Returns:
      The sum over the samples and their number.

    Raises:
      ValueError: if the target or the tolerance is out of range.

    Source:
      Kervadec et al., "Constrained-CNN losses for weakly supervised segmentation", Medical Image
      Analysis 54, 2019 (bounds on the size); an option of TCAM's implementation.
    """
    if not (0 < target < 1 and 0 < tolerance < 1):
        raise ValueError(
            f"fg_size needs a target and a tolerance in (0, 1), got {target} and {tolerance}."
        )
    share = probabilities(inputs.map_logits)[..., 1].mean(axis=(1, 2))
    below = _barrier(target - tolerance - share, inputs)
    above = _barrier(share - target - tolerance, inputs)
    return summed((below + above) / 2, inputs)


def empty_outside_box(inputs: LossInputs) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Sum the log-barriers on the foreground area outside a box, in pixels.

    The box is that of the region that foreground seeds come from (`object_box`; `tcam.seeds.box`
    says how it is drawn): of the true box where seeds come from true boxes.

    Returns:
      The sum over the samples and their number.

    Source:
      Kervadec et al., "Bounding boxes for weakly supervised segmentation: global constraints get
      close to full supervision", MIDL 2020 (emptiness constraint); an option of TCAM's
      implementation.
    """
    foreground = probabilities(inputs.map_logits)[..., 1]
    box = required(inputs.object_box, "object_box")
    outside = jnp.where(box, 0, foreground).sum(axis=(1, 2))
    return summed(_barrier(outside, inputs), inputs)


def _barrier(constraint: Array, inputs: LossInputs) -> Array:
    return extended_log_barrier(constraint, inputs.barrier_t.astype(constraint.dtype))
