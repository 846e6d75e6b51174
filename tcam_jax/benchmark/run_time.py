"""Where every second of a run goes: both stages and the evaluation, as `train_and_evaluate` has it.

What the loop itself writes (`timing.jsonl`), the clock, and JAX's events; nothing is hooked in.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from tcam_jax.benchmark.compilations import Compilations
from tcam_jax.benchmark.modelled_step import Paced, null_step, with_momentum
from tcam_jax.benchmark.time_shares import epoch_shares, projected_s, stage_shares
from tcam_jax.benchmark.utilisation import Utilisation
from tcam_jax.benchmark.validation_parts import validation_parts
from tcam_jax.config.record import read_environment, record_config
from tcam_jax.data.dataset import Dataset
from tcam_jax.data.sample import sampled
from tcam_jax.evaluate.maps import METHOD_OF_MAP
from tcam_jax.runs.evaluate import evaluate_networks
from tcam_jax.runs.identity import record_dataset
from tcam_jax.runs.networks import load_networks
from tcam_jax.runtime.interruption import Interruption
from tcam_jax.runtime.log import start_logging
from tcam_jax.train.logs import read_metrics
from tcam_jax.train.loop import run
from tcam_jax.train.selection import selection_truth
from tcam_jax.train.stages import CLASSIFIER_DIR, TCAM_DIR, classifier_stage, tcam_stage

PUBLISHED_EPOCHS = 100  # of each stage


class Span(NamedTuple):
    """A part of the run: when, by `time.monotonic`, and for how much of all cores' time."""

    begin: float
    end: float
    processor_s: float


class Timeline:
    """The parts of a run, by name."""

    def __init__(self) -> None:
        self.spans: dict[str, Span] = {}

    @contextmanager
    def of(self, name: str, begin: float | None = None) -> Iterator[None]:
        """Take what is inside for the part `name`.

        `begin`: when it did, if not now; all that the process has computed so far is then its.
        """
        busy = time.process_time() if begin is None else 0.0
        begin = time.monotonic() if begin is None else begin
        yield
        self.spans[name] = Span(begin, time.monotonic(), time.process_time() - busy)


def measure(
    config: ConfigDict,
    epochs: int,
    workdir: Path,
    began: float,
    step_ms: float | None = None,
    evaluation: bool = True,
) -> dict[str, Any]:
    """Run both stages and the evaluation in `workdir`, and return where the time went.

    Args:
      config: of the run; its dataset is prepared.
      epochs: of each stage.
      workdir: a new folder.
      began: when the run began, by `time.monotonic`: what it took to come here counts.
      step_ms: None: the stages' own steps. Otherwise steps that train nothing and keep the loop for
        so many milliseconds, see `benchmark.modelled_step`.

    Returns:
      "wall_s"; "parts": {part of the run: {"seconds", "processor_s", "compile_s", "programs",
      "from_cache", "device_utilisation"}}, whose seconds add up to "wall_s"; "stages": {stage:
      {"steps_per_epoch", "seconds", "epoch", "validation"}}, see `time_shares` and
      `validation_parts`; "projected_hours": of `PUBLISHED_EPOCHS` a stage, None after one epoch;
      "environment": see `config.record`.
    """
    timeline, compilations, utilisation = Timeline(), Compilations(), Utilisation()
    stop, stages = Interruption(), {}
    with compilations.listening(), utilisation.watching():
        with timeline.of("start", began):
            for section in (config.classifier, config.tcam):
                section.epochs = epochs
            record_config(config, workdir)
            start_logging(workdir)
            parallel = Paced(config.parallel, milliseconds=step_ms or 0.0)
        with timeline.of("dataset"):
            data = Dataset(config)
            data.truth("test")
            record_dataset(config, workdir, data)
            seen = sampled(config, data)
            data.get_ready()  # as `train` does
            truth = selection_truth(config, seen)
        tcam = partial(tcam_stage, stop=stop)
        for name, build in ((CLASSIFIER_DIR, classifier_stage), (TCAM_DIR, tcam)):
            ours = parallel.with_accumulation(config[name].accumulation)
            with timeline.of(f"{name}: built"):
                stage = build(config, seen, truth, ours, workdir)
                if step_ms is not None:
                    stage = stage._replace(
                        step=null_step(stage.step), state=with_momentum(stage.state)
                    )
            with timeline.of(f"{name}: trained"):
                run(stage, ours, config.checkpoint, stop)
            span = timeline.spans[f"{name}: trained"]
            lines = read_metrics(workdir / name / "timing.jsonl")
            step_s = None if step_ms is None else ours.seconds / stage.num_steps
            stages[name] = {
                "steps_per_epoch": stage.steps_per_epoch,
                "seconds": stage_shares(lines, span.end - span.begin),
                "epoch": epoch_shares(lines, stage.steps_per_epoch, epochs, step_s),
            }
            del stage
        if evaluation:
            with timeline.of("evaluation"):
                evaluate_networks(config, workdir, data, parallel, "test", stop)
        ended = time.monotonic()
    wall_s = ended - began
    parts = {
        name: {
            "seconds": span.end - span.begin,
            "processor_s": span.processor_s,
            **compilations.between(span.begin, span.end),
            "device_utilisation": utilisation.between(span.begin, span.end),
        }
        for name, span in timeline.spans.items()
    }
    parts["between"] = {"seconds": wall_s - sum(part["seconds"] for part in parts.values())}
    networks = load_networks(config, workdir, len(data.class_names), parallel)
    methods = (config.tcam.cam_method, METHOD_OF_MAP[config.eval.map])
    for stage, network, method in zip(stages.values(), networks, methods, strict=True):
        stage["validation"] = validation_parts(config, data, parallel, network.variables, method)
    return {
        "wall_s": wall_s,
        "parts": parts,
        "stages": stages,
        "projected_hours": _projected_hours(wall_s, stages, epochs),
        "environment": read_environment(workdir),
    }


def _projected_hours(
    wall_s: float, stages: Mapping[str, Mapping[str, Any]], epochs: int
) -> float | None:
    if any(stage["epoch"] is None for stage in stages.values()):
        return None
    epoch_s = {name: stage["epoch"]["whole"] for name, stage in stages.items()}
    return projected_s(wall_s, epoch_s, epochs, PUBLISHED_EPOCHS) / 3600
