"""A network that costs next to nothing but is saved like ResNet50, to see what is around it.

Two convolutions on frames shrunk to a thirty-second, and beside them as many numbers as ResNet50
has, which no output needs: a checkpoint of stage 1 is as large as a real one. The decoder's are
not: stage 2's is of some kilobytes, where a real one has 72 MB. Features are enlarged smoothly, so
that maps are as smooth as trained networks' are: boxes of noise take several times as long.
"""

from typing import ClassVar

import flax.linen as nn
import jax
from jaxtyping import Array, Float
from ml_collections import ConfigDict

from tcam_jax.models.encoders.encoder import Encoder, Feature, Renaming
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.layers import Conv

NAME = "benchmark_small"
BALLAST = 23_500_000  # parameters of ResNet50 without its layer of classes
DECODER_WIDTH = 1 / 32


class SmallEncoder(Encoder):
    """See `Encoder`.

    Attributes:
      ballast: how many parameters do nothing.
    """

    ballast: int = BALLAST

    output_strides: ClassVar = (8,)
    last_stage: ClassVar = ("conv2",)
    renamings: ClassVar = (Renaming("nobody", (), classes=()),)

    @property
    def features(self) -> tuple[Feature, ...]:
        """ "fine" and "coarse"."""
        return (Feature("fine", 8, 4), Feature("coarse", 16, 8))

    @nn.compact
    def __call__(
        self, x: Float[Array, "b h w c"], after: str | None = None
    ) -> dict[str, Float[Array, "b y x d"]]:
        """See `Encoder`."""
        self.param("ballast", nn.initializers.normal(), (self.ballast,))
        features = {}
        if self.position(after) < 1:
            b, h, w, _ = x.shape
            x = nn.avg_pool(x.astype(self.dtype), (32, 32), (32, 32))
            x = nn.relu(Conv(8, 3, dtype=self.dtype, name="conv1")(x))
            x = jax.image.resize(x, (b, h // 4, w // 4, 8), "linear")
            features["fine"] = x
        if self.position(after) < 2:
            x = nn.avg_pool(x, (2, 2), (2, 2))
            x = nn.relu(Conv(16, 3, dtype=self.dtype, name="conv2")(x))
            features["coarse"] = x
        return features


def scale_down(config: ConfigDict) -> None:
    """Put the small network into `config`, and its encoder among the known ones."""
    ENCODERS[NAME] = SmallEncoder
    config.model.encoder, config.model.decoder_width = NAME, DECODER_WIDTH
