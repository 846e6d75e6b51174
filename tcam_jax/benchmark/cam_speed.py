"""How fast class activation maps are made: ours beside torch-cam, on the same network and images.

Each side works in a process of its own, since in one process the two libraries' allocators and
threads cost each other up to 40 %; the parent lets one of them work at a time, in turn. What counts
are ratios of interleaved rounds, not the machine.
"""

import multiprocessing
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tcam_jax.cams.methods import class_activation_maps
from tcam_jax.errors import InputError
from tcam_jax.models.tcam import LAST, TCAM, init_variables

NUM_CLASSES = 10
# The name of each comparison: our method, torch-cam's class, the stage that is looked at.
METHODS = {
    "layercam": ("layercam", "LayerCAM", LAST),
    "gradcam": ("gradcam", "GradCAM", LAST),
    "gradcampp": ("gradcampp", "GradCAMpp", LAST),
    "xgradcam": ("xgradcam", "XGradCAM", LAST),
    "smoothgradcampp": ("smoothgradcampp", "SmoothGradCAMpp", LAST),
    "layercam at layer3": ("layercam", "LayerCAM", "layer3"),
}
Way = Callable[[], Any]


def measure(depth: int, size: int, batch: int, rounds: int) -> dict[str, Any]:
    """Time every way of making a batch's maps, for each image's most probable class.

    Ways of ours (one compiled call a batch): `forward`, class logits alone, and each method. Ways
    of torch-cam: `forward` in PyTorch's default layout, `forward channels_last`; each method as its
    README has it (`readme`: image by image), with parameters that need no gradient (`frozen`), and
    with a list of classes for the whole batch (`batch`).

    Returns:
      `depth`, `size`, `batch`; `ours` and `torchcam`: images a second, the median of the rounds;
      `ratios`: medians over the rounds: `layercam / forward`, and for each method and way
      torch-cam's time over ours.
    """
    require_torchcam()
    context = multiprocessing.get_context("spawn")
    sides = {}
    for name, build in (("ours", _our_ways), ("torchcam", _torchcam_ways)):
        here, there = context.Pipe()
        process = context.Process(target=_work, args=(there, build, depth, size, batch))
        process.start()
        there.close()  # only the process has it now: its end is noticed
        sides[name] = (process, here)
    try:
        names = {side: _receive(connection) for side, (_, connection) in sides.items()}
        seconds: dict[tuple[str, str], list[float]] = {}
        shuffle = random.Random(0).shuffle
        for number in range(rounds + 1):
            for side, (_, connection) in sides.items():
                # In another order each time: none is always the first after the other process.
                order = list(names[side])
                shuffle(order)
                for way in order:
                    connection.send(way)
                    elapsed = _receive(connection)
                    if number > 0:  # the first round compiles and warms up
                        seconds.setdefault((side, way), []).append(elapsed)
    finally:
        for process, _ in sides.values():
            process.terminate()
            process.join()
    speed = {
        side: {way: batch / statistics.median(seconds[side, way]) for way in names[side]}
        for side in sides
    }
    return {
        "depth": depth,
        "size": size,
        "batch": batch,
        **speed,
        "ratios": _ratios(seconds, names["torchcam"]),
    }


def _ratios(seconds: dict[tuple[str, str], list[float]], theirs: list[str]) -> dict[str, float]:
    def ratio(one: tuple[str, str], other: tuple[str, str]) -> float:
        pairs = zip(seconds[one], seconds[other], strict=True)
        return statistics.median(a / b for a, b in pairs)

    ratios = {"layercam / forward": ratio(("ours", "layercam"), ("ours", "forward"))}
    for way in theirs:
        method = "forward" if way.startswith("forward") else way.rsplit(": ", 1)[0]
        ratios[f"torchcam {way} / ours"] = ratio(("torchcam", way), ("ours", method))
    return ratios


def _work(connection: Any, build: Callable, depth: int, size: int, batch: int) -> None:
    """Time one call of the way that the parent names, again and again."""
    ways: dict[str, Way] = build(depth, size, batch)
    connection.send(list(ways))
    while True:
        way = ways[connection.recv()]
        way()  # the other process has had the caches and the memory
        start = time.perf_counter()
        way()
        connection.send(time.perf_counter() - start)


def _receive(connection: Any) -> Any:
    try:
        return connection.recv()
    except EOFError:
        raise RuntimeError("a measuring process ended; its message is above") from None


def _images(size: int, batch: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(batch, size, size, 3)).astype(np.float32)


def _our_ways(depth: int, size: int, batch: int) -> dict[str, Way]:
    model = TCAM(NUM_CLASSES, depth=depth)
    variables = init_variables(model, jax.random.key(0), size)
    images = jnp.asarray(_images(size, batch))

    @jax.jit
    def forward(variables: dict, images: jax.Array) -> jax.Array:
        return model.apply(variables, images, method="classify").logits

    @partial(jax.jit, static_argnames=("method", "stage"))
    def maps(variables: dict, images: jax.Array, method: str, stage: str) -> jax.Array:
        output = model.apply(variables, images, method="classify")
        classes = output.logits.argmax(-1)
        return class_activation_maps(model, variables, images, output, classes, method, stage)

    ways: dict[str, Way] = {"forward": lambda: jax.block_until_ready(forward(variables, images))}
    for name, (method, _, stage) in METHODS.items():
        ways[name] = partial(_finish, maps, variables, images, method=method, stage=stage)
    return ways


def _finish(function: Callable, *args: Any, **kwargs: Any) -> None:
    jax.block_until_ready(function(*args, **kwargs))


def _torchcam_ways(depth: int, size: int, batch: int) -> dict[str, Way]:
    import torch
    import torchcam.methods

    from tcam_jax.benchmark.torch_twin import Classifier

    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = Classifier(NUM_CLASSES, depth).eval().to(device)
    other_layout = Classifier(NUM_CLASSES, depth).eval().to(device)
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

    ways: dict[str, Way] = {
        "forward": lambda: forward(network, images),
        "forward channels_last": lambda: forward(other_layout, nhwc),
    }
    for name, (_, extractor, stage) in METHODS.items():
        ways[f"{name}: readme"] = partial(readme, extractor, stage, frozen=False)
        ways[f"{name}: frozen"] = partial(readme, extractor, stage, frozen=True)
        ways[f"{name}: batch"] = partial(whole_batch, extractor, stage)
    return ways


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
