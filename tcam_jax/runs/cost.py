"""What a trained run costs: parameters, training time, the time of one frame."""

import json
import statistics
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TypedDict

import jax
import numpy as np
from jaxtyping import PyTree
from ml_collections import ConfigDict

from tcam_jax.cams.methods import CAM_METHODS
from tcam_jax.config.rules import flatten
from tcam_jax.data.optical_flow import MOTION_DISTANCES, grey, motion_map
from tcam_jax.evaluate.maps import OF_DECODER, OF_NEIGHBOURS, PREDICTED, make_forward
from tcam_jax.models.tcam import LOCALISER_PARTS, TCAM, Variables, for_inference, select
from tcam_jax.runs.networks import load_networks, read_classes
from tcam_jax.runtime.files import write_whole
from tcam_jax.runtime.json_files import read_json
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.runtime.shapes import Count
from tcam_jax.train.logs import read_metrics
from tcam_jax.train.stages import CLASSIFIER_DIR, TCAM_DIR, make_model

FILE_NAME = "cost.json"
_CALLS = 9  # of which the median counts
_TIMED = ("seconds_data", "seconds_step", "seconds_validation", "seconds_save")


class Cost(TypedDict):
    """The content of `cost.json`.

    Attributes:
      parameters: of the whole network.
      localiser: those of them that stage 2 trains.
      milliseconds: by method, from one frame in the host's memory to its map there.
      device: on which.
    """

    parameters: Count
    localiser: Count
    milliseconds: dict[str, float]
    device: str


def read_cost(workdir: Path) -> Cost | None:
    """Return what `measure_costs` wrote; None where it was not measured.

    Raises:
      InputError: it is damaged.
    """
    path = workdir / FILE_NAME
    if not path.is_file():
        return None
    cost: Cost = read_json(path, Cost, "Delete it: the same `tcam ablate` measures anew.")
    return cost


def measure_costs(runs: Iterable[tuple[ConfigDict, Path, Collection[str]]]) -> bool:
    """Measure finished runs on the first device, and write it into their folders.

    What was measured before stays; networks that are alike are measured once.

    Args:
      runs: config, folder, and the methods whose maps are timed, of which fixed boxes have none.

    Returns:
      Whether any was measured.

    Raises:
      InputError: a stage is not trained to its end.
    """
    times: dict[tuple[object, ...], float] = {}
    measured = False
    for config, workdir, wanted in runs:
        methods = [x for x in dict.fromkeys(wanted) if x in CAM_METHODS or x in OF_DECODER]
        kind = tuple(sorted((x, repr(y)) for x, y in flatten(config).items() if _is_of_network(x)))
        there = read_cost(workdir)
        known = there["milliseconds"] if there else {}
        times.update({(kind, method): known[method] for method in known})
        if there and not set(methods) - known.keys():
            continue
        measured = True
        num_classes = len(read_classes(workdir))
        model = make_model(config, num_classes)
        networks = load_networks(
            config, workdir, num_classes, Parallel(config.parallel, jax.devices()[:1])
        )
        whole = networks.seeds if networks.tcam is None else networks.tcam
        for method in methods:
            if (kind, method) not in times:
                network = whole if method in OF_DECODER else networks.seeds
                times[kind, method] = _milliseconds(
                    model, network.variables, config.dataset.crop, method
                )
        cost: Cost = {
            "parameters": _count(whole.variables["params"]),
            "localiser": _count(select(whole.variables, LOCALISER_PARTS)["params"]),
            "milliseconds": known | {method: times[kind, method] for method in methods},
            "device": jax.devices()[0].device_kind,
        }
        write_whole(workdir / FILE_NAME, json.dumps(cost, indent=1) + "\n")
    return measured


def _is_of_network(field: str) -> bool:
    return field.startswith("model.") or field in ("dataset.crop", "precision")


def _milliseconds(model: TCAM, variables: Variables, size: int, method: str) -> float:
    """Return the median time from one frame in the host's memory to its map there.

    Where its neighbours are looked at, they lie there too.
    """
    forward, variables = make_forward(model, (method,)), for_inference(model, variables)
    drawn = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    frame, predicted = drawn[None], np.full(1, PREDICTED, np.int32)
    near = [np.roll(drawn, away, axis=1) for away in MOTION_DISTANCES]

    def motion() -> tuple[np.ndarray, ...]:
        if method not in OF_NEIGHBOURS:
            return ()
        return (motion_map(grey(drawn), [grey(other) for other in near])[None],)

    seconds = []
    for _ in range(1 + _CALLS):
        start = time.perf_counter()
        jax.device_get(forward(variables, frame, predicted, *motion()))
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds[1:])  # the first one compiles


def training_seconds(workdir: Path) -> float | None:
    """Return how long both stages of a run trained, validations and saves that were waited for too.

    A classifier that the run has from another one counts as its own. None: it is not known.
    """
    stages = [workdir / stage / "timing.jsonl" for stage in (CLASSIFIER_DIR, TCAM_DIR)]
    lines = [line for path in stages if path.is_file() for line in read_metrics(path)]
    if not lines:
        return None
    return float(sum(line.get(name) or 0.0 for line in lines for name in _TIMED))


def _count(tree: PyTree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))
