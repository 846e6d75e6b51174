"""A network as a SavedModel of TensorFlow, by jax2tf: the program of StableHLO inside.

Source: https://www.tensorflow.org/guide/jax2tf
"""

import errno
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict

import jax
import numpy as np

from tcam_jax.models.tcam import TCAM, Variables
from tcam_jax.predict.programs.plain import PLATFORMS, check_shapes, for_all_platforms
from tcam_jax.runtime.extras import require

FOLDER = "saved_model"
TAKES = "of the signature serving_default: frames"
FILES = (f"{FOLDER}/saved_model.pb",)


class About(TypedDict):
    """What `read` needs of model.json: nothing more."""


def write(
    folder: Path, model: TCAM, variables: Variables, size: int, method: str
) -> dict[str, Any]:
    """Write the network into `folder`; return what others must know of it.

    Args:
      folder: is there.
      model, variables, size, method: see `exported.save`.

    Raises:
      InputError: TensorFlow is not installed.
      OSError: it cannot be written.
    """
    require("train", "tensorflow")
    import tensorflow as tf
    from jax.experimental import jax2tf

    network = jax2tf.convert(
        for_all_platforms(model, method),
        polymorphic_shapes=(None, f"(b, {size}, {size}, 3)"),
        native_serialization_platforms=PLATFORMS,
        with_gradient=False,
    )
    leaves, structure = jax.tree.flatten(jax.device_get(variables))
    module = tf.Module()
    with tf.device("/CPU:0"):
        module.weights = [tf.Variable(leaf, trainable=False) for leaf in leaves]
    frames = tf.TensorSpec((None, size, size, 3), tf.uint8, name="frames")

    @tf.function(input_signature=[frames], autograph=False)
    def run(frames: Any) -> dict[str, Any]:
        logits, maps = network(jax.tree.unflatten(structure, module.weights), frames)
        return {"logits": logits, "maps": maps}

    module.run = run
    signatures = {"serving_default": run.get_concrete_function()}
    try:
        tf.saved_model.save(module, str(folder / FOLDER), signatures=signatures)
    except tf.errors.OpError as error:  # its words: "PATH; No space left on device [Op:SaveV2]"
        why = str(error.message).rpartition("; ")[2].partition(" [Op:")[0]
        raise OSError(errno.EIO, why) from error
    return {"platforms": list(PLATFORMS), "jax": jax.__version__, "tensorflow": tf.__version__}


def read(folder: Path, about: Mapping[str, Any]) -> Callable[[Any], tuple[np.ndarray, np.ndarray]]:
    """Return what `write` wrote as a function of the frames.

    Raises:
      InputError: TensorFlow is not installed.
      Exception: any other kind: these are no such files, or not of what `about` says.
    """
    require("train", "tensorflow")
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder / FOLDER))
    signature = loaded.signatures["serving_default"]
    ends = signature.structured_input_signature[1] | signature.structured_outputs
    check_shapes(about, *(ends[name].shape.as_list() for name in ("frames", "logits", "maps")))

    def run(frames: Any) -> tuple[np.ndarray, np.ndarray]:
        # By way of `loaded`, which must live as long.
        found = loaded.signatures["serving_default"](frames=tf.constant(frames))
        return found["logits"].numpy(), found["maps"].numpy()

    return run
