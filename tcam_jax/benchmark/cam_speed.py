"""How fast class activation maps are made: ours beside torch-cam, on the same network and images.

Each side works in a process of its own, see `benchmark.sides`.
"""

import statistics
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tcam_jax.benchmark import sides
from tcam_jax.benchmark.rounds import ratio
from tcam_jax.cams.methods import class_activation_maps
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import TCAM, for_inference, init_variables
from tcam_jax.runtime.errors import InputError

NUM_CLASSES = 10
WITH_LAYERS = tuple(name for name in ENCODERS if name.startswith("resnet"))
# The name of each comparison: our method, torch-cam's class, the stage that is looked at.
METHODS = {
    "layercam": ("layercam", "LayerCAM", "layer4"),
    "gradcam": ("gradcam", "GradCAM", "layer4"),
    "gradcampp": ("gradcampp", "GradCAMpp", "layer4"),
    "xgradcam": ("xgradcam", "XGradCAM", "layer4"),
    "smoothgradcampp": ("smoothgradcampp", "SmoothGradCAMpp", "layer4"),
    "layercam at layer3": ("layercam", "LayerCAM", "layer3"),
}


def measure(encoder: str, size: int, batch: int, rounds: int) -> dict[str, Any]:
    """Time every way of making a batch's maps, for each image's most probable class.

    Ways of ours (one compiled call a batch): `forward`, class logits alone, and each method. Ways
    of torch-cam: `forward` in PyTorch's default layout, `forward channels_last`; each method as its
    README has it (`readme`: image by image), with parameters that need no gradient (`frozen`), and
    with a list of classes for the whole batch (`batch`).

    Returns:
      `encoder`, `size`, `batch`; `ours` and `torchcam`: images a second, the median of the rounds;
      `ratios`: medians over the rounds: `layercam / forward`, and for each method and way
      torch-cam's time over ours.
    """
    require_torchcam()
    shape = (encoder, size, batch)
    prepare = {"ours": partial(_our_ways, *shape), "torchcam": partial(_torchcam_ways, *shape)}
    measured = sides.measure(prepare, rounds)
    seconds = {side: each.seconds for side, each in measured.items()}
    speed = {
        side: {way: batch / statistics.median(times) for way, times in ways.items()}
        for side, ways in seconds.items()
    }
    ours, theirs = seconds["ours"], seconds["torchcam"]
    ratios = {"layercam / forward": ratio(ours["layercam"], ours["forward"])}
    for way, times in theirs.items():
        method = "forward" if way.startswith("forward") else way.rsplit(": ", 1)[0]
        ratios[f"torchcam {way} / ours"] = ratio(times, ours[method])
    return {"encoder": encoder, "size": size, "batch": batch, **speed, "ratios": ratios}


def _images(size: int, batch: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(batch, size, size, 3)).astype(np.float32)


def _our_ways(encoder: str, size: int, batch: int) -> sides.Prepared:
    model = TCAM(NUM_CLASSES, ENCODERS[encoder])
    variables = for_inference(model, init_variables(model, jax.random.key(0), size))
    images = jnp.asarray(_images(size, batch))

    @jax.jit
    def forward(variables: dict, images: jax.Array) -> jax.Array:
        return model.apply(variables, images, method="classify").logits

    @partial(jax.jit, static_argnames=("method", "stage"))
    def maps(variables: dict, images: jax.Array, method: str, stage: str) -> jax.Array:
        output = model.apply(variables, images, method="classify")
        classes = output.logits.argmax(-1)
        return class_activation_maps(model, variables, images, output, classes, method, stage)

    ways: dict[str, sides.Way] = {
        "forward": lambda: jax.block_until_ready(forward(variables, images))
    }
    for name, (method, _, stage) in METHODS.items():
        ways[name] = partial(_finish, maps, variables, images, method=method, stage=stage)
    return sides.Prepared(ways, {})


def _finish(function: Callable, *args: Any, **kwargs: Any) -> None:
    jax.block_until_ready(function(*args, **kwargs))


def _torchcam_ways(encoder: str, size: int, batch: int) -> sides.Prepared:
    import torch
    import torchcam.methods

    from tcam_jax.benchmark.torch_twin import Classifier

    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    ours = ENCODERS[encoder]()
    network = Classifier(NUM_CLASSES, ours).eval().to(device)
    other_layout = Classifier(NUM_CLASSES, ours).eval().to(device)
    other_layout = other_layout.to(memory_format=torch.channels_last)
    nhwc = torch.from_numpy(_images(size, batch)).to(device).permute(0, 3, 1, 2)
    images = nhwc.contiguous()

    def finish() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    def forward(model: torch.nn.Module, x: torch.Tensor) -> None:
        with torch.inference_mode():
            model(x)
        finish()

    def readme(extractor: str, stage: str, frozen: bool) -> None:
        network.requires_grad_(not frozen)
        with getattr(torchcam.methods, extractor)(network, f"encoder.{stage}") as extract:
            for image in images:
                # Without gradients of parameters, the image must need one, or there is no graph.
                image = image.unsqueeze(0).clone().requires_grad_(frozen)
                scores = network(image)
                extract(scores.squeeze(0).argmax().item(), scores)
        finish()

    def whole_batch(extractor: str, stage: str) -> None:
        network.requires_grad_(True)
        with getattr(torchcam.methods, extractor)(network, f"encoder.{stage}") as extract:
            scores = network(images)
            extract(scores.argmax(1).tolist(), scores)
        finish()

    ways: dict[str, sides.Way] = {
        "forward": lambda: forward(network, images),
        "forward channels_last": lambda: forward(other_layout, nhwc),
    }
    for name, (_, extractor, stage) in METHODS.items():
        ways[f"{name}: readme"] = partial(readme, extractor, stage, frozen=False)
        ways[f"{name}: frozen"] = partial(readme, extractor, stage, frozen=True)
        ways[f"{name}: batch"] = partial(whole_batch, extractor, stage)
    return sides.Prepared(ways, {})


def require_torchcam() -> None:
    """Raise InputError unless both other packages are installed."""
    missing = [name for name in ("torch", "torchcam") if find_spec(name) is None]
    if missing:
        raise InputError(
            f"this benchmark needs {' and '.join(missing)}: pip install torch torchcam"
        )


def machine() -> dict[str, str]:
    """Name the device and the versions that the figures depend on."""
    packages = ("jax", "flax", "torch", "torchcam")
    return {
        "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        **{name: version(name) for name in packages},
    }
