"""Prepared datasets, read at random: one split is its records plus its shot table."""

import contextlib
import io
import operator
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, SupportsIndex, runtime_checkable

import numpy as np
from PIL import Image

from tcam_jax.data import shot_table
from tcam_jax.data.builders.registry import FROM_FILES, LEAST_VERSIONS, check_name, prepared_folder
from tcam_jax.data.described_classes import described_classes
from tcam_jax.data.shot_table import ShotTable
from tcam_jax.runtime.errors import InputError


@runtime_checkable
class RecordSource(Protocol):
    """Records at random. Not a `Sequence`: type checkers look into one, which would read a file."""

    def __len__(self) -> int: ...

    def __getitem__(self, record: int, /) -> Any: ...


@dataclass(frozen=True)
class Split:
    """One split of a prepared dataset.

    `name`: such as "moving_shapes/default train", for messages. `source[i]`: record i as a dict:
    `image` JPEG bytes exactly as they came, `label` class number, `frame_id` text
    "class/video/shot/file.jpg", `video` and `shot` text, `index_in_shot`, `width` and `height`
    (pixels), `boxes` float32 `[boxes, 4]` = x0, y0, x1, y1 in source pixels (0 boxes: unlabelled).
    `serialised[i]`: record i as stored, a serialised `tf.train.Example`.
    `table`: the shot table. `class_names`: position = class number.
    """

    name: str
    source: RecordSource
    serialised: RecordSource
    table: ShotTable
    class_names: tuple[str, ...]

    def read(self, records: Iterable[SupportsIndex]) -> list[dict[str, Any]]:
        """Reads the given records, in the given order.

        Raises:
            InputError: a record number out of range, or a damaged record (named).
        """
        numbers = [operator.index(record) for record in records]
        self.check_numbers(numbers)
        return [self._read_one(number) for number in numbers]

    def check_numbers(self, records: Iterable[SupportsIndex]) -> None:
        """Raises InputError if a record number is out of range."""
        for record in records:
            if not 0 <= operator.index(record) < self.table.num_records:
                raise InputError(
                    f"expected records of {self.name} in 0..{self.table.num_records - 1}, "
                    f"got {record}"
                )

    def read_jpeg(self, record: int) -> bytes:
        """Reads the JPEG bytes of one record, much faster than all of its fields.

        Raises:
            InputError: a damaged record (named).
        """
        return self._read_bytes(record, "image")

    def read_image(self, record: int) -> np.ndarray:
        """Reads the frame of one record as it is stored, RGB, uint8 [height, width, 3].

        Raises:
            InputError: a damaged record (named).
        """
        jpeg = self.read_jpeg(record)
        try:
            # Not TensorFlow's decoder: the values are the same, and it need not be there.
            with Image.open(io.BytesIO(jpeg)) as image:
                return np.asarray(image.convert("RGB"))
        except (OSError, SyntaxError) as error:
            raise self.damaged(record, f"cannot be decoded: {error}") from error

    def read_frame_id(self, record: int) -> str:
        """Reads the frame id of one record: "class/video/shot/file.jpg".

        Raises:
            InputError: a damaged record (named).
        """
        return self._read_bytes(record, "frame_id").decode()

    def readable_ids(self, records: Iterable[int]) -> Iterator[str]:
        """The frame ids of records, without damaged ones: training names those itself."""
        for record in records:
            with contextlib.suppress(InputError):
                yield self.read_frame_id(record)

    def _read_bytes(self, record: int, key: str) -> bytes:
        from tensorflow_datasets.proto import tf_example_pb2

        try:
            example = tf_example_pb2.Example.FromString(self.serialised[record])
            return example.features.feature[key].bytes_list.value[0]
        except Exception as error:  # the reader's and the parser's own types, whatever they are
            raise self.damaged(record, f"cannot be read: {error}") from error

    def _read_one(self, record: int) -> dict[str, Any]:
        # One by one: the reader of many starts threads for every call, which takes far longer.
        try:
            return _as_example(self.source[record])
        except Exception as error:
            raise self.damaged(record, f"cannot be read: {error}") from error

    def damaged(self, record: int, problem: str) -> InputError:
        """The one error for a record that cannot be used: which it is and what to do."""
        return InputError(
            f"record {record} of {self.name} (shot {self.table.shot[record]}, "
            f"frame {self.table.index_in_shot[record]} of the shot) {problem}; the dataset on disk "
            "is damaged: delete its folder and run `tcam prepare --config=…` again"
        )


def _as_example(stored: dict[str, Any]) -> dict[str, Any]:
    texts = {key: stored[key].decode() for key in ("frame_id", "video", "shot")}
    # TFDS gives a list, which has no shape when it is empty.
    return stored | texts | {"boxes": np.asarray(stored["boxes"], np.float32).reshape(-1, 4)}


def dataset_folder(data_dir: str | Path, name: str, config: str) -> Path:
    """Folder of the newest prepared version of a dataset: `data_dir/name/config/version`.

    Raises:
        InputError: unknown dataset, or not prepared.
    """
    check_name(name)
    folder = prepared_folder(data_dir, name, config)
    if folder is None:
        files = " --manual_dir=YOUR_FILES" if name in FROM_FILES else ""
        least = f" in version {LEAST_VERSIONS[name]} or newer" if name in LEAST_VERSIONS else ""
        raise InputError(
            f"dataset {name}/{config} is not prepared{least} in {data_dir}. Prepare it there: "
            f"`tcam prepare --config=…{files} --data_dir={data_dir}`; or say where it lies: "
            "--data_dir=PLACE of `tcam evaluate` and `tcam report`, "
            "--config.dataset.data_dir=PLACE of `tcam train`."
        )
    return folder


def open_split(data_dir: str | Path, name: str, config: str, split: str) -> Split:
    """Opens one split of a prepared dataset for reading at random; reads no record yet.

    Raises:
        InputError: unknown dataset, not prepared, unknown split, or records and shot table that
            do not belong together.
    """
    import tensorflow_datasets as tfds

    folder = dataset_folder(data_dir, name, config)
    table = shot_table.load_table(folder / shot_table.FILE_NAME, split)
    class_names = described_classes(folder)
    try:
        builder = tfds.builder_from_directory(folder)
        source = builder.as_data_source(split, decoders={"image": tfds.decode.SkipDecoding()})
    except Exception as error:  # whatever TFDS and its parsers say of files that are not their own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{folder} is damaged ({reason[:200]}): its dataset_info.json and features.json must "
            "be as they were written; delete the folder and run `tcam prepare --config=…` again"
        ) from error
    if len(source) != table.num_records:
        raise InputError(
            f"{folder} has {len(source)} records in split {split} but its shot table has "
            f"{table.num_records}; delete the folder and run `tcam prepare "
            "--config=…` again"
        )
    if table.label.max() >= len(class_names):
        raise InputError(
            f"{folder} has {len(class_names)} classes, and records of class {table.label.max()} in "
            f"split {split}; delete the folder and run `tcam prepare --config=…` again"
        )
    return Split(f"{name}/{config} {split}", source, source.data_source, table, class_names)
