"""What a config's encoder and head may be, and what has to fit them."""

import dataclasses
from typing import Any

from ml_collections import ConfigDict

from tcam_jax.cams.methods import ENCODER_MAPS
from tcam_jax.models.encoders.registry import ENCODERS, backbone
from tcam_jax.models.heads import HEADS
from tcam_jax.runtime.errors import InputError

# Options of the heads here, likewise.
_POSITIVE_OPTIONS = ("sharpness", "modalities", "top", "hidden")
_OPTIONS_FROM_ZERO = ("bottom", "alpha")
# Attributes of every head and encoder module, which no config sets.
_EVERY_HEAD = ("num_classes", "parent", "name")
_EVERY_ENCODER = ("output_stride", "train", "axis_name", "dtype", "parent", "name")


def check_encoder(config: ConfigDict) -> None:
    """Check `model.encoder` and what has to fit it.

    Raises:
      InputError: see `rules.validate`.
    """
    if "depth" in config.model or "strides" in config.model:
        raise InputError(
            "config.model.depth and config.model.strides are now config.model.encoder, such as "
            '"resnet50", and config.model.output_stride, 8 for strides (1, 2, 1, 1).'
        )
    make, options = ENCODERS[config.model.encoder], config.model.encoder_options
    known = {x.name for x in dataclasses.fields(make())} - set(_EVERY_ENCODER)
    for option in options:
        if option not in known:
            reject("model.encoder_options", f"made of {', '.join(known) or 'nothing'}", option)
    stride, allowed = config.model.output_stride, make().output_strides
    if stride is not None and stride not in allowed:
        expected = f"one of {', '.join(map(str, allowed))} for {config.model.encoder}, or None"
        reject("model.output_stride", expected, stride)
    encoder = backbone(config)()
    if config.dataset.crop % encoder.frame_multiple:
        expected = f"a multiple of {encoder.frame_multiple} for {config.model.encoder}"
        reject("dataset.crop", expected, config.dataset.crop)
    for method in config.eval.cam_methods:
        if method in ENCODER_MAPS and method not in encoder.maps:
            expected = f"without {method}, which {config.model.encoder} does not have"
            reject("eval.cam_methods", expected, config.eval.cam_methods)


def check_head(name: str, options: ConfigDict) -> None:
    """Check the options of the head `name`.

    Raises:
      InputError: see `rules.validate`.
    """
    own: dict[str, Any] = {
        x.name: x.type for x in dataclasses.fields(HEADS[name]) if x.name not in _EVERY_HEAD
    }
    for option, value in options.items():
        if option not in own:
            reject("model.head_options", f"made of {', '.join(own) or 'nothing'}", option)
        if own[option] in (int, float) and not (isinstance(value, own[option] | int)):
            reject(f"model.head_options.{option}", f"of type {own[option].__name__}", value)
        if option in _POSITIVE_OPTIONS and not value > 0:
            reject(f"model.head_options.{option}", "greater than 0", value)
        if option in _OPTIONS_FROM_ZERO and not value >= 0:
            reject(f"model.head_options.{option}", "0 or more", value)
        if option in ("top", "bottom") and value > 1:
            reject(f"model.head_options.{option}", "a share, at most 1", value)


def reject(field: str, expected: str, value: Any) -> None:
    """Raise the error of a field that must be `expected` and is `value`."""
    raise InputError(f"config.{field} must be {expected}; it is {value!r}. Set --config.{field}=…")
