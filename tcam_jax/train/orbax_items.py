"""The only file that knows Orbax: one pytree in, one folder out, and back.

Its handler is used bare: the manager above it gives up without a word where a step exists, keeps a
list of steps in memory that may be wrong, and waits for other processes, of which one writes here.
"""

from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp
from jaxtyping import PyTree


def write_item(folder: Path, tree: PyTree) -> None:
    """Write a tree of host arrays into a new `folder`."""
    handler = ocp.PyTreeCheckpointHandler()
    handler.save(folder.absolute(), args=ocp.args.PyTreeSave(tree))
    handler.finalize(folder.absolute())


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
