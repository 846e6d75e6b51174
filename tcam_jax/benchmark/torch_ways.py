"""PyTorch's side of `launch.benchmark`: the twin's steps and calls, under our ways' names."""

import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ml_collections import ConfigDict

from tcam_jax.benchmark.case import (
    CLASSIFIER_STEP,
    CRF,
    NUM_CLASSES,
    TCAM_STEP,
    WITHOUT,
    Case,
    cam_way,
    inference_way,
)
from tcam_jax.benchmark.sides import Prepared, Way
from tcam_jax.benchmark.torch_inference import infer, infer_layercam
from tcam_jax.benchmark.torch_losses import crf
from tcam_jax.benchmark.torch_steps import ClassifierStep, TCAMStep
from tcam_jax.benchmark.torch_twin import TCAM, Classifier
from tcam_jax.losses.objective import settings_at
from tcam_jax.models.encoders.registry import backbone

_AUTOCAST = {"bfloat16": torch.bfloat16, "float32": None}
_BARRIER_T = 1.0


def prepare(case: Case, compiled: bool) -> Prepared:
    """Make the twin's ways; `compiled` uses torch.compile for the networks.

    Figures: for each way `compile_s`, the seconds of its first call, and `working_bytes`, the peak
    of a call above what lay in memory before; None where the system does not tell.
    """
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True  # shapes are fixed: the fastest algorithms pay
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config, autocast = case.config, _AUTOCAST[case.config.precision]
    ways: dict[str, Way] = {}

    def network(kind: type = TCAM) -> Any:
        made = kind(NUM_CLASSES, backbone(config)())
        return made.eval().to(device, memory_format=torch.channels_last)

    def here(batch: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
        placed = {name: torch.from_numpy(x).to(device) for name, x in batch.items()}
        return placed | {"label": placed["label"].long()}

    def tcam_step(config: ConfigDict) -> Way:
        step = TCAMStep(network(), config, autocast, compiled)
        return partial(step, here(case.windows("tcam")), _BARRIER_T)

    if "steps" in case.parts:
        step = ClassifierStep(network(Classifier), config, autocast, compiled)
        ways[CLASSIFIER_STEP] = partial(step, here(case.windows("classifier")))
        ways[TCAM_STEP] = tcam_step(config)
    if "losses" in case.parts:
        for loss, name in WITHOUT.items():
            without = config.copy_and_resolve_references()
            without.tcam.losses[loss].weight = 0.0
            ways[name] = tcam_step(without)
    if "crf" in case.parts:
        settings = settings_at(config.tcam.losses, config.dataset.crop)["crf"]
        images, logits = (
            torch.from_numpy(x).to(device).permute(0, 3, 1, 2) for x in case.crf_arguments()
        )
        ways[CRF] = partial(_energy_and_gradient, logits.requires_grad_(), images, settings)
    evaluated = network()
    run = partial(infer, torch.compile(evaluated) if compiled else evaluated)
    for batch in case.inference_batches() if "inference" in case.parts else ():
        frames = case.frames(batch, size=config.dataset.crop)
        ways[inference_way(batch)] = partial(_to_host, run, device, autocast, frames)
    if "cams" in case.parts:
        frames = case.frames(case.batch, size=config.dataset.crop)
        classes = np.arange(case.batch) % NUM_CLASSES
        cams = partial(infer_layercam, evaluated)
        ways[cam_way("layercam")] = partial(_to_host, cams, device, autocast, frames, classes)
    ways = {name: partial(_finish, way, device) for name, way in ways.items()}
    return Prepared(ways, {name: _figures(way, device) for name, way in ways.items()})


def _energy_and_gradient(logits: torch.Tensor, images: torch.Tensor, settings: Any) -> None:
    logits.grad = None
    crf(logits, images, settings).backward()


def _to_host(
    function: Any, device: torch.device, autocast: torch.dtype | None, *arrays: np.ndarray
) -> None:
    made = function(*(torch.from_numpy(x).to(device) for x in arrays), autocast=autocast)
    for tensor in made if isinstance(made, tuple) else (made,):
        tensor.cpu()


def _finish(way: Way, device: torch.device) -> None:
    way()
    if device.type == "cuda":
        torch.cuda.synchronize()


def _figures(way: Way, device: torch.device) -> dict[str, float | int | None]:
    start = time.perf_counter()
    way()
    return {"compile_s": time.perf_counter() - start, "working_bytes": _working(way, device)}


def _working(way: Way, device: torch.device) -> int | None:
    if device.type == "cuda":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        way()
        return torch.cuda.max_memory_allocated() - before
    reset = Path("/proc/self/clear_refs")  # Linux: writing 5 resets the peak of resident memory
    if not reset.exists():
        return None
    before = _resident("VmRSS")
    reset.write_text("5")
    way()
    return _resident("VmHWM") - before


def _resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))
