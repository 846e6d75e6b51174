"""The tf.data pipeline: reads and decodes what the sampler says, on the CPU only.

One Python call per batch reads, decodes and resizes its frames, several batches at a time in as
many threads. Nearly all of its time is spent in C++ without Python's lock: that is almost as fast
as the bare operations (docs/data_throughput.json), and a damaged record is an exception that can be
caught.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tcam_jax.data.bad_records import BadRecords
from tcam_jax.data.batch_frames import Frames
from tcam_jax.data.batch_reader import Batch, TrainingWindows
from tcam_jax.data.batch_stream import stream
from tcam_jax.data.decode import decode_into, tf  # TensorFlow as set up there
from tcam_jax.data.frame_motion import motion_of_records
from tcam_jax.data.optical_flow import flow_side
from tcam_jax.data.records import Split
from tcam_jax.data.sampler import ONCE, Visits
from tcam_jax.data.seed_check import check_seed_files
from tcam_jax.data.seed_files import SeedFiles
from tcam_jax.data.window_frames import ADJACENT, Sampling
from tcam_jax.runtime.errors import InputError


def training_batches(
    split: Split,
    *,
    seed: int,
    first_step: int,
    num_steps: int,
    batch_size: int,
    n: int,
    mode: str,
    resize_size: int,
    rows: slice | np.ndarray = slice(None),
    visits: Visits = ONCE,
    with_boxes: bool = False,
    seed_dir: str | Path | None = None,
    source_size: int | None = None,
    flow: bool = False,
    motion_of: str | None = None,
    sampling: Sampling = ADJACENT,
) -> Iterator[Batch]:
    """Batches of shot windows for the steps first_step, first_step + 1, ...

    Batch i is a function of (seed, first_step + i) and the records alone: starting later reads
    nothing earlier. Damaged records do not stop it: a window whose target is damaged is drawn
    again (`sampler.redraw_target`), and any other damaged frame is a slot that is not valid. Each
    is named in the log once. A seed map that is missing or wrong does stop it: a run without its
    seeds would be another run. That is seen here where `seed_check` can tell, otherwise when the
    map's batch comes.

    Args:
        split: what to read.
        seed: of the sampler.
        first_step: the first global step, from 0.
        num_steps: how many batches.
        batch_size: of the global batch, over all hosts.
        n: neighbours of the target frame in the window, see `sampler.window_indices`.
        mode: "before", "after" or "before_after".
        resize_size: s, pixels.
        rows: this process's slots of the global batch, in the order in which they come.
        visits: what an epoch visits, see `sampler.Visits`.
        with_boxes: also give the target frame's first box.
        seed_dir: also give every frame's map from this folder, see `seed_files.SeedFiles`.
        source_size: also give every frame as stored, resized straight to this size.
        flow: also give the optical flow from the targets to the other frames of their windows.
        motion_of: also give where things move: in the "target" frames, or in "all" frames.
        sampling: which frames are neighbours, see `window_frames.Sampling`.

    Returns:
        Iterator of dicts of (read-only) NumPy arrays, b counting this process's rows: `frames`
        uint8 `[b, t, s, s, 3]`, 0..255; `valid` bool `[b, t]`, False where a slot repeats the
        target because its frame lies outside the shot or is damaged; `label` int32 `[b]`; `slot`
        int32 `[b]`, the place in the global batch; with_boxes: `boxes` float32 `[b, 4]`, x0, y0,
        x1, y1 in 0..1 of the frame's width and height; seed_dir: `seed_maps` float32
        `[b, t, s, s]`, 0..1, of the frames that are in the same places; source_size: `sources`
        uint8 `[b, t, source_size, source_size, 3]`, likewise; flow: `flow` float32
        `[b, t, g, g, 2]`, see `optical_flow.window_flow`; motion_of: `motion` float32
        `[b, f, g, g]`, 0..1, see `optical_flow.motion_map`, f = 1 or t.

    Raises:
        InputError: a sampler's argument out of range, boxes or seed maps asked for but absent, or
            (while iterating) more damaged records than `bad_records` tolerates, or a seed map that
            is missing or wrong.
    """
    if with_boxes and not split.table.has_box.all():
        raise InputError(
            f"expected a box on every frame of {split.name}, but {(~split.table.has_box).sum()} of "
            f"{split.table.num_records} have none; train without boxes, or choose a dataset "
            "configuration that has them (moving_shapes: train_boxes)"
        )
    windows = TrainingWindows(
        split=split,
        seed=seed,
        batch_size=batch_size,
        n=n,
        mode=mode,
        size=resize_size,
        rows=rows,
        visits=visits,
        with_boxes=with_boxes,
        decoder=decode_into,
        bad=BadRecords(split),
        seeds=None if seed_dir is None else SeedFiles(seed_dir),
        source_size=source_size,
        with_flow=flow,
        motion_of=motion_of,
        sampling=sampling,
    )
    b, t = windows.drawn(first_step)[0].shape
    signature = {
        "frames": tf.TensorSpec([b, t, resize_size, resize_size, 3], tf.uint8),
        "valid": tf.TensorSpec([b, t], tf.bool),
        "label": tf.TensorSpec([b], tf.int32),
        "slot": tf.TensorSpec([b], tf.int32),
    }
    if source_size is not None:
        signature["sources"] = tf.TensorSpec([b, t, source_size, source_size, 3], tf.uint8)
    g = flow_side(resize_size)
    if motion_of is not None:
        f = t if motion_of == "all" else 1
        signature["motion"] = tf.TensorSpec([b, f, g, g], tf.float32)
    if flow:
        signature["flow"] = tf.TensorSpec([b, t, g, g, 2], tf.float32)
    if with_boxes:
        signature["boxes"] = tf.TensorSpec([b, 4], tf.float32)
    if windows.seeds is not None:
        check_seed_files(windows.seeds, split)
        signature["seed_maps"] = tf.TensorSpec([b, t, resize_size, resize_size], tf.float32)
    return stream(range(first_step, first_step + num_steps), windows.batch, signature)


def frame_batches(
    split: Split,
    *,
    records: Sequence[int] | np.ndarray,
    batch_size: int,
    size: int,
    rows: slice = slice(None),
    motion: bool = False,
) -> Iterator[Batch]:
    """Single frames, resized directly to size x size, for evaluation.

    Args:
        split: what to read.
        records: record numbers `[records]`, in the order in which they come out.
        batch_size: b, of every batch: the last one is filled up by repeating a frame.
        size: pixels.
        rows: this process's part of every batch; all processes get as many batches.
        motion: also give where things move.

    Returns:
        Iterator of dicts of (read-only) NumPy arrays, b counting the rows: `frames` uint8
        `[b, size, size, 3]`, 0..255, and `record` int64 `[b]`, -1 where the slot is only filled up;
        motion: `motion` float32 `[b, g, g]`, 0..1, see `optical_flow.motion_map`.

    Raises:
        InputError: no records, a batch_size below 1, a record number out of range, or (while
            iterating, when its batch comes) a damaged record: a score over fewer frames would be
            another score.
    """
    numbers = np.asarray(records, np.int64)
    if numbers.ndim != 1 or not len(numbers) or batch_size < 1:
        raise InputError(
            "expected a list of at least one record and a batch_size >= 1, got "
            f"shape {numbers.shape} and batch_size {batch_size}"
        )
    split.check_numbers(numbers)
    num_steps = -(-len(numbers) // batch_size)
    spare = num_steps * batch_size - len(numbers)
    reads = np.concatenate([numbers, np.repeat(numbers[-1:], spare)]).reshape(num_steps, batch_size)
    names = np.concatenate([numbers, np.full(spare, -1)]).reshape(num_steps, batch_size)
    reads, names = reads[:, rows], names[:, rows]
    b, g = reads.shape[1], flow_side(size)

    def batch(step: int) -> Batch:
        frames = Frames(split, (b,), size, decode_into)
        for place, record in enumerate(reads[step].tolist()):
            frames.put((place,), record)
        made = {"frames": frames.pixels, "record": names[step]}
        if motion:
            made["motion"] = motion_of_records(split.table, reads[step], size, frames.frame)
        return made

    signature = {
        "frames": tf.TensorSpec([b, size, size, 3], tf.uint8),
        "record": tf.TensorSpec([b], tf.int64),
    }
    if motion:
        signature["motion"] = tf.TensorSpec([b, g, g], tf.float32)
    return stream(range(num_steps), batch, signature)
