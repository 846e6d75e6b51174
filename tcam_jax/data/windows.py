"""The tf.data pipeline: reads and decodes what the sampler says, on the CPU only."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

# Set before TensorFlow starts: it only reads JPEG files here, and need not speak of its kernels.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
import tensorflow as tf  # noqa: E402

from tcam_jax.data.records import Split
from tcam_jax.data.sampler import target_position, window_indices
from tcam_jax.errors import InputError

# Before anything else of TensorFlow: it would take an accelerator's whole memory from JAX.
tf.config.set_visible_devices([], "GPU")
tf.config.set_visible_devices([], "TPU")

Batch = dict[str, np.ndarray]

MOST_BATCHES_AT_ONCE = 16  # each is read and decoded by one thread, and lies in memory


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
    rows: slice = slice(None),
    with_boxes: bool = False,
) -> Iterator[Batch]:
    """Batches of shot windows for the steps first_step, first_step + 1, ...

    Batch i is a function of (seed, first_step + i) alone: starting later reads nothing earlier.

    Args:
        split: what to read.
        seed: of the sampler.
        first_step: the first global step, from 0.
        num_steps: how many batches.
        batch_size: of the global batch, over all hosts.
        n: neighbours of the target frame in the window, see `sampler.window_indices`.
        mode: "before", "after" or "before_after".
        resize_size: s, pixels.
        rows: this host's part of the global batch.
        with_boxes: also give the target frame's first box.

    Returns:
        Iterator of dicts of (read-only) NumPy arrays, b counting this host's rows: `frames` uint8
        `[b, t, s, s, 3]`, 0..255; `valid` bool `[b, t]`; `label` int32 `[b]`; `slot` int32 `[b]`,
        the place in the global batch; with_boxes: `boxes` float32 `[b, 4]`, x0, y0, x1, y1 in 0..1
        of the frame's width and height.

    Raises:
        InputError: a sampler's argument out of range, boxes asked for but absent, or (while
            iterating) a damaged record.
    """
    if with_boxes and not split.table.has_box.all():
        raise InputError(
            f"expected a box on every frame of {split.name}, but {(~split.table.has_box).sum()} of "
            f"{split.table.num_records} have none; train without boxes, or choose a dataset "
            "configuration that has them (moving_shapes: train_boxes)"
        )
    target = target_position(n, mode)

    def windows(step: int) -> tuple[np.ndarray, np.ndarray]:
        records, valid = window_indices(
            split.table, seed=seed, step=step, batch_size=batch_size, n=n, mode=mode
        )
        return records[rows], valid[rows]

    def describe(step: int, examples: dict[int, dict[str, Any]]) -> Batch:
        records, valid = windows(step)
        more = {
            "valid": valid,
            "label": split.table.label[records[:, target]],
            "slot": np.arange(batch_size, dtype=np.int32)[rows],
        }
        if with_boxes:
            more["boxes"] = np.stack([_unit_box(examples[r]) for r in records[:, target].tolist()])
        return more

    b, t = windows(first_step)[0].shape
    signature = {
        "valid": tf.TensorSpec([b, t], tf.bool),
        "label": tf.TensorSpec([b], tf.int32),
        "slot": tf.TensorSpec([b], tf.int32),
    }
    if with_boxes:
        signature["boxes"] = tf.TensorSpec([b, 4], tf.float32)
    steps = range(first_step, first_step + num_steps)
    return _stream(split, steps, lambda step: windows(step)[0], describe, signature, resize_size)


def frame_batches(
    split: Split, *, records: Sequence[int] | np.ndarray, batch_size: int, size: int
) -> Iterator[Batch]:
    """Single frames, resized directly to size x size, for evaluation.

    Args:
        split: what to read.
        records: record numbers `[records]`, in the order in which they come out.
        batch_size: b, of every batch: the last one is filled up by repeating a frame.
        size: pixels.

    Returns:
        Iterator of dicts of (read-only) NumPy arrays: `frames` uint8 `[b, size, size, 3]`, 0..255,
        and `record` int64 `[b]`, -1 where the slot is only filled up.

    Raises:
        InputError: no records, a batch_size below 1, a record number out of range, or (while
            iterating) a damaged record.
    """
    numbers = np.asarray(records, np.int64)
    if numbers.ndim != 1 or not len(numbers) or batch_size < 1:
        raise InputError(
            "expected a list of at least one record and a batch_size >= 1, got "
            f"shape {numbers.shape} and batch_size {batch_size}"
        )
    num_steps = -(-len(numbers) // batch_size)
    spare = num_steps * batch_size - len(numbers)
    reads = np.concatenate([numbers, np.repeat(numbers[-1:], spare)]).reshape(num_steps, batch_size)
    names = np.concatenate([numbers, np.full(spare, -1)]).reshape(num_steps, batch_size)
    return _stream(
        split,
        range(num_steps),
        lambda step: reads[step],
        lambda step, examples: {"record": names[step]},
        {"record": tf.TensorSpec([batch_size], tf.int64)},
        size,
    )


def _stream(
    split: Split,
    steps: range,
    records_of: Callable[[int], np.ndarray],
    describe: Callable[[int, dict[int, dict[str, Any]]], Batch],
    signature: dict[str, tf.TensorSpec],
    size: int,
) -> Iterator[Batch]:
    """Reads, decodes and describes the batch of every step, several batches at a time, in order."""
    shape = records_of(steps.start).shape

    def read(step: np.integer) -> list[Any]:
        # A frame that comes twice in a batch (clipped windows) is read and decoded once.
        distinct, where = np.unique(records_of(int(step)), return_inverse=True)
        examples = dict(zip(distinct.tolist(), split.read(distinct), strict=True))
        more = describe(int(step), examples)
        jpegs = np.array([example["image"] for example in examples.values()], object)
        return [jpegs, where.reshape(shape), *(more[key] for key in signature)]

    @tf.autograph.experimental.do_not_convert  # nothing here to convert, only time to lose
    def load(step: tf.Tensor) -> tuple[tf.Tensor, ...]:
        types = [tf.string, tf.int64, *(spec.dtype for spec in signature.values())]
        jpegs, where, *more = tf.numpy_function(read, [step], types, stateful=False)
        jpegs.set_shape([None])
        where.set_shape(shape)
        for tensor, spec in zip(more, signature.values(), strict=True):
            tensor.set_shape(spec.shape)
        return jpegs, where, *more

    @tf.autograph.experimental.do_not_convert
    def decode(jpegs: tf.Tensor, where: tf.Tensor, *more: tf.Tensor) -> dict[str, tf.Tensor]:
        frames = tf.map_fn(
            lambda jpeg: decode_frame(jpeg, size),
            jpegs,
            fn_output_signature=tf.TensorSpec([size, size, 3], tf.uint8),
        )
        return {"frames": tf.gather(frames, where), **dict(zip(signature, more, strict=True))}

    options = tf.data.Options()
    options.deterministic = True
    # 0: a pool of its own, with as many threads as there are cores; more would only take turns.
    options.threading.private_threadpool_size = 0
    options.threading.max_intra_op_parallelism = 1
    # A tuned pipeline ends only when its tuner wakes up: up to a minute after the last batch.
    options.autotune.enabled = False
    at_once = min(len(os.sched_getaffinity(0)), MOST_BATCHES_AT_ONCE)
    batches = (
        tf.data.Dataset.range(steps.start, steps.stop)
        .map(load, num_parallel_calls=at_once)
        .map(decode, num_parallel_calls=at_once)
        .prefetch(2)
        .with_options(options)
    )
    return _named_errors(split, steps, records_of, batches.as_numpy_iterator())


def _named_errors(
    split: Split, steps: range, records_of: Callable[[int], np.ndarray], batches: Iterator[Batch]
) -> Iterator[Batch]:
    for step in steps:
        try:
            batch = next(batches)
        except tf.errors.OpError:
            # tf.data does not say which record failed, but the step does.
            _raise_damaged(split, np.unique(records_of(step)))
            raise
        yield batch


def _raise_damaged(split: Split, records: np.ndarray) -> None:
    for record, example in zip(records.tolist(), split.read(records), strict=True):
        try:
            tf.io.decode_jpeg(example["image"], channels=3)
        except tf.errors.InvalidArgumentError as error:
            name = example["frame_id"]
            raise split.damaged(record, f"{name} is no decodable JPEG file") from error


def decode_frame(jpeg: tf.Tensor, size: int) -> tf.Tensor:
    """A JPEG as uint8 `[size, size, 3]`, within one level of Pillow's `resize(..., BILINEAR)`.

    TensorFlow's defaults, a fast inexact DCT and a resize without antialiasing, are far from it.
    """
    image = tf.io.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_ACCURATE")
    image = tf.image.resize(image, [size, size], method="bilinear", antialias=True)
    return tf.cast(tf.floor(image + 0.5), tf.uint8)


def _unit_box(example: dict[str, Any]) -> np.ndarray:
    width, height = float(example["width"]), float(example["height"])
    return (example["boxes"][0] / [width, height, width, height]).astype(np.float32)
