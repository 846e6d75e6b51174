"""What the rest of the house knows of an encoder.

Decoder, heads, CAMs, config checks, optimiser and weight files read only what is declared here; the
names of layers stay in the encoder's own file. A new family is one such file and one line of
`models.encoders.registry`.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from tcam_jax.data.geometry import IMAGENET, Normalisation

Tensors = Mapping[str, np.ndarray]


class Feature(NamedTuple):
    """One of an encoder's outputs: its name, its channels, and the pixels of one of its places."""

    name: str
    channels: int
    stride: int


class ClassTokens(NamedTuple):
    """Class tokens that a head may read in the place of the last feature.

    Attributes:
      name: of the output `[b, n, c]`: those after each of the last n blocks.
      feature: the last feature that has a part in them. What comes after it does not reach them:
        CAMs look there.
    """

    name: str
    feature: str


class Renaming(NamedTuple):
    """How a library names an encoder's tensors.

    Attributes:
      library: for the log.
      rules: (regular expression, replacement) one after the other, on our dotted path of a tensor
        within the encoder, whose last word is already PyTorch's: "layer1_0.conv1.weight".
      classes: beginnings of the names that are left out: layers for the classes that the encoder
        was trained on.
      fuse: joins tensors that the library keeps apart, before the names are looked at.
    """

    library: str
    rules: tuple[tuple[str, str], ...]
    classes: tuple[str, ...]
    fuse: Callable[[Tensors], dict[str, np.ndarray]] | None = None


class Encoder(nn.Module):
    """Normalised frames in, features from the finest to the last out.

    A family gives `features`, `__call__`, and whatever of the class variables is not as here.

    Attributes:
      output_stride: pixels of one place of the last feature; strides beyond it are left out.
      train: batch norm uses and updates batch statistics.
      axis_name: device axis for synchronised batch norm, or None.
      dtype: dtype of the computation; parameters stay float32.
      output_strides: what `output_stride` may be.
      normalisation: of frames, as the published weights expect it.
      last_stage: beginnings of the names of the submodules that train `new_layers_ratio` times as
        fast as the pretrained ones before them, besides the head.
      maps: names of maps `[b, y, x, 1]` of no class that it returns besides features.
      renamings: of published weights; the first is also that in which ours are written.
    """

    output_stride: int = 8
    train: bool = False
    axis_name: str | None = None
    dtype: DTypeLike = jnp.float32

    output_strides: ClassVar[tuple[int, ...]] = (8, 16, 32)
    normalisation: ClassVar[Normalisation] = IMAGENET
    maps: ClassVar[tuple[str, ...]] = ()
    last_stage: ClassVar[tuple[str, ...]]
    renamings: ClassVar[tuple[Renaming, ...]]

    @property
    def frame_multiple(self) -> int:
        """What height and width of a frame must be a multiple of, pixels."""
        return 1

    @property
    def features(self) -> tuple[Feature, ...]:
        """The outputs, from the finest to the last, which the classification head reads."""
        raise NotImplementedError

    @property
    def class_tokens(self) -> ClassTokens | None:
        """Those that heads may read; None: there are none, as in a convolutional network."""
        return None

    def __call__(
        self, x: Float[Array, "b h w c"], after: str | None = None
    ) -> dict[str, Float[Array, "b y x d"]]:
        """Return the features by their names, `[b, y, x, c]`.

        Args:
          x: normalised frames `[b, h, w, 3]`, or one of the features to go on from.
          after: the name of that feature; what follows it is computed and returned.
        """
        raise NotImplementedError

    def beside(self, feature: str) -> tuple[str, ...]:
        """Return the names of what else `__call__` needs, and has returned, to go on from it.

        That is nothing for most; a transformer's tokens that are on no grid. Each is an argument
        after `after`.
        """
        return ()

    def position(self, feature: str | None) -> int:
        """Return how many features are done once `feature` is there; 0 for None."""
        return 0 if feature is None else [f.name for f in self.features].index(feature) + 1
