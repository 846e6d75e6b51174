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
# CAM methods that a head of class tokens does not have: the first is a map of the head's own.
_NEED_FEATURES = ("cam", "smoothgradcampp")
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


def check_what_is_read(config: ConfigDict) -> None:
    """Check that the encoder has what the head and the CAM methods read.

    Raises:
      InputError: see `rules.validate`.
    """
    head, name = config.model.head, config.model.encoder
    encoder = backbone(config)()
    of_tokens = getattr(HEADS[head], "reads_class_tokens", False)  # a user's own may not say
    if of_tokens and encoder.class_tokens is None:
        reject("model.head", f"one of features, such as wgap, for {name}: no class tokens", head)
    for method in config.eval.cam_methods:  # tcam.cam_method is among them
        why = None
        if method in ENCODER_MAPS and method not in encoder.maps:
            why = f"which {name} does not have"
        if of_tokens and method in _NEED_FEATURES:
            why = f"which needs a head of features, not {head}"
        if why:
            reject("eval.cam_methods", f"without {method}, {why}", config.eval.cam_methods)


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
