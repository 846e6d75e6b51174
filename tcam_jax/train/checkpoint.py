"""Checkpoints by Orbax: numbered steps, and which of them are the best so far.

A checkpoint is the whole training state plus a small record {role: {"step", "value"}} that says
which steps are best at what. Steps that the newest record names are kept, and the newest one.
"""

from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp

from tcam_jax.errors import InputError
from tcam_jax.models.tcam import Variables
from tcam_jax.train.state import TrainState

Roles = dict[str, dict[str, int | float]]


class Checkpoints:
    """The checkpoints of one training stage under `directory`."""

    def __init__(self, directory: Path):
        self.directory = directory
        options = ocp.CheckpointManagerOptions(
            max_to_keep=None,  # `save` prunes by role
            enable_async_checkpointing=False,
        )
        self._manager = ocp.CheckpointManager(directory.absolute(), options=options)

    @property
    def latest_step(self) -> int | None:
        """The newest finished checkpoint's step; half-written ones do not count."""
        return self._manager.latest_step()

    def save(self, step: int, state: TrainState, roles: Roles) -> None:
        """Write `state` and `roles` as checkpoint `step`, then drop what no role needs.

        Raises:
          RuntimeError: Orbax did not save (it returns False for a step that exists).
        """
        # Variables apart from the optimiser's state: prediction reads only them.
        optimizer = {"step": state.step, "opt_state": state.opt_state}
        saved = self._manager.save(
            step,
            args=ocp.args.Composite(
                variables=ocp.args.StandardSave(state.variables),
                optimizer=ocp.args.StandardSave(optimizer),
                roles=ocp.args.JsonSave(roles),
            ),
        )
        if not saved:
            raise RuntimeError(f"checkpoint {step} was not saved in {self.directory}")
        needed = {step} | {int(best["step"]) for best in roles.values()}
        for old in self._manager.all_steps():
            if old not in needed:
                self._manager.delete(old)

    def restore(self, step: int, like: TrainState) -> tuple[TrainState, Roles]:
        """Read checkpoint `step` with the shapes, dtypes and shardings of `like`."""
        optimizer = {"step": like.step, "opt_state": like.opt_state}
        restored = self._manager.restore(
            step,
            args=ocp.args.Composite(
                variables=ocp.args.StandardRestore(jax.tree.map(_abstract, like.variables)),
                optimizer=ocp.args.StandardRestore(jax.tree.map(_abstract, optimizer)),
                roles=ocp.args.JsonRestore(),
            ),
        )
        return TrainState(**restored["variables"], **restored["optimizer"]), restored["roles"]

    def restore_variables(self, role: str, like: Variables) -> Variables:
        """Read the variables of the checkpoint that is best at `role`, in the form of `like`.

        Args:
          role: a key of the newest record, such as "best_localization".
          like: arrays or `jax.ShapeDtypeStruct`s with shardings.

        Raises:
          InputError: see `role_step`.
        """
        target = ocp.args.StandardRestore(jax.tree.map(_abstract, like))
        args = ocp.args.Composite(variables=target)
        return self._manager.restore(self.role_step(role), args=args)["variables"]

    def role_step(self, role: str) -> int:
        """Return the step that the newest record names best at `role`.

        Raises:
          InputError: nothing was saved, or nothing has that role.
        """
        roles: Roles = {}
        if self.latest_step is not None:
            args = ocp.args.Composite(roles=ocp.args.JsonRestore())
            roles = self._manager.restore(self.latest_step, args=args)["roles"]
        if role not in roles:
            raise InputError(
                f"{self.directory} must hold a checkpoint {role!r}; it has {sorted(roles)}. "
                "Train this stage first with `python -m launch.train`."
            )
        return int(roles[role]["step"])

    def close(self) -> None:
        """Finish writing."""
        self._manager.close()


def read_variables(folder: Path) -> Variables:
    """Read the variables of a checkpoint, whatever devices wrote it, as NumPy arrays.

    Args:
      folder: of one step, such as `runs/demo/tcam/checkpoints/120`.

    Raises:
      InputError: it holds none, or they are damaged.
    """
    if not (folder / "variables").is_dir():
        raise InputError(
            f"{folder} must be the folder of a checkpoint's step (with `variables` in it), such as "
            "WORKDIR/classifier/checkpoints/STEP."
        )
    try:
        # The handler itself: a checkpointer would warn of the items that are not wanted here.
        handler, item = ocp.PyTreeCheckpointHandler(), (folder / "variables").absolute()
        saved = handler.metadata(item).tree
        as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), saved)
        return handler.restore(item, args=ocp.args.PyTreeRestore(restore_args=as_numpy))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"the checkpoint {folder} is damaged ({error}); use another step."
        ) from error


def _abstract(leaf: jax.Array | jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding)
