"""What all dataset builders share: one record per frame, shots in order, the shot table beside."""

import abc
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from tcam_jax.data import shot_table
from tcam_jax.data.shot_table import Row, ShotTable
from tcam_jax.errors import InputError


class SourceFrame(NamedTuple):
    """One frame: JPEG bytes, file name, size in pixels, boxes float32 `[boxes, 4]` in pixels."""

    jpeg: bytes
    file: str
    width: int
    height: int
    boxes: np.ndarray


class SourceShot(NamedTuple):
    """One shot; `video` is unique in the class, `shot` in the video; frames in order of time.

    `frames` may be lazy: it is walked once, and only when the shot is written.
    """

    class_name: str
    video: str
    shot: str
    num_frames: int
    frames: Iterable[SourceFrame]


class ShotDatasetBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Base of the builders: a subclass says `class_names()`, `splits()` and `origin()`.

    Records are written to `array_record` files in the order in which the subclass yields them, so
    a shot is a contiguous range of records; `index.npz` (the shot table) and `origin.json` (what
    the dataset was made from) are written into the same temporary folder, which TFDS renames when
    all is done.
    """

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, **kwargs: Any):
        # The one format that is read at random.
        super().__init__(**{"file_format": "array_record", **kwargs})

    @abc.abstractmethod
    def class_names(self) -> Sequence[str]:
        """Names of the classes; position = class number."""

    @abc.abstractmethod
    def splits(self) -> dict[str, list[SourceShot]]:
        """The shots of every split."""

    @abc.abstractmethod
    def origin(self) -> dict[str, Any]:
        """What the dataset is made from, JSON-able: another origin is another dataset."""

    def _info(self) -> tfds.core.DatasetInfo:
        features = tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
                "label": tfds.features.ClassLabel(names=list(self.class_names())),
                "frame_id": tfds.features.Text(),
                "video": tfds.features.Text(),
                "shot": tfds.features.Text(),
                "index_in_shot": np.int32,
                "width": np.int32,
                "height": np.int32,
                "boxes": tfds.features.Sequence(tfds.features.Tensor(shape=(4,), dtype=np.float32)),
            }
        )
        return self.dataset_info_from_configs(features=features, disable_shuffling=True)

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator[tuple[int, dict]]]:
        self._rows: dict[str, list[Row]] = {}
        generators = {}
        for split, shots in self.splits().items():
            if not shots:
                raise InputError(
                    f"expected at least one shot in split {split!r} of {self.name}, got none; "
                    "add videos or change the split fractions"
                )
            self._rows[split] = []
            generators[split] = self._generate_examples(split, shots)
        return generators

    def _generate_examples(
        self, split: str, shots: list[SourceShot]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        label_of = {name: number for number, name in enumerate(self.class_names())}
        total = sum(shot.num_frames for shot in shots)
        for shot in shots:
            video = f"{shot.class_name}/{shot.video}"
            for index, frame in enumerate(shot.frames):
                # TFDS sorts by key and, above 1 GB, through 1000 files by the key's share of
                # 2**128: small keys would all land in one, which is then sorted in memory.
                key = (len(self._rows[split]) << 128) // total
                boxes = np.asarray(frame.boxes, np.float32).reshape(-1, 4)
                label = label_of[shot.class_name]
                row = Row(video, f"{video}/{shot.shot}", index, label, bool(len(boxes)))
                self._rows[split].append(row)
                yield (
                    key,
                    {
                        "image": frame.jpeg,
                        "label": label,
                        "frame_id": f"{row.shot}/{frame.file}",
                        "video": row.video,
                        "shot": row.shot,
                        "index_in_shot": index,
                        "width": frame.width,
                        "height": frame.height,
                        "boxes": boxes,
                    },
                )

    def _download_and_prepare(self, dl_manager: Any, download_config: Any) -> None:
        super()._download_and_prepare(dl_manager, download_config)
        folder = Path(self.data_dir)  # the temporary one, at this moment
        tables = {split: ShotTable.from_rows(rows) for split, rows in self._rows.items()}
        shot_table.save_tables(folder / shot_table.FILE_NAME, tables)
        (folder / "origin.json").write_text(json.dumps(self.origin(), indent=1))
