"""Devices that are only described: compilers make programs for them on a machine without any.

TPU slices by libtpu; H100s by JAX's plugin for CUDA, whose compiler needs neither a GPU nor CUDA's
libraries. What it would try on the GPU itself (autotuning of convolutions and products, cuDNN's
choice of algorithms) is left at its defaults.
"""

import re
from importlib.util import find_spec

import jax
from jax.experimental import topologies

from tcam_jax.runtime.errors import InputError

# By a device's platform. Fused products (Triton) take sizes of tiles that only a GPU can try: the
# defaults fail for some. Without, all products are cuBLAS's.
COMPILER_OPTIONS = {"gpu": {"xla_gpu_enable_triton_gemm": False}}

_PLUGINS = ("jax_cuda13_plugin", "jax_cuda12_plugin")
# What XLA's driver would tell of NVIDIA's H100 SXM (Hopper tuning guide, H100 datasheet).
_H100 = """
platform_name: "CUDA"
device_description_str: "NVIDIA H100 80GB HBM3"
dnn_version_info { major: 9 minor: 8 }
runtime_version { major: 12 minor: 8 }
gpu_device_info {
  cuda_compute_capability { major: 9 }
  core_count: 132
  clock_rate_ghz: 1.98
  fpus_per_core: 128
  threads_per_warp: 32
  threads_per_block_limit: 1024
  threads_per_core_limit: 2048
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  registers_per_block_limit: 65536
  registers_per_core_limit: 65536
  shared_memory_per_block: 49152
  shared_memory_per_block_optin: 232448
  shared_memory_per_core: 233472
  l2_cache_size: 52428800
  memory_bandwidth: 3352320000000
  device_memory_size: 84929347584
}
"""


def described_devices(name: str) -> list[jax.Device]:
    """Return the devices of a slice: "v4:2x2x4" (16 chips), "v5e:2x4" (8), or "h100:8".

    Raises:
      InputError: the compiler is not installed, or does not know the slice.
    """
    gpus = re.fullmatch(r"h100:([1-9]\d*)", name)
    return _gpus(int(gpus[1])) if gpus else _tpus(name)


def _tpus(name: str) -> list[jax.Device]:
    if find_spec("libtpu") is None:
        raise InputError(
            'compiling for TPUs needs libtpu, of the version of jax: pip install "jax[tpu]" '
            "(no TPU is needed)"
        )
    # Both cores of a v4 chip as one device, as they are on real ones; libtpu's default is two.
    options = {"chip_config_name": "megacore"} if name.startswith("v4:") else {}
    try:
        return topologies.get_topology_desc(platform="tpu", topology_name=name, **options).devices
    except jax.errors.JaxRuntimeError as error:
        reason = str(error).splitlines()[0].partition(": ")[2]
        raise InputError(
            f"libtpu did not describe the slice {name!r}: {reason} "
            "(names are such as v4:2x2x4, v5e:2x4 or h100:8; one process at a time can use libtpu)"
        ) from None


def _gpus(count: int) -> list[jax.Device]:
    if not any(find_spec(plugin) for plugin in _PLUGINS):
        raise InputError(
            "compiling for GPUs needs JAX's plugin for CUDA, of the version of jax: "
            "pip install --no-deps jax-cuda12-plugin==VERSION jax-cuda12-pjrt==VERSION "
            "(neither a GPU nor CUDA is needed)"
        )
    jax.devices()  # looks for plugins; without, no platform but the TPU is known
    return topologies.get_topology_desc(
        platform="cuda", target_config=_H100, topology=f"1x1x{count}"
    ).devices
