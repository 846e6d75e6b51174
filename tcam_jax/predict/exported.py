"""A network as a folder that predicts without its config or this code: program, weights, JSON."""

import json
import shutil
from collections.abc import Callable, Collection, Sequence
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Annotated, Any, NamedTuple, NotRequired, TypedDict

from tcam_jax.data.class_names import check_class_names
from tcam_jax.evaluate.logit_map import LOGIT_SCALE
from tcam_jax.evaluate.maps import (
    OF_LOGITS,
    OF_NEIGHBOURS,
    TCAM_CRF,
    TCAM_FUSED,
    TCAM_METHOD,
    TCAM_PROBABILITY,
)
from tcam_jax.models.tcam import TCAM, Variables
from tcam_jax.predict.programs import onnx, saved_model, stablehlo
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import cannot_write, write_whole
from tcam_jax.runtime.given import path_given
from tcam_jax.runtime.json_files import damaged, read_json
from tcam_jax.runtime.plain_files import sha256_of
from tcam_jax.runtime.shapes import Between, Share, fitted, shown

STABLEHLO = "stablehlo"
FORMATS: dict[str, ModuleType] = {
    STABLEHLO: stablehlo,
    "onnx": onnx,
    "saved_model": saved_model,
}
"""name -> module with `write`; `read`, what that needs of model.json beside `About`, its own About,
and FILES, what it reads; and TAKES, the program's arguments in words."""
SCHEMA = 2
_SCALED = f"(0.5 + z / (2 (|z| + {LOGIT_SCALE:g})))"
_MEANING = {  # of a map; a CAM is called by its method
    TCAM_METHOD: f"{_SCALED}, z = foreground - background logit",
    TCAM_PROBABILITY: "foreground probability",
    TCAM_CRF: f"{_SCALED}, z = foreground - background logit after dense-CRF refinement",
    TCAM_FUSED: "foreground probability * LayerCAM of the predicted class",
}
_OWN = ("Otsu's threshold", "the upper of Otsu's two thresholds between three classes of z")
_ABOUT = "model.json"
_AGAIN = "Export again."


class About(TypedDict):
    """What `load` reads of model.json; each format needs more, see `FORMATS`."""

    schema: int
    format: NotRequired[str]  # older folders have none, nor a background
    classes: tuple[str, ...]
    size: Annotated[int, Between(1, 8192)]
    tau: Share | None
    of_logits: bool
    background: NotRequired[str | None]
    sha256: dict[str, str]


class Exported(NamedTuple):
    """A saved network, ready to run.

    Attributes:
      forward: uint8 frames [b, size, size, 3], RGB -> (float32 logits [b, k], uint8 maps
        [b, size, size]: floor(255 * value)).
      class_names: [k].
      size: of the frames, pixels.
      tau: threshold, share of a map's maximum; None: each map's own, see
        `evaluate.boxes.largest_box`.
      of_logits: the maps are of `evaluate.logit_map`, and tau is on their scale.
      background: the class whose frames have no boxes; None: there is no such class.
    """

    forward: Callable[[Any], tuple[Any, Any]]
    class_names: tuple[str, ...]
    size: int
    tau: float | None
    of_logits: bool
    background: str | None


def save(
    folder: Path,
    model: TCAM,
    variables: Variables,
    class_names: Sequence[str],
    size: int,
    tau: float | None,
    method: str = TCAM_METHOD,
    background: str | None = None,
    format: str = STABLEHLO,
) -> None:
    """Write the network to the new `folder`, whole or not at all.

    Args:
      folder: to be made.
      model, variables: the network.
      class_names, size, tau, background: as in `Exported`.
      method: what its maps are, see `evaluate.maps`; a CAM is the predicted class's.
      format: a key of `FORMATS`.

    Raises:
      InputError: `folder` exists, or cannot be written; the format is unknown, needs an extra that
        is not installed, or cannot hold this network.
    """
    if method in OF_NEIGHBOURS:
        raise InputError(
            f"the map must be one of a single frame; {method} looks at the frames beside it, which "
            "an exported program does not see. Choose another with --map, as crf."
        )
    if format not in FORMATS:
        raise InputError(f"format must be one of {', '.join(FORMATS)}; got {format!r}.")
    if folder.exists():
        raise InputError(f"{folder} must be a new folder; there is something already.")
    unfinished = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir()
        own = FORMATS[format].write(unfinished, model, variables, size, method)
        scale = "255" if method in OF_LOGITS else "the map's maximum"
        about = {
            "schema": SCHEMA,
            "format": format,
            "classes": list(class_names),
            "size": size,
            "tau": tau,
            "of_logits": method in OF_LOGITS,
            "background": background,
            "threshold": f"a pixel is foreground where map > int(tau * {scale}); tau null: each "
            f"map's own, {_OWN[method in OF_LOGITS]}. The box is that of the 8-connected region "
            "with the largest outer contour.",
            "inputs": f"({FORMATS[format].TAKES}: uint8 "
            f"[b, {size}, {size}, 3], RGB, resized bilinearly without keeping the aspect)",
            "outputs": f"(logits: float32 [b, {len(class_names)}], maps: uint8 "
            f"[b, {size}, {size}], floor(255 * {_MEANING.get(method, method)}))",
            **own,
            "sha256": {
                path.relative_to(unfinished).as_posix(): sha256_of(path)
                for path in sorted(unfinished.rglob("*"))
                if path.is_file()
            },
        }
        write_whole(unfinished / _ABOUT, json.dumps(about, indent=2) + "\n")
        unfinished.rename(folder)
    except OSError as error:
        raise cannot_write(folder, error) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def load(folder: str | Path) -> Exported:
    """Read what `save` wrote.

        predictor = Predictor(**exported.load("models/demo")._asdict())

    Raises:
      InputError: a file is missing or damaged, of another schema, or not for this platform; or
        what runs its format is not installed.
    """
    folder = path_given(folder, "folder")
    _check_is_there(folder, _ABOUT)
    about = _read_about(folder / _ABOUT)
    for name, digest in about["sha256"].items():
        _check_is_there(folder, name)
        if sha256_of(folder / name) != digest:
            raise InputError(f"{folder / name} is damaged: its digest differs. Export again.")
    name = about.get("format", STABLEHLO)
    try:
        forward = FORMATS[name].read(folder, about)
    except InputError:
        raise
    except Exception as error:  # of many kinds: what reads a program says that it is none
        reason = (str(error).strip() or repr(error)).splitlines()[0][:200]
        raise InputError(
            f"{folder} must hold a program of format {name}, as its model.json says: {reason}. "
            f"{_AGAIN}"
        ) from error
    return Exported(
        forward,
        about["classes"],
        about["size"],
        about["tau"],
        about["of_logits"],
        about.get("background"),
    )


def _check_is_there(folder: Path, name: str) -> None:
    if "\0" in name or not (folder / name).is_file():
        raise InputError(f"{folder} must be a folder of tcam export_model; it has no {name}.")


def _read_about(path: Path) -> About:
    content = read_json(path, dict[str, Any], _AGAIN)
    schema = content.get("schema", SCHEMA)
    if schema != SCHEMA:
        raise InputError(f"{path} has schema {shown(schema)}, this version reads {SCHEMA}.")
    try:
        about: About = fitted(content, About)
        name = about.get("format", STABLEHLO)
        if name not in FORMATS:
            known = ", ".join(FORMATS)
            raise InputError(f"{path} has format {name!r}, this version reads {known}.")
        about = fitted(about, FORMATS[name].About)
        _check_consistent(about, FORMATS[name].FILES)
        check_class_names(about["classes"], str(path))
    except InputError:
        raise
    except ValueError as error:
        raise damaged(path, str(error), _AGAIN) from error
    return about


def _check_consistent(about: About, files: Collection[str]) -> None:
    """Refuse what does not belong together, by ValueError."""
    if not about["classes"]:
        raise ValueError("classes is empty")
    if about.get("background") not in (None, *about["classes"]):
        raise ValueError("background is none of classes")
    for name in about["sha256"]:  # nothing outside of the folder is read
        if not name or PurePosixPath(name).is_absolute() or ".." in name.split("/"):
            raise ValueError(f"sha256 names {shown(name)}, which is no file of the folder")
    if lacking := [name for name in files if name not in about["sha256"]]:
        raise ValueError(f"sha256 lacks {', '.join(lacking)}")
