"""What training asks of a dataset, so that it needs neither TensorFlow nor a prepared one."""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array
from ml_collections import ConfigDict

from tcam_jax.data.class_names import check_class_names
from tcam_jax.data.records import Split
from tcam_jax.data.truth import Truth
from tcam_jax.data.window_frames import Sampling
from tcam_jax.runtime.errors import InputError

Batch = Mapping[str, Array]
"""A batch of shot windows on the device.

frames uint8 `[b, t, h, w, 3]`, valid bool `[b, t]`, label int32 `[b]`, slot int32 `[b]` (index in
the global batch); where seeds come from true boxes, boxes float32 `[b, 4]` in 0..1; where they come
from the user's own maps, seed_maps float32 `[b, t, h, w]`, 0..1; where the seeds' CAMs see source
frames, sources uint8 `[b, t, s, s, 3]`; where these are pooled along the optical flow, flow float32
`[b, t, g, g, 2]`, in shares of the frame (down, right); where motion is a prior, motion float32
`[b, f, g, g]`, 0..1, of the f labelled frames of each window.
"""


@runtime_checkable
class Data(Protocol):
    """What training needs of a dataset; `tcam_jax.data.dataset.Dataset` is one.

    A class of your own that has these members can be given to `train_and_evaluate`:

        tcam_jax.train_and_evaluate(config, "runs/mine", data=MyData())

    Then `config.dataset` says only in which sizes frames come: `resize` and `crop`. What is asked
    for must not depend on what was asked before: a run that goes on asks for later batches alone.
    Validation reads its `frames` in a thread of its own, while training goes on reading batches.
    Nothing is written into a batch after it was given: several are under way, or kept.
    """

    @property
    def class_names(self) -> Sequence[str]:
        """Names of the classes, `[k]`, in the order of their indices."""

    def steps_per_epoch(self, batch_size: int) -> int:
        """Steps of an epoch: those in which every training shot is visited once."""

    def training_batches(
        self,
        *,
        batch_size: int,
        n: int,
        mode: str,
        first_step: int,
        num_steps: int,
        rows: np.ndarray,
        boxes: bool = False,
        seed_dir: str | None = None,
    ) -> Iterator[Mapping[str, np.ndarray]]:
        """Batches number first_step … num_steps - 1, in the form of `Batch`, as NumPy arrays.

        Args:
          batch_size: windows in the global batch, over all processes.
          n, mode: the frames of a window, in their order of time: the target and its neighbours,
            see `data.window_frames.window_offsets`; one that the shot does not have is black, and
            not `valid`. The target is the last one of "before", the first of "after", the middle
            one of "before_after".
          first_step, num_steps: numbers of batches, from 0 over the whole training.
          rows: slots of the global batch, `[b here]`: the windows to give, in this order; their
            `slot` is this number. With one process and one device, all of them.
          boxes: give the target's true box too.
          seed_dir: give the maps of this folder too.

        Only where the config wants more it is asked for more: with `tcam.seed_view="source"` for
        `source_size`, to give `sources`, the frames resized from their sources straight to this
        size; with another `tcam.window.sampling` than "adjacent" for `sampling`, a
        `data.window_frames.Sampling`: which frames of the shot the neighbours are; with
        `tcam.window.align` for `flow`, and with `tcam.seeds.motion` for `motion_of` the "target"
        frames or "all", to give what `data.optical_flow` makes of the frames.

        Yields:
          frames uint8 `[b here, t, resize, resize, 3]`, RGB; valid, label, slot; see `Batch`.
        """

    def frames_of_batch(self, number: int, batch_size: int) -> Sequence[str]:
        """Ids of the target frames of one training batch, which reports of faults name."""

    def truth(self, split: str) -> Truth:
        """The frames of a split that are evaluated, with their labels and boxes.

        Args:
          split: "validation" or "test".
        """

    def frames(
        self, split: str, batch_size: int, rows: slice
    ) -> Iterator[Mapping[str, np.ndarray]]:
        """The frames of `truth(split)`, in their order, in batches.

        Args:
          split: "validation" or "test".
          batch_size: of all processes together; every batch has it.
          rows: this process's part of every batch.

        Yields:
          frames uint8 `[b here, crop, crop, 3]`, RGB, and record int64 `[b here]`: the number that
          `Truth.records` has for the frame; -1 for what fills up the last batch.

        Where the map `motion` is asked for (`eval.map`, `eval.other_maps`), this has one argument
        more, `motion=True`, to give what `data.optical_flow.motion_map` makes of the frames too:
        motion float32 `[b here, g, g]`.
        """


class TrainingSize(NamedTuple):
    """How many shots, and frames in them, there are to train on."""

    shots: int
    frames: int


@runtime_checkable
class Counted(Protocol):
    """`Data` that can say how much it is, which durations in passes need; others need not."""

    def training_size(self) -> TrainingSize:
        """Shots and frames of the training split."""


@runtime_checkable
class Recorded(Protocol):
    """`Data` whose frames lie as records in shots, so that a frame's neighbours can be seen too."""

    def records(self, split: str) -> Split:
        """The records of "train", "validation" or "test"."""


@runtime_checkable
class Original(Protocol):
    """`Data` that can say what they were made from; a run goes on with the same alone."""

    def origin(self) -> Mapping[str, Any]:
        """What tells this dataset from others, JSON-able; `folder`, where it lies, may change."""


def seed_arguments(data: Data, config: ConfigDict) -> dict[str, Any]:
    """Return the arguments of `training_batches` that say what seeds are made of.

    Raises:
      InputError: more is asked for than `data` gives, such as source frames or optical flow.
    """
    section = config.tcam
    arguments: dict[str, Any] = {
        "boxes": section.seed_source == "boxes",
        "seed_dir": section.seed_dir if section.seed_source == "files" else None,
    }
    asked: dict[str, tuple[Any, str, str]] = {}
    if section.window.sampling != "adjacent" and section.window.n:
        sampling = Sampling(section.window.sampling, section.window.sigma_t)
        asked["sampling"] = sampling, f"window.sampling={sampling.name}", "window.sampling=adjacent"
    if section.seed_source == "cam" and section.seed_view == "source":
        asked["source_size"] = config.dataset.crop, "seed_view=source", "seed_view=frame"
    if section.window.align and section.window.n:
        asked["flow"] = True, "window.align=True", "window.align=False"
    if section.seeds.motion:
        labelled = section.window.labelled
        asked["motion_of"] = labelled, f"seeds.motion={section.seeds.motion}", "seeds.motion=0"
    for name, (value, wanted, instead) in asked.items():
        if name not in inspect.signature(data.training_batches).parameters:
            raise InputError(
                f"for config.tcam.{wanted}, data.training_batches must take the argument {name}; "
                f"that of {type(data).__name__} does not. Add it, or choose config.tcam.{instead}."
            )
        arguments[name] = value
    return arguments


def evaluation_frames(data: Data, neighbours: bool) -> Callable[..., Iterator[Mapping[str, Any]]]:
    """Return `data.frames`, with where things move in them if `neighbours` are looked at.

    Raises:
      InputError: `data` do not give it.
    """
    if not neighbours:
        return data.frames
    if "motion" not in inspect.signature(data.frames).parameters:
        raise InputError(
            "for config.eval.map=motion, or motion in config.eval.other_maps, data.frames must "
            f"take the argument motion; that of {type(data).__name__} does not. Add it, or choose "
            "other maps, as crf."
        )
    return partial(data.frames, motion=True)


def check_data(data: object) -> None:
    """Refuse an object that is no `Data`.

    Raises:
      TypeError: names what it lacks.
      InputError: its classes have names that cannot be kept, see `check_class_names`.
    """
    if not isinstance(data, Data):
        members = [name for name in vars(Data) if not name.startswith("_")]
        lacking = [name for name in members if not hasattr(data, name)]
        raise TypeError(
            f"data must have the members of tcam_jax.Data; {type(data).__name__} lacks "
            f"{', '.join(lacking)}."
        )
    check_class_names(data.class_names, type(data).__name__)
