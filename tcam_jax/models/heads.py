"""Classification heads of the weakly supervised localisation literature: features in, logits out.

Every head of features also returns its native class maps, `[b, y, x, k]`: what each place
contributes to, or scores for, each class. They are its CAMs. A head of class tokens has none. All
heads compute in float32 at least: they are small, and the logits decide.
"""

from typing import Any, ClassVar, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

_xavier = nn.initializers.xavier_uniform()


class HeadOutput(NamedTuple):
    """Class logits `[b, k]` and native class maps `[b, y, x, k]`, of any range; None: no maps."""

    logits: Float[Array, "b k"]
    maps: Float[Array, "b y x k"] | None


class _Head(nn.Module):
    """What heads share.

    Attributes:
      num_classes: k.
      reads_class_tokens: it is given the encoder's `class_tokens` instead of its last feature.
    """

    num_classes: int

    reads_class_tokens: ClassVar[bool] = False

    def linear_kernel(self) -> Float[Array, "c k"] | None:
        """Return W where logits = mean(features) @ W + bias; None for any other head."""
        return None


class WGAP(_Head):
    """Weighted global average pooling: the spatial mean, then one linear layer.

    The head of every CAM method in the paper (Zhou et al., CVPR 2016). Its kernel `fc/kernel`
    `[c, k]` weights the feature channels of a class: that weighted sum is the class's map.
    """

    @nn.compact
    def __call__(self, features: Float[Array, "b y x c"]) -> HeadOutput:
        """Map `features [b, y, x, c]` to logits and maps."""
        features = _at_least_float32(features)
        linear = nn.Dense(self.num_classes, kernel_init=_xavier, dtype=features.dtype, name="fc")
        logits = linear(features.mean((1, 2)))
        kernel = linear.variables["params"]["kernel"]
        return HeadOutput(logits, jnp.einsum("byxc,ck->byxk", features, kernel))

    def linear_kernel(self) -> Float[Array, "c k"]:
        """Return `fc/kernel`."""
        return self.get_variable("params", "fc")["kernel"]


class GAP(_Head):
    """Global average pooling: a linear score of every place, then their mean (Lin et al., 2014)."""

    @nn.compact
    def __call__(self, features: Float[Array, "b y x c"]) -> HeadOutput:
        """Map `features [b, y, x, c]` to logits and maps."""
        maps = _class_scores(self.num_classes)(_at_least_float32(features))
        return HeadOutput(maps.mean((1, 2)), maps)

    def linear_kernel(self) -> Float[Array, "c k"]:
        """Return `conv/kernel`: the mean and the linear scores commute."""
        return self.get_variable("params", "conv")["kernel"]


class MaxPool(_Head):
    """The highest score of any place (Oquab et al., "Is object localization for free?", 2015)."""

    @nn.compact
    def __call__(self, features: Float[Array, "b y x c"]) -> HeadOutput:
        """Map `features [b, y, x, c]` to logits and maps."""
        maps = _class_scores(self.num_classes)(_at_least_float32(features))
        return HeadOutput(maps.max((1, 2)), maps)


class LSE(_Head):
    """Log-sum-exp, between mean and maximum: log(mean(exp(r s))) / r.

    Source: Pinheiro and Collobert, CVPR 2015.

    Attributes:
      sharpness: r > 0; towards 0 the mean, towards infinity the maximum.
    """

    sharpness: float = 10.0

    @nn.compact
    def __call__(self, features: Float[Array, "b y x c"]) -> HeadOutput:
        """Map `features [b, y, x, c]` to logits and maps."""
        maps = _class_scores(self.num_classes)(_at_least_float32(features))
        places = maps.shape[1] * maps.shape[2]
        sums = jax.nn.logsumexp(self.sharpness * maps, axis=(1, 2))
        return HeadOutput((sums - jnp.log(places)) / self.sharpness, maps)


class WILDCAT(_Head):
    """Mean of the highest scores, and of the lowest (Durand et al., CVPR 2017, equation 2).

    Several modalities score every place for each class; their mean is the class's map. The two
    means are added with weight `alpha` and halved, as in the authors' code; the reference
    implementation of TCAM leaves both steps out by mistake.

    Attributes:
      modalities: maps that are averaged for each class.
      top, bottom: shares of the places that count as highest and lowest, 0..1; at least one place
        is the highest, and `bottom` = 0 leaves the second mean out.
      alpha: weight of the lowest scores.
    """

    modalities: int = 5
    top: float = 0.5
    bottom: float = 0.1
    alpha: float = 0.6

    @nn.compact
    def __call__(self, features: Float[Array, "b y x c"]) -> HeadOutput:
        """Map `features [b, y, x, c]` to logits and maps."""
        scores = _class_scores(self.num_classes * self.modalities)(_at_least_float32(features))
        maps = scores.reshape(*scores.shape[:3], self.num_classes, self.modalities).mean(-1)
        ranked = jnp.sort(maps.reshape(maps.shape[0], -1, self.num_classes), axis=1)
        places = ranked.shape[1]
        highest = ranked[:, places - max(1, round(self.top * places)) :].mean(1)
        lowest = round(self.bottom * places)
        if lowest == 0 or self.alpha == 0:
            return HeadOutput(highest, maps)
        return HeadOutput((highest + self.alpha * ranked[:, :lowest].mean(1)) / 2, maps)


class AttentionMIL(_Head):
    """Gated attention pooling of places as instances of a bag (Ilse et al., ICML 2018, equation 9).

    Each place gets an attention weight; the weighted sum of the features is classified. Its map of
    a class is attention times class score: the sum over the places is the logit without its bias.

    Attributes:
      hidden: units of the attention.
    """

    hidden: int = 128

    @nn.compact
    def __call__(self, features: Float[Array, "b y x c"]) -> HeadOutput:
        """Map `features [b, y, x, c]` to logits and maps."""
        features = _at_least_float32(features)

        def dense(units: int, name: str, **kwargs: Any) -> nn.Dense:
            return nn.Dense(units, kernel_init=_xavier, dtype=features.dtype, name=name, **kwargs)

        gated = jnp.tanh(dense(self.hidden, "value")(features))
        gated *= nn.sigmoid(dense(self.hidden, "gate")(features))
        attention = jax.nn.softmax(dense(1, "attention", use_bias=False)(gated), axis=(1, 2))
        linear = dense(self.num_classes, "fc")
        logits = linear((attention * features).sum((1, 2)))
        kernel = linear.variables["params"]["kernel"]
        return HeadOutput(logits, attention * jnp.einsum("byxc,ck->byxk", features, kernel))


class ClassTokens(_Head):
    """A linear layer on a transformer's class tokens of its last blocks, one after the other.

    The classifier of TrCAM-V (Murtaza et al., ANNPR 2024) on a frozen transformer, as DINO's linear
    evaluation of its small ones (Caron et al., ICCV 2021), whose draw of the first weights it has.
    No place has a score of its own: a gradient method shows where the tokens' evidence is.
    """

    reads_class_tokens: ClassVar[bool] = True

    @nn.compact
    def __call__(self, tokens: Float[Array, "b n c"]) -> HeadOutput:
        """Map the class tokens `[b, n, c]` to logits."""
        tokens = _at_least_float32(tokens)
        linear = nn.Dense(
            self.num_classes,
            kernel_init=nn.initializers.normal(0.01),
            dtype=tokens.dtype,
            name="fc",
        )
        return HeadOutput(linear(tokens.reshape(tokens.shape[0], -1)), None)


def _at_least_float32(x: Array) -> Array:
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _class_scores(channels: int) -> nn.Dense:
    """Return a linear layer applied to every place (a 1x1 convolution)."""
    return nn.Dense(channels, kernel_init=_xavier, dtype=None, name="conv")


HEADS: dict[str, type[_Head]] = {
    "wgap": WGAP,
    "gap": GAP,
    "max": MaxPool,
    "lse": LSE,
    "wildcat": WILDCAT,
    "attention_mil": AttentionMIL,
    "class_tokens": ClassTokens,
}
