"""PyTorch twins with weights that are not an initialisation's, and the same weights in JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import torch

from tcam_jax.benchmark.torch_twin import TCAM as TorchTCAM
from tcam_jax.models.encoders.encoder import Encoder
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import TCAM, Variables, variable_shapes
from tcam_jax.models.weights.pretrained import adopt


def torch_network(
    seed: int = 0, *, num_classes: int, depth: int = 50, encoder: Encoder | None = None
) -> TorchTCAM:
    """A network, with a ResNet unless `encoder` is given, whose norms do something."""
    torch.manual_seed(seed)
    ours = encoder or ENCODERS[f"resnet{depth}"]()
    return randomise(TorchTCAM(num_classes, ours).eval(), seed)


def randomise(network: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Give norms numbers that are not an initialisation's."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            module.bias.data.normal_(0, 0.2, generator=generator)
            module.running_mean.normal_(0, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
        elif isinstance(module, torch.nn.LayerNorm):
            module.weight.data.uniform_(0.5, 1.5, generator=generator)
            module.bias.data.normal_(0, 0.2, generator=generator)
    return network


def state_dict(network: torch.nn.Module) -> dict[str, np.ndarray]:
    """A copy of the state dict in NumPy, counters and all."""
    return {name: value.numpy().copy() for name, value in network.state_dict().items()}


def same_weights(network: torch.nn.Module, model: TCAM) -> Variables:
    """The twin's weights as variables of `model`."""
    shapes = variable_shapes(model, 32)
    return jax.tree.map(
        jnp.asarray, adopt(shapes, state_dict(network), "the twin", model).variables
    )


def channels_last(tensor: torch.Tensor) -> np.ndarray:
    """NCHW to NHWC."""
    return tensor.detach().permute(0, 2, 3, 1).numpy()


def channels_first(x: np.ndarray) -> torch.Tensor:
    """NHWC to NCHW."""
    return torch.from_numpy(np.asarray(x)).permute(0, 3, 1, 2).contiguous()
