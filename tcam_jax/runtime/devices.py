"""What must be set before the first device is touched, and what was found there."""

import os
import platform
import socket
from functools import cache
from pathlib import Path

import jax
from ml_collections import ConfigDict

from tcam_jax.runtime import processes, programs
from tcam_jax.runtime.log import log
from tcam_jax.runtime.parallel import Parallel

_DETERMINISTIC = "--xla_gpu_deterministic_ops=true"
_LEAST_TIME = "jax_persistent_cache_min_compile_time_secs"


def prepare(config: ConfigDict, distributed: bool = False) -> None:
    """Set up JAX for a run of `config`; nothing may have been computed before.

    A run that was stopped starts again without compiling, see `keep_programs`.

    Args:
      config: of the run.
      distributed: this process is one of several, see `runtime.processes.join`.

    Raises:
      InputError, RuntimeError: see `runtime.processes.join`.
    """
    if config.deterministic:
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_DETERMINISTIC}"
    if distributed:
        processes.join()
    keep_programs()


def keep_programs() -> None:
    """Keep compiled programs in `~/.cache/tcam_jax`, unless JAX has been told where or not to.

    JAX_COMPILATION_CACHE_DIR names another folder, JAX_ENABLE_COMPILATION_CACHE=0 keeps none. JAX
    executes what it finds there: the folder is this user's alone, or is not used, which is logged
    once. One that you name is yours to keep private. How entries are kept: `runtime.programs`.
    """
    programs.check_entries()
    # type: jax adds the attributes of its config when it is imported.
    if jax.config.jax_compilation_cache_dir is None and jax.config.jax_enable_compilation_cache:  # type: ignore[attr-defined]
        kind = jax.default_backend()
        if kind == "cpu":  # its programs use what this host's processor has, others may lack it
            kind = f"cpu-{socket.gethostname()}"
        try:
            caches = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
            folder = caches / "tcam_jax" / kind
            unfit = programs.private_folder(folder)
        except RuntimeError:  # of `expanduser`: a container's user may have no home
            unfit = "there is no home folder"
        if unfit:
            _not_kept(unfit)
            return
        jax.config.update("jax_compilation_cache_dir", str(folder))
        if _LEAST_TIME.upper() not in os.environ:  # small ones too: a start has dozens of them
            jax.config.update(_LEAST_TIME, 0.0)


@cache
def _not_kept(why: str) -> None:
    log.warning(
        "Compiled programs are not kept, each start compiles them anew: %s. They are code that is "
        "run, so their folder must be yours alone. Remove it, or name another in "
        "JAX_COMPILATION_CACHE_DIR.",
        why,
    )


def log_devices(parallel: Parallel) -> None:
    """Log devices, mesh and versions."""
    kinds = sorted({device.device_kind for device in parallel.devices})
    log.info(
        "%d %s device(s) of %d process(es), %s over the mesh %s; Python %s, jax %s",
        len(parallel.devices),
        ", ".join(kinds),
        jax.process_count(),
        parallel.mode,
        dict(parallel.mesh.shape),
        platform.python_version(),
        jax.__version__,
    )
