"""What a run's workdir holds, put to use: its networks, their evaluation, prediction with them."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from tcam_jax import config as configuration
from tcam_jax.data.truth import Truth
from tcam_jax.errors import InputError
from tcam_jax.evaluate.boxes import level_of
from tcam_jax.evaluate.corloc import TAUS_TEST, TAUS_VALIDATION
from tcam_jax.evaluate.evaluator import Evaluation, accuracy, evaluate, localisation
from tcam_jax.evaluate.maps import TCAM_METHOD, make_forward
from tcam_jax.evaluate.predict import Predictor
from tcam_jax.evaluate.results import (
    fixed_box_rows,
    method_rows,
    read_results,
    write_results,
)
from tcam_jax.files import write_whole
from tcam_jax.interruption import Interruption
from tcam_jax.models.tcam import (
    CLASSIFIER_PARTS,
    LOCALISER_PARTS,
    Variables,
    merge,
    select,
    variable_shapes,
)
from tcam_jax.train import processes
from tcam_jax.train.data_protocol import Data
from tcam_jax.train.finished import Finished
from tcam_jax.train.parallel import Parallel
from tcam_jax.train.stages import CLASSIFIER_DIR, TCAM_DIR, make_model


class Network(NamedTuple):
    """Trained variables and where they come from, "STAGE/ROLE@STEP"."""

    variables: Variables
    checkpoint: str


class Networks(NamedTuple):
    """The networks of a finished run: the CAM baselines' classifier, and TCAM whole."""

    seeds: Network
    tcam: Network


def load_networks(
    config: ConfigDict, workdir: Path, num_classes: int, parallel: Parallel
) -> Networks:
    """Restore the best networks of both stages from `workdir`.

    Raises:
      InputError: a stage is not trained to its end.
    """
    model = make_model(config, num_classes)
    like = variable_shapes(model, config.dataset.crop)

    def restore(stage: str, role: str, parts: tuple[str, ...]) -> Network:
        finished = Finished(workdir / stage)
        step = finished.best_step(role)
        variables = finished.variables(step, select(like, parts))
        return Network(parallel.place_here(variables), f"{stage}/{role}@{step}")

    seeds = restore(CLASSIFIER_DIR, config.tcam.seed_checkpoint, CLASSIFIER_PARTS)
    encoder = restore(CLASSIFIER_DIR, config.tcam.encoder_checkpoint, CLASSIFIER_PARTS)
    localiser = restore(TCAM_DIR, "best_localization", LOCALISER_PARTS)
    return Networks(
        seeds, Network(merge(encoder.variables, localiser.variables), localiser.checkpoint)
    )


def evaluate_run(
    config: ConfigDict,
    workdir: Path,
    data: Data,
    parallel: Parallel,
    split: str,
    stop: Interruption | None = None,
) -> dict[str, Any]:
    """Score a finished run on `split`; write its results and predictions into `workdir`.

    The files are `results.json` and `predictions.jsonl` for the test split; another split has its
    name in theirs.

    Returns:
      The results, see `evaluate.results`.

    Raises:
      InputError: the run is not trained to its end, or a record is damaged.
      Interrupted: `stop` was requested; nothing is written.
    """
    stop, num_classes, size = stop or Interruption(), len(data.class_names), config.dataset.crop
    batch_size, part = parallel.evaluation_rows(config.eval.batch_size)
    networks = load_networks(config, workdir, num_classes, parallel)
    truths = {name: data.truth(name) for name in ("validation", split)}
    truth = truths[split]
    rows = fixed_box_rows(truth, size, num_classes)
    classification, seconds, tau = {}, {}, {}
    predictions: dict[str, Evaluation] = {}
    for network, methods in (
        (networks.seeds, tuple(config.eval.cam_methods)),
        (networks.tcam, (TCAM_METHOD,)),
    ):
        forward = make_forward(make_model(config, num_classes), methods)
        evaluations = {
            name: evaluate(
                forward,
                network.variables,
                stop.between(data.frames(name, batch_size, part)),
                truths[name],
                methods,
                parallel.shard_flat,
                processes.total,
            )
            for name in truths
        }
        for method in methods:
            validation = localisation(
                evaluations["validation"], truths["validation"], method, size, TAUS_VALIDATION
            )
            scored = localisation(evaluations[split], truth, method, size, TAUS_TEST)
            rows += method_rows(method, network.checkpoint, validation, scored, num_classes)
            tau[method] = None if validation is None else validation.best_tau()
        classification[network.checkpoint] = accuracy(evaluations[split], truth)
        seconds[network.checkpoint] = evaluations[split].seconds_per_frame
        predictions.update(dict.fromkeys(methods, evaluations[split]))
    results = {
        "dataset": config.dataset.name,
        "split": split,
        "frames": len(truth.labels),
        "boxes": sum(len(boxes) for boxes in truth.boxes),
        "classes": list(data.class_names),
        "rows": rows,
        "classification": classification,
        "tau": tau,
        "seconds_per_frame": seconds,
    }
    if not processes.is_first():
        return results
    suffix = "" if split == "test" else f"_{split}"
    # Results last: where they are, nothing is left to do.
    _write_predictions(workdir / f"predictions{suffix}.jsonl", truth, predictions, results, size)
    write_results(workdir / f"results{suffix}.json", results)
    return results


def _write_predictions(
    path: Path,
    truth: Truth,
    predictions: dict[str, Evaluation],
    results: dict[str, Any],
    size: int,
) -> None:
    """Write a line a frame: id, true class, class probabilities, and each method's box.

    Boxes are x0, y0, x1, y1 in pixels of the frame, at the method's threshold from validation, or
    at Otsu's where validation has no boxes.
    """
    classes = results["classes"]
    probabilities = np.array(jax.nn.softmax(predictions[TCAM_METHOD].logits, axis=-1))
    lines = []
    for i, frame_id in enumerate(truth.ids):
        scale = np.tile(truth.sizes[i] / size, 2)
        boxes = {}
        for method, evaluation in predictions.items():
            tau = results["tau"][method]
            level = evaluation.otsu[method][i]
            if tau is not None:
                level = level_of(tau, int(evaluation.peaks[method][i]))
            boxes[method] = (evaluation.boxes[method][i, level] * scale).tolist()
        line = {
            "id": frame_id,
            "label": classes[truth.labels[i]],
            "probabilities": dict(zip(classes, probabilities[i].tolist(), strict=True)),
            "boxes": boxes,
        }
        lines.append(json.dumps(line) + "\n")
    write_whole(path, "".join(lines))


def record_classes(workdir: Path, class_names: tuple[str, ...]) -> None:
    """Record the class names, in index order, where `load` finds them.

    Raises:
      InputError: the run was started with other classes.
    """
    path = workdir / "classes.json"
    if not path.exists():
        write_whole(path, json.dumps(class_names) + "\n")
    elif read_classes(workdir) != class_names:
        raise InputError(
            f"{workdir} was started with the classes {list(read_classes(workdir))}, the dataset "
            f"now has {list(class_names)}; use another --workdir, or the dataset as it was."
        )


def read_classes(workdir: Path) -> tuple[str, ...]:
    """Read what `record_classes` wrote.

    Raises:
      InputError: nothing was.
    """
    path = workdir / "classes.json"
    if not path.exists():
        raise InputError(f"{workdir} was never started; run `python -m launch.train` there.")
    return tuple(json.loads(path.read_text()))


def load(workdir: str | Path) -> Predictor:
    """Return a run's TCAM network, ready to predict.

    The threshold is the one that evaluation chose on validation; Otsu's where there were no boxes
    or the run has not been evaluated.

    Raises:
      InputError: `workdir` holds no run, or one that is not trained to its end.
    """
    workdir = Path(workdir)
    config = configuration.load(workdir)
    class_names = read_classes(workdir)
    parallel = Parallel(config.parallel, jax.devices()[:1])
    networks = load_networks(config, workdir, len(class_names), parallel)
    tau = None
    if (workdir / "results.json").exists():
        tau = read_results(workdir)["tau"][TCAM_METHOD]
    return Predictor(
        make_model(config, len(class_names)),
        networks.tcam.variables,
        class_names,
        config.dataset.crop,
        tau,
    )
