"""Checkpoints of a stage: numbered folders written by Orbax, and a record of what is best so far.

    checkpoints/120/variables, optimizer    the state; digests.json: of all its files
    checkpoints/120/record.json             its step, and roles, see `Record`; replaced when
                                            validation is done
    checkpoints/100.damaged                 set aside, never deleted

One process reads and writes; see `runtime.processes` for several.
"""

import re
from pathlib import Path

import jax

from tcam_jax.models.tcam import Variables
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.log import log
from tcam_jax.train.checkpoint_files import (
    delete_folder,
    fault,
    read_record,
    remove_unfinished,
    set_aside,
    write_folder,
    write_record,
)
from tcam_jax.train.checkpoint_record import Record, as_record
from tcam_jax.train.orbax_items import read_item, write_item
from tcam_jax.train.state import TrainState

RECORD = "record.json"
# As `save` names them: other digits and leading zeros are somebody else's folders.
_STEP = re.compile("0|[1-9][0-9]*")


class Checkpoints:
    """The checkpoints of one training stage under `directory`.

    Args:
      directory: of the stage's checkpoints.
      keep_last: how many of the newest are kept.
      keep_every: keep those of every so many steps too; 0: none.

    Kept are also the newest sound one and, for each of these, the ones that it names best.
    """

    def __init__(self, directory: Path, keep_last: int = 2, keep_every: int = 0):
        self.directory = directory
        self._keep_last, self._keep_every = keep_last, keep_every
        self._verified: set[int] = set()

    def stays(self, step: int) -> bool:
        """Tell whether the checkpoint of `step` is to be kept for ever, by `keep_every`."""
        return bool(self._keep_every) and step % self._keep_every == 0

    def steps(self) -> list[int]:
        """Return the steps of the finished checkpoints, in order, without a look into them."""
        folders = (p for p in self.directory.glob("*") if _STEP.fullmatch(p.name) and p.is_dir())
        return sorted(int(p.name) for p in folders)

    def newest(self, sound: bool = False) -> int | None:
        """Return the step of the newest good checkpoint, or None.

        Damaged ones that are newer are renamed `STEP.damaged`, and the log says so.

        Args:
          sound: pass over those made after a skipped step, or to stop.
        """
        for name in remove_unfinished(self.directory):
            log.warning("%s/%s: not finished when a run was killed; removed", self.directory, name)
        good = (step for step in reversed(self.steps()) if self._is_good(step))
        return next((step for step in good if not sound or self.record(step).sound), None)

    def save(self, step: int, state: TrainState, record: Record) -> None:
        """Write `state` (on one process's devices or the host) as checkpoint `step`.

        Raises:
          InputError: it could not be written; what was saved before is untouched.
        """
        state = jax.device_get(state)

        def fill(folder: Path) -> None:
            write_item(folder / "variables", state.variables)
            write_item(folder / "optimizer", state.rest)
            write_record(folder / RECORD, {"step": step, **record._asdict()})

        try:
            if not self._verified:  # later the folder is there, and not to be made anew
                self.directory.mkdir(parents=True, exist_ok=True)
            write_folder(self.directory / str(step), fill, unlisted=RECORD)
        except Exception as error:  # the writer's own types, whatever they are
            last = self.steps()
            why = (getattr(error, "strerror", None) or str(error) or repr(error)).splitlines()[0]
            raise InputError(
                f"checkpoint {step} could not be saved in {self.directory} ({why}). "
                + (f"The last one is of step {last[-1]}, untouched. " if last else "")
                + "Make room, or make the folder writable, and run the same command again."
            ) from error
        self._verified.add(step)
        self._prune()

    def amend(self, step: int, record: Record) -> None:
        """Replace the record of checkpoint `step`, then drop what is not kept."""
        write_record(self.directory / str(step) / RECORD, {"step": step, **record._asdict()})
        self._prune()

    def drop_after(self, step: int) -> None:
        """Delete the checkpoints after `step`: training takes another way from there."""
        for later in self.steps():
            if later > step:
                delete_folder(self.directory / str(later))
                self._verified.discard(later)

    def record(self, step: int) -> Record:
        """Return the record of checkpoint `step`.

        Raises:
          OSError, ValueError, TypeError: it is damaged, or that of another step.
        """
        content = read_record(self.directory / str(step) / RECORD)
        recorded = content.pop("step", step)
        if recorded != step:
            raise ValueError(f"it is the checkpoint of step {recorded} under another's name")
        return as_record(content)

    def restore(self, step: int, like: TrainState) -> TrainState:
        """Read the state of checkpoint `step` in the form of `like`, as NumPy arrays."""
        folder = self.directory / str(step)
        variables = read_item(folder / "variables", like.variables)
        return like.with_arrays(variables, read_item(folder / "optimizer", like.rest))

    def restore_variables(self, step: int) -> Variables:
        """Read the variables of checkpoint `step`, as NumPy arrays.

        Raises:
          InputError: it is damaged or gone.
        """
        self._require(step)
        return read_item(self.directory / str(step) / "variables")

    def role_step(self, role: str, last: int) -> int:
        """Return the step that is best at `role`, by the record of step `last`.

        Raises:
          InputError: nothing has that role, or checkpoint `last` is damaged or gone.
        """
        self._require(last)
        roles = self.record(last).roles
        if role not in roles:
            raise InputError(
                f"{self.directory} must hold a checkpoint {role!r}; it has {sorted(roles)}."
            )
        return int(roles[role]["step"])

    def _require(self, step: int) -> None:
        problem = self._problem(step)
        if problem is not None:
            raise InputError(
                f"the checkpoint {self.directory / str(step)} is needed, and damaged or gone: "
                f"{problem}. Put back a copy of it, or train in another workdir."
            )

    def _problem(self, step: int) -> str | None:
        if step in self._verified:
            return None
        problem = fault(self.directory / str(step), unlisted=RECORD)
        try:
            if problem is None:
                self.record(step)
        except OSError:
            problem = f"{RECORD} is missing"
        except (ValueError, TypeError) as error:
            problem = str(error)
        if problem is None:
            self._verified.add(step)
        return problem

    def _is_good(self, step: int) -> bool:
        problem = self._problem(step)
        if problem is not None:
            folder = self.directory / str(step)
            log.warning(
                "checkpoint %s is damaged: %s. It is now %s and is not used; an earlier one takes "
                "its place",
                folder,
                problem,
                set_aside(folder).name,
            )
        return problem is None

    def _prune(self) -> None:
        steps = self.steps()
        records = {step: self._record_if_readable(step) for step in steps}
        newest = steps[-self._keep_last :]
        newest += [step for step in steps if records[step] and records[step].sound][-1:]
        needed = {*newest, *(s for s in steps if records[s] is None or self.stays(s))}
        for step in newest:
            if records[step] is not None:
                needed |= {int(best["step"]) for best in records[step].roles.values()}
        for step in steps:
            if step not in needed:
                delete_folder(self.directory / str(step))

    def _record_if_readable(self, step: int) -> Record | None:
        try:
            return self.record(step)
        except (OSError, ValueError, TypeError):
            return None  # damaged: it is looked at, and set aside, when it is needed


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
    problem = fault(folder, unlisted=RECORD)
    if problem is None:
        try:
            return read_item(folder / "variables")
        except (OSError, ValueError, KeyError) as error:
            problem = str(error)
    raise InputError(f"the checkpoint {folder} is damaged ({problem}); use another step.")
