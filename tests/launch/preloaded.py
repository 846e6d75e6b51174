"""What the commands import, for `forked.py`'s server. Nothing here may start JAX or TensorFlow."""

import gc

import tcam_jax.data.dataset
import tcam_jax.predict.predictor
import tcam_jax.report.page
import tcam_jax.runs.evaluate
import tcam_jax.runs.exchange
import tcam_jax.runs.experiment  # noqa: F401

gc.freeze()  # no fork looks through them again
