"""The only file that knows Orbax: one pytree in, one folder out, and back.

Its handler is used bare: the manager above it gives up without a word where a step exists, keeps a
list of steps in memory that may be wrong, and waits for other processes, of which one writes here.
"""

import logging
import os
import re
import sys
import threading
from functools import cache
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp
from jaxtyping import PyTree

# As TensorStore words it: "No space left on device [os_error_code='28']", or "[OS error 28: …]".
_SYSTEM_CODE = re.compile(r"(?:os_error_code='|OS error )(\d+)")


def write_item(folder: Path, tree: PyTree) -> None:
    """Write a tree of host arrays into a new `folder`.

    Raises:
      OSError: the disk is full, or something else of the system's.
      Exception: of Orbax's or TensorStore's, whatever they have.
    """
    _keep_quiet()
    handler = ocp.PyTreeCheckpointHandler()
    try:
        handler.save(folder.absolute(), args=ocp.args.PyTreeSave(tree))
        handler.finalize(folder.absolute())
    except Exception as error:
        code = _SYSTEM_CODE.search(str(error))
        if isinstance(error, OSError) or code is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1])), str(folder)) from error


@cache
def _keep_quiet() -> None:
    """Keep threads from printing tracebacks of what `write_item` raises.

    Orbax's threads log it, those of earlier versions raise it. TensorStore's, of the writes that
    come after the one that failed, find the event loop closed that waited for them.
    """
    logging.getLogger("absl").addFilter(
        lambda record: record.exc_info is None or "orbax" not in Path(record.pathname).parts
    )
    of_threads, of_callbacks = threading.excepthook, sys.unraisablehook

    def in_thread(raised: threading.ExceptHookArgs) -> None:
        if not type(raised.thread).__module__.startswith("orbax."):
            of_threads(raised)

    def in_callback(raised: "sys.UnraisableHookArgs") -> None:
        if str(raised.exc_value) != "Event loop is closed":
            of_callbacks(raised)

    threading.excepthook, sys.unraisablehook = in_thread, in_callback


def read_item(folder: Path, like: PyTree | None = None) -> PyTree:
    """Read what `write_item` wrote, as NumPy arrays.

    Args:
      folder: of the item.
      like: a tree of the same form; None: containers are dicts and lists.
    """
    handler, folder = ocp.PyTreeCheckpointHandler(), folder.absolute()
    saved = handler.metadata(folder).tree if like is None else like
    as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), saved)
    return handler.restore(folder, args=ocp.args.PyTreeRestore(item=like, restore_args=as_numpy))
