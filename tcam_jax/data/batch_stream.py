"""Batches made by Python functions, several at a time, in a tf.data pipeline on the CPU."""

import weakref
from collections.abc import Callable, Iterator

import numpy as np

from tcam_jax.data.batch_reader import Batch
from tcam_jax.data.decode import tf  # TensorFlow as set up there
from tcam_jax.runtime.cores import usable_cores

MOST_BATCHES_AT_ONCE = 16  # each is read and decoded by one thread, and lies in memory


def stream(
    steps: range, make: Callable[[int], Batch], signature: dict[str, tf.TensorSpec]
) -> Iterator[Batch]:
    """The batches of the steps, in order; several are made at a time, each by one thread.

    Args:
        steps: numbers of the batches.
        make: a number to its batch; called in several threads. What it raises is raised when its
            batch comes.
        signature: of the batch.
    """
    failures: dict[int, Exception] = {}

    def call(step: np.int64) -> list[np.ndarray]:
        try:
            batch = make(int(step))
        except Exception as error:
            failures[int(step)] = error  # TensorFlow would only hand on its text
            raise
        return [batch[key] for key in signature]

    @tf.autograph.experimental.do_not_convert  # nothing here to convert, only time to lose
    def load(step: tf.Tensor) -> dict[str, tf.Tensor]:
        types = [spec.dtype for spec in signature.values()]
        made = tf.numpy_function(call, [step], types, stateful=False)
        for tensor, spec in zip(made, signature.values(), strict=True):
            tensor.set_shape(spec.shape)
        return dict(zip(signature, made, strict=True))

    options = tf.data.Options()
    options.deterministic = True
    # 0: a pool of its own, with as many threads as there are cores; more would only take turns.
    options.threading.private_threadpool_size = 0
    options.threading.max_intra_op_parallelism = 1
    # A tuned pipeline ends only when its tuner wakes up: up to a minute after the last batch.
    options.autotune.enabled = False
    at_once = min(usable_cores(), MOST_BATCHES_AT_ONCE)
    dataset = (
        tf.data.Dataset.range(steps.start, steps.stop)
        .map(load, num_parallel_calls=at_once)
        .prefetch(2)
        .with_options(options)
    )
    open_iterator = [dataset.as_numpy_iterator()]
    batches = _own_errors(steps, failures, open_iterator)
    # Also called when Python exits: its threads, left in the middle of `call`, would wait for ever.
    weakref.finalize(batches, open_iterator.clear)
    return batches


def _own_errors(
    steps: range, failures: dict[int, Exception], open_iterator: list[Iterator[Batch]]
) -> Iterator[Batch]:
    for step in steps:
        try:
            batch = next(open_iterator[0])
        except tf.errors.OpError:
            if step in failures:
                raise failures[step] from None
            raise
        yield batch
