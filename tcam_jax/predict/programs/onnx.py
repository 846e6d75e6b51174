"""A network as one file of ONNX, by jax2onnx, for ONNX Runtime and what else reads it."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, TypedDict

import jax
import numpy as np

from tcam_jax.models.tcam import TCAM, Variables
from tcam_jax.predict.programs.onnx_rewriting import rewritten
from tcam_jax.predict.programs.plain import any_frames, check_shapes, plain
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.extras import require

FILE = "model.onnx"
TAKES = "frames"
FILES = (FILE,)
_WORSE = 1e-4  # than JAX by so much of the largest logit, or maps by a level: refused
_CHECKED = 3  # frames


class About(TypedDict):
    """What `read` needs of model.json: nothing more."""


def write(
    folder: Path, model: TCAM, variables: Variables, size: int, method: str
) -> dict[str, Any]:
    """Write the network into `folder`; return what others must know of it.

    The file is run on a few frames, and has to compute what JAX does.

    Args:
      folder: is there.
      model, variables, size, method: see `exported.save`.

    Raises:
      InputError: the extra `onnx` is not installed; or the network does not convert, or not
        rightly.
    """
    require("onnx", "jax2onnx", "onnxruntime")
    import jax2onnx

    version = metadata.version("jax2onnx")
    network, held = plain(model, method), jax.device_get(variables)

    def run(frames: jax.Array) -> tuple[jax.Array, jax.Array]:
        return network(held, frames)

    logging.getLogger("onnx_ir").setLevel(logging.ERROR)  # warns of shapes that nobody reads
    shape = any_frames(size)
    program = rewritten(run, shape)
    try:
        converted = jax2onnx.to_onnx(
            program,
            inputs=[shape],
            model_name="tcam_jax",
            input_names=["frames"],
            output_names=["logits", "maps"],
        )
    except Exception as error:  # of many kinds; all say that an operation is not known, or not so
        raise _refused(f"jax2onnx {version} does not convert it: {error}") from error
    (folder / FILE).write_bytes(converted.SerializeToString())
    frames = np.random.default_rng(0).integers(0, 256, (_CHECKED, size, size, 3), np.uint8)
    with jax.default_device(jax.devices("cpu")[0]):
        logits, maps = (np.asarray(output) for output in jax.jit(run)(frames))
    try:
        found = _run(_session(folder), frames)
    except Exception as error:  # of ONNX Runtime's own
        raise _refused(
            f"ONNX Runtime does not run what jax2onnx {version} made: {error}"
        ) from error
    worst = np.abs(found[0] - logits).max() / np.abs(logits).max()
    levels = np.abs(found[1].astype(int) - maps).max()
    if worst > _WORSE or levels > 1:
        raise _refused(
            f"what jax2onnx {version} made is off by {worst:.1e} of the logits and by {levels} "
            "levels of the maps"
        )
    return {"opset": converted.opset_import[0].version, "jax2onnx": version}


def read(folder: Path, about: Mapping[str, Any]) -> Callable[[Any], tuple[np.ndarray, np.ndarray]]:
    """Return what `write` wrote as a function of the frames, on the CPU.

    Raises:
      InputError: ONNX Runtime is not installed.
      Exception: any other kind: this is no such file, or not of what `about` says.
    """
    session = _session(folder)
    shapes = {x.name: x.shape for x in (*session.get_inputs(), *session.get_outputs())}
    check_shapes(about, *(shapes[name] for name in ("frames", "logits", "maps")))
    return partial(_run, session)


def _session(folder: Path) -> Any:
    require("onnx", "onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; it warns of every constant that it does not need
    return onnxruntime.InferenceSession(
        str(folder / FILE), options, providers=["CPUExecutionProvider"]
    )


def _run(session: Any, frames: Any) -> tuple[np.ndarray, np.ndarray]:
    logits, maps = session.run(["logits", "maps"], {"frames": np.asarray(frames)})
    return logits, maps


def _refused(why: str) -> InputError:
    return InputError(
        f"this network cannot be had as ONNX: {why}. Export it with --format=stablehlo (default) "
        "or --format=saved_model."
    )
