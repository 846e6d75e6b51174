"""A model of a training step's time from published peaks. A model: nothing is measured here.

    compute  = FLOPs / (peak * efficiency)            memory  = bytes / HBM bandwidth
    transfer = 2 (N - 1) / N * bytes / link           latency = all-reduces * 2 (N - 1) * hop
    step     = max(compute, memory) + transfer + latency

All-reduces go around one ring of the N chips, and no other work hides them: in the TPU programs of
these steps they are synchronous, one after the other.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Chip(NamedTuple):
    """Published figures of one chip.

    Attributes:
      peak_flops: bfloat16 operations a second, dense.
      hbm_bytes_per_s: bandwidth of its memory.
      link_bytes_per_s: what a ring through all chips gets, in one direction.
      hop_s: seconds from one chip to the next. No vendor publishes it: an assumption.
    """

    peak_flops: float
    hbm_bytes_per_s: float
    link_bytes_per_s: float
    hop_s: float


# Cloud TPU documentation, pages "TPU v4" and "TPU v5e"; a link is 1/6 of a v4 chip's (Jouppi et
# al., ISCA 2023: 6 links of 50 GB/s) and 1/8 of a v5e chip's 400 GB/s (4 ports, both directions).
# NVIDIA H100 datasheet, SXM: NVLink's 900 GB/s are 450 in each direction.
CHIPS = {
    "v4": Chip(275e12, 1200e9, 50e9, 1e-6),
    "v5e": Chip(197e12, 819e9, 50e9, 1e-6),
    "h100": Chip(989e12, 3350e9, 450e9, 2e-6),
}
# Share of the bfloat16 peak that ResNet-50 training reached elsewhere (images/s * 24.6 GFLOP):
# MLPerf v3.0 on 8 H100, 7,006 a chip; Flax's ImageNet example on a TPU v3-8, 2,022 a chip.
EFFICIENCIES = (0.17, 0.40)


class StepTime(NamedTuple):
    """Seconds of a step, see the module; `total` is the whole step."""

    compute: float
    memory: float
    transfer: float
    latency: float
    total: float


def step_time(
    chip: Chip, chips: int, efficiency: float, figures: Mapping[str, int | float]
) -> StepTime:
    """Return the modelled seconds of a step.

    Args:
      chip: one of the N chips.
      chips: N.
      efficiency: share of the peak that convolutions and matrix products reach, 0..1.
      figures: of one chip's program, see `benchmark.scaling.figures`.
    """
    compute = figures["counted_flops"] / (chip.peak_flops * efficiency)
    memory = figures["moved_bytes"] / chip.hbm_bytes_per_s
    transfer = 2 * (chips - 1) / chips * figures["all_reduce_bytes"] / chip.link_bytes_per_s
    latency = figures["all_reduces"] * 2 * (chips - 1) * chip.hop_s
    return StepTime(compute, memory, transfer, latency, max(compute, memory) + transfer + latency)
