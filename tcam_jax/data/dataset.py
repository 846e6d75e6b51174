"""A prepared dataset as training and evaluation see it: batches, and the truth about frames."""

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import replace
from functools import cache
from importlib import import_module
from threading import Thread
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from tcam_jax.data.builders.registry import check_same, read_origin, training_size
from tcam_jax.data.protocol import TrainingSize
from tcam_jax.data.records import Split, dataset_folder, open_split
from tcam_jax.data.sampler import Visits, steps_per_epoch, window_indices
from tcam_jax.data.seed_check import check_seed_files, digest_of_maps
from tcam_jax.data.seed_files import SeedFiles
from tcam_jax.data.truth import Truth, read_truth
from tcam_jax.data.window_frames import ADJACENT, Sampling
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.extras import require


class Dataset:
    """The dataset that `config.dataset` names.

    Args:
      config: the whole config; sizes, the seed and the dataset's place are read from it.

    Raises:
      InputError: the dataset is unknown, not prepared, or prepared in another way than the
        config says; or packages of the extra `train` are not installed.
    """

    def __init__(self, config: ConfigDict):
        require("train", "tensorflow_datasets", "array_record")
        stored = training_size(config.dataset.config)
        if stored not in (None, config.dataset.resize):
            raise InputError(
                f"the training frames of {config.dataset.config} are stored at {stored} pixels, "
                f"but config.dataset.resize is {config.dataset.resize}; make them equal"
            )
        if stored is not None and config.tcam.seed_view == "source":
            raise InputError(
                f"config.tcam.seed_view=source needs training frames as they came, but those of "
                f"{config.dataset.config} are stored at {stored} pixels; take the dataset's "
                "configuration without _train…, or config.tcam.seed_view=frame"
            )
        folder = dataset_folder(config.dataset.data_dir, config.dataset.name, config.dataset.config)
        check_same(folder, dict(config.dataset.options))
        self._config, self._folder = config, folder
        self._visits = Visits(config.dataset.frames_per_shot, config.dataset.balanced)
        self._split, self._truth = cache(self._open), cache(self._read_truth)
        self.class_names = self._split("train").class_names
        if len(self.class_names) < 2:
            raise InputError(
                f"{self._split('train').name} must have at least two classes to tell apart; it has "
                f"{list(self.class_names)}. Add videos of another class."
            )

    def _open(self, split: str) -> Split:
        dataset = self._config.dataset
        whole = open_split(dataset.data_dir, dataset.name, dataset.config, split)
        if split != "train" or dataset.middle_share == 1:
            return whole
        return replace(whole, table=whole.table.middle(dataset.middle_share))

    def _read_truth(self, split: str) -> Truth:
        return read_truth(self._split(split))

    def origin(self) -> dict[str, Any]:
        """Return what the dataset was made from, and where it lies, see `data.protocol`."""
        dataset = self._config.dataset
        name = f"{dataset.name}/{dataset.config} {self._folder.name}"
        return {"folder": str(self._folder), "dataset": name, **read_origin(self._folder)}

    def records(self, split: str) -> Split:
        """Return the records of `split` as they are stored, and the table of the shots used."""
        return self._split(split)

    def steps_per_epoch(self, batch_size: int) -> int:
        """Return the steps of an epoch, see `data.sampler.Visits`."""
        return steps_per_epoch(self._split("train").table, batch_size, self._visits)

    def training_size(self) -> TrainingSize:
        """Return how many shots and frames there are to train on, see `dataset.middle_share`."""
        table = self._split("train").table
        return TrainingSize(table.num_shots, int((table.stop - table.start).sum()))

    def without(self, class_name: str) -> "Dataset":
        """Return the same dataset without a class's training shots and evaluated frames."""
        left, label = copy(self), self.class_names.index(class_name)

        def split(name: str) -> Split:
            whole = self._split(name)
            return replace(whole, table=whole.table.without(label)) if name == "train" else whole

        left._split = cache(split)
        left._truth = cache(lambda name: self._truth(name).of(self._truth(name).labels != label))
        return left

    def get_ready(self) -> None:
        """Import TensorFlow in a thread: that takes seconds, and a network is built meanwhile."""
        require("train", "tensorflow", "simplejpeg")
        Thread(target=import_module, args=["tcam_jax.data.windows"]).start()

    def only(self, split: str, chosen: np.ndarray) -> "Dataset":
        """Return the same dataset with some of a split's evaluated frames alone.

        Args:
          split: "validation" or "test".
          chosen: of the frames of `truth(split)`, bool `[frames]`.
        """
        left = copy(self)
        kept = self._truth(split).of(chosen)
        left._truth = lambda name: kept if name == split else self._truth(name)
        return left

    def training_batches(
        self,
        *,
        batch_size: int,
        n: int,
        mode: str,
        first_step: int,
        num_steps: int,
        rows: slice | np.ndarray = slice(None),
        boxes: bool = False,
        seed_dir: str | None = None,
        source_size: int | None = None,
        flow: bool = False,
        motion_of: str | None = None,
        sampling: Sampling = ADJACENT,
    ) -> Iterator[Mapping[str, np.ndarray]]:
        """Return the batches number `first_step` … `num_steps` - 1, see `data.protocol`.

        Args:
          n, mode: the window, see `data.sampler.window_indices`.
          rows: this process's slots of the batch, in the order in which they come.
          boxes: give the target frame's true box too.
          seed_dir: give the frames' maps from this folder too, see `data.seed_files.SeedFiles`.
          source_size: give the frames as stored, resized straight to this size, too.
          flow: give the optical flow within the windows too.
          motion_of: give where things move in the "target" frames, or in "all", too.
          sampling: which frames are neighbours.

        Raises:
          InputError: see `data.windows.training_batches`.
        """
        require("train", "tensorflow", "simplejpeg")
        from tcam_jax.data.windows import training_batches  # imports TensorFlow

        return training_batches(
            self._split("train"),
            seed=self._config.seed,
            first_step=first_step,
            num_steps=num_steps - first_step,
            batch_size=batch_size,
            n=n,
            mode=mode,
            resize_size=self._config.dataset.resize,
            rows=rows,
            visits=self._visits,
            with_boxes=boxes,
            seed_dir=seed_dir,
            source_size=source_size,
            flow=flow,
            motion_of=motion_of,
            sampling=sampling,
        )

    def frames_of_batch(self, number: int, batch_size: int) -> list[str]:
        """Return the ids of the target frames of one training batch, as drawn, for reports.

        A frame that turned out to be damaged has been replaced since, which the log says.
        """
        split = self._split("train")
        drawn = window_indices(
            split.table,
            seed=self._config.seed,
            step=number,
            batch_size=batch_size,
            n=0,
            mode="before",
            visits=self._visits,
        )
        return [split.read_frame_id(record) for record in drawn.records[:, 0].tolist()]

    def check_seed_files(self, seed_dir: str) -> None:
        """Refuse a folder in which training frames have no maps, as far as is seen in seconds.

        Raises:
          InputError: see `data.seed_check`.
        """
        check_seed_files(SeedFiles(seed_dir), self._split("train"))

    def seed_files_digest(self, seed_dir: str) -> str:
        """Return what tells the seed maps in a folder from others, see `data.seed_check`.

        Raises:
          InputError: a training frame's map is missing or cannot be read.
        """
        return digest_of_maps(SeedFiles(seed_dir), self._split("train"))

    def truth(self, split: str) -> Truth:
        """Return what is known of the frames of `split` ("validation", "test") to evaluate."""
        return self._truth(split)

    def frames(
        self, split: str, batch_size: int, rows: slice = slice(None), motion: bool = False
    ) -> Iterator[Mapping[str, np.ndarray]]:
        """Return the frames of `truth(split)` in order, for `evaluate.split.score_split`.

        Args:
          split: "validation" or "test".
          batch_size: of all processes together.
          rows: this process's part of every batch.
          motion: give where things move in them too.
        """
        require("train", "tensorflow", "simplejpeg")
        from tcam_jax.data.windows import frame_batches  # imports TensorFlow

        return frame_batches(
            self._split(split),
            records=self.truth(split).records,
            batch_size=batch_size,
            size=self._config.dataset.crop,
            rows=rows,
            motion=motion,
        )
