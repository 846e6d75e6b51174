"""The TCAM network: classifier (encoder + head) and localiser (decoder + map head) in one module.

It returns everything that later stages need (class logits, features, map logits), so nothing hooks
into it: CAMs are functions of the features and the head.
"""

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Num

from tcam_jax.data.geometry import normalise
from tcam_jax.models import cpu
from tcam_jax.models.cpu.convolution import KERNEL_TERMS, kernel_terms
from tcam_jax.models.encoders.encoder import ClassTokens, Encoder
from tcam_jax.models.heads import WGAP, HeadOutput
from tcam_jax.models.unet import MapHead, UNetDecoder
from tcam_jax.runtime.errors import InputError

# The submodules of each part, that is, the top-level keys of its variables.
CLASSIFIER_PARTS = ("encoder", "classification_head")
LOCALISER_PARTS = ("decoder", "map_head")

Variables = Mapping[str, Any]

_EFFORT = "xla_backend_optimization_level"


class ClassifierOutput(NamedTuple):
    """What the classifier knows of a batch of frames."""

    logits: Float[Array, "b k"]
    maps: Float[Array, "b y x k"] | None  # the head's native class maps, any range; None: none
    features: Mapping[str, Array]  # by the encoder's names, each [b, y, x, c], and what it adds


class TCAM(nn.Module):
    """Class logits and a foreground map for single frames.

    Attributes:
      num_classes: k.
      backbone: makes the encoder, given `Encoder`'s attributes: one of
        `models.encoders.registry`.
      head: makes the classification head, given `num_classes`: one of `models.heads`.
      train_classifier: the encoder's batch norm uses batch statistics (stage 1).
      freeze_encoder: no gradient reaches the encoder's parameters from the logits.
      train_localiser: the decoder's batch norm uses batch statistics (stage 2).
      axis_name: device axis for synchronised batch norm, or None.
      dtype: dtype of the computation.
      decoder_width, remat_decoder: see `models.unet.UNetDecoder`.
    """

    num_classes: int
    backbone: Callable[..., Encoder]
    head: Callable[..., nn.Module] = WGAP
    train_classifier: bool = False
    freeze_encoder: bool = False
    train_localiser: bool = False
    axis_name: str | None = None
    dtype: DTypeLike = jnp.float32
    decoder_width: float = 1.0
    remat_decoder: bool = False

    @property
    def declared(self) -> Encoder:
        """The encoder for what it declares: features, normalisation, names."""
        return self.backbone(parent=None)

    @property
    def read(self) -> str:
        """The name of what the head reads: the last feature, or the class tokens.

        Raises:
          InputError: it reads class tokens, and the encoder has none.
        """
        return self._class_tokens.name if self._reads_class_tokens else self.last

    @property
    def last(self) -> str:
        """The name of the last feature."""
        return self.declared.features[-1].name

    @property
    def stages(self) -> tuple[str, ...]:
        """The names of the features that have a part in the logits, in their order.

        CAMs look at the last one unless they are told otherwise.

        Raises:
          InputError: as `read`.
        """
        names = [feature.name for feature in self.declared.features]
        last = self._class_tokens.feature if self._reads_class_tokens else names[-1]
        return tuple(names[: names.index(last) + 1])

    @property
    def _reads_class_tokens(self) -> bool:
        head = self.head(num_classes=self.num_classes, parent=None)
        return getattr(head, "reads_class_tokens", False)  # a user's own head may not say

    @property
    def _class_tokens(self) -> ClassTokens:
        tokens = self.declared.class_tokens
        if tokens is None:
            raise InputError(
                "a head of class tokens needs an encoder that has some, such as "
                f"deit_small_patch16; {type(self.declared).__name__} has none. Choose such an "
                "encoder, or a head of features, such as wgap."
            )
        return tokens

    def normalise(self, frames: Num[Array | np.ndarray, "*b h w 3"]) -> Float[Array, "*b h w 3"]:
        """Bring frames of 0..255 to what the encoder expects."""
        return normalise(frames, self.declared.normalisation)

    def setup(self):
        """Build the four parts; only those that a method uses get variables at `init`."""
        self.encoder = self.backbone(
            train=self.train_classifier,
            axis_name=self.axis_name,
            dtype=self.dtype,
        )
        self.classification_head = self.head(num_classes=self.num_classes)
        self.decoder = UNetDecoder(
            features=self.declared.features,
            width_multiplier=self.decoder_width,
            train=self.train_localiser,
            axis_name=self.axis_name,
            dtype=self.dtype,
            remat=self.remat_decoder,
        )
        self.map_head = MapHead(dtype=self.dtype)

    def classify(self, frames: Float[Array, "b h w 3"]) -> ClassifierOutput:
        """Return logits, class maps and features of normalised `frames [b, h, w, 3]`."""
        features = self.encoder(frames)
        read = features[self.read]
        if self.freeze_encoder:
            read = jax.lax.stop_gradient(read)
        logits, maps = self.classification_head(read)
        return ClassifierOutput(logits, maps, features)

    def classify_from(
        self, features: Float[Array, "b y x c"], stage: str, *beside: Array
    ) -> HeadOutput:
        """Return logits and class maps, given the encoder's feature `stage` instead of frames.

        `beside`: what the encoder needs besides, see `Encoder.beside`.
        """
        read = self.read
        if stage != read:
            features = self.encoder(features, stage, *beside)[read]
        return self.classification_head(features)

    def linear_kernel(self) -> Float[Array, "c k"] | None:
        """Return W where logits = mean(last features) @ W + bias; None for any other head."""
        return self.classification_head.linear_kernel()

    def localise(
        self, features: Mapping[str, Array], size: tuple[int, int]
    ) -> Float[Array, "b h w 2"]:
        """Return map logits `[b, *size, 2]` from the features of `classify`."""
        return self.map_head(self.decoder(features), size)

    def __call__(
        self, frames: Float[Array, "b h w 3"]
    ) -> tuple[ClassifierOutput, Float[Array, "b h w 2"]]:
        """Return the classifier's output and the map logits of normalised `frames`."""
        classified = self.classify(frames)
        return classified, self.localise(classified.features, frames.shape[1:3])


def init_variables(model: TCAM, key: jax.Array, size: int) -> Variables:
    """Draw all variables (`params`, `batch_stats`) for square frames of `size` pixels.

    Inside another traced function, take `variable_shapes`.
    """
    options = None
    if jax.default_backend() == "cpu" and _EFFORT not in os.environ.get("XLA_FLAGS", ""):
        # Hundreds of random draws, each done once: with its usual effort XLA takes four times as
        # long to compile them, for the same bits.
        options = {_EFFORT: 1}
    return jax.jit(partial(_init, model, size), compiler_options=options)(key)


def variable_shapes(model: TCAM, size: int) -> Variables:
    """Return what `init_variables` would, as shapes and dtypes."""
    return jax.eval_shape(partial(_init, model, size), jax.random.key(0))


def _init(model: TCAM, size: int, key: jax.Array) -> Variables:
    # Of what is computed, only the variables are kept: the plainest network is traced fastest.
    with cpu.traced_for("any"):
        return model.init(key, jnp.zeros((1, size, size, 3), jnp.float32))


def for_inference(model: TCAM, variables: Variables) -> Variables:
    """Return `variables` with what `model` would compute of them at every call.

    Where `models.cpu` is chosen, in float32, that is the terms of wide 3x3 kernels, 1.8 times as
    large as these (`models.cpu.winograd`); with them, smaller maps are convolved so as well. For
    anything else, `variables` are returned as they are.
    """
    if not cpu.chosen() or model.dtype != jnp.float32:
        return variables
    return {**variables, KERNEL_TERMS: kernel_terms(variables["params"])}


def select(variables: Variables, parts: tuple[str, ...]) -> Variables:
    """Return the variables of the named `parts`; parts without batch norm have no statistics."""
    return {
        collection: {part: tree[part] for part in parts if part in tree}
        for collection, tree in variables.items()
    }


def merge(first: Variables, second: Variables) -> Variables:
    """Return the union of two disjoint selections, such as a frozen and a trained part."""
    return {name: {**first[name], **second[name]} for name in first}


def foreground(map_logits: Float[Array, "b h w 2"]) -> Float[Array, "b h w"]:
    """Return the foreground probability, 0..1: TCAM's localisation map (not rescaled)."""
    return jax.nn.softmax(map_logits, axis=-1)[..., 1]
