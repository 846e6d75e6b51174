"""What a dataset of very many frames costs: memory of its index, time to start and to resume."""

import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from array_record.python.array_record_module import ArrayRecordWriter
from PIL import Image

from tcam_jax.data.shot_table import FILE_NAME, Row, ShotTable, save_tables

FRAMES_PER_SHOT = 200
FRAMES_PER_SHARD = 50_000


def write_dataset(data_dir: Path, num_frames: int) -> None:
    """Writes `video_folder/many` below `data_dir`: frames that all have the same small image."""
    import tensorflow_datasets as tfds

    from tcam_jax.data.builders.features import frame_features

    folder = data_dir / "video_folder/many/1.0.0"
    folder.mkdir(parents=True)
    features = frame_features(["a", "b"])
    file = io.BytesIO()
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(file, "JPEG")
    texts = dict.fromkeys(("frame_id", "video", "shot"), "")
    numbers = {"label": 0, "index_in_shot": 0, "width": 16, "height": 16}
    example = {"image": file.getvalue(), "boxes": [], **texts, **numbers}
    record = features.serialize_example(example)
    starts = range(0, num_frames, FRAMES_PER_SHARD)
    lengths = [min(FRAMES_PER_SHARD, num_frames - start) for start in starts]
    template = tfds.core.ShardedFileTemplate(
        data_dir=folder,
        dataset_name="video_folder",
        split="train",
        filetype_suffix="array_record",
    )
    for number, length in enumerate(lengths):
        path = template.sharded_filepath(shard_index=number, num_shards=len(lengths))
        writer = ArrayRecordWriter(str(path), "group_size:1")
        for _ in range(length):
            writer.write(record)
        writer.close()
    split = tfds.core.SplitInfo(
        name="train",
        shard_lengths=lengths,
        num_bytes=len(record) * num_frames,
        filename_template=template,
    )
    tfds.folder_dataset.write_metadata(
        data_dir=folder,
        features=features,
        split_infos=[split],
        filename_template=template,
        check_data=False,
    )
    save_tables(folder / FILE_NAME, {"train": ShotTable.from_rows(_rows(num_frames))})


def _rows(num_frames: int) -> Iterator[Row]:
    for number in range(num_frames):
        shot, index = divmod(number, FRAMES_PER_SHOT)
        yield Row(f"video{shot // 10}", f"shot{shot}", index, shot // 10 % 2, False)


def measure(data_dir: Path) -> dict[str, float]:
    """Opens the dataset in a fresh process; MB of resident memory and seconds.

    Keys: `records`; `imported_mb`, `opened_mb`, `after_200_batches_mb`; `open_s`, `first_batch_s`;
    `indices_far_s`, the windows of step 1,000,000; `resume_far_s`, the first batch from there.
    """
    program = f"from {__name__} import _measure_here; _measure_here({str(data_dir)!r})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def _measure_here(data_dir: str) -> None:
    # Not counted as part of opening the dataset.
    import tensorflow_datasets  # noqa: F401

    from tcam_jax.data.records import open_split
    from tcam_jax.data.sampler import window_indices
    from tcam_jax.data.windows import training_batches

    settings = {"seed": 0, "batch_size": 32, "n": 1, "mode": "before"}
    far = 1_000_000
    result: dict[str, float] = {"imported_mb": _resident_mb()}
    start = time.perf_counter()
    split = open_split(data_dir, "video_folder", "many", "train")
    result |= {"open_s": time.perf_counter() - start, "opened_mb": _resident_mb()}
    result["records"] = split.table.num_records

    start = time.perf_counter()
    batches = training_batches(split, first_step=0, num_steps=200, resize_size=16, **settings)
    next(batches)
    result["first_batch_s"] = time.perf_counter() - start
    for _ in batches:
        pass
    result["after_200_batches_mb"] = _resident_mb()

    start = time.perf_counter()
    window_indices(split.table, step=far, **settings)
    result["indices_far_s"] = time.perf_counter() - start
    start = time.perf_counter()
    next(training_batches(split, first_step=2 * far, num_steps=4, resize_size=16, **settings))
    result["resume_far_s"] = time.perf_counter() - start
    print(json.dumps(result))


def _resident_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024
