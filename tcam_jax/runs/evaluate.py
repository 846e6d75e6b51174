"""The last stage of a run: its networks scored on a split under every protocol."""

import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from tcam_jax.config.record import load_config
from tcam_jax.config.rules import validate
from tcam_jax.data.background import background_of
from tcam_jax.data.dataset import Dataset
from tcam_jax.data.protocol import Data, check_data, evaluation_frames
from tcam_jax.data.truth import video_of
from tcam_jax.evaluate.agreement import agreed_level
from tcam_jax.evaluate.boxes import LEVELS
from tcam_jax.evaluate.corloc import TAUS_VALIDATION
from tcam_jax.evaluate.frame_lines import frame_lines
from tcam_jax.evaluate.maps import OF_LOGITS, make_forward, methods_of_maps, see_neighbours
from tcam_jax.evaluate.protocols import (
    AGREEMENT,
    CLASS_FROM,
    Judgement,
    protocol_rows,
    rule_without_boxes,
)
from tcam_jax.evaluate.pseudo_boxes import PSEUDO_BOXES
from tcam_jax.evaluate.results import (
    Curves,
    Results,
    file_of_split,
    find_row,
    fixed_box_rows,
    write_results,
)
from tcam_jax.evaluate.rows import Row
from tcam_jax.evaluate.split import SplitScores, accuracy, judge, score_split
from tcam_jax.models.tcam import for_inference
from tcam_jax.runs.identity import check_dataset
from tcam_jax.runs.networks import check_classes, fitting, load_networks
from tcam_jax.runtime import processes
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import write_whole
from tcam_jax.runtime.given import path_given
from tcam_jax.runtime.interruption import Interruption
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.train.selection import check_selection, selection_truth
from tcam_jax.train.stages import make_model


def evaluate_run(
    workdir: str | Path,
    split: str = "test",
    data: Data | None = None,
    data_dir: str | Path | None = None,
) -> Results:
    """Score a finished run on `split`; write its results and predictions into `workdir`.

        results = tcam_jax.evaluate_run("runs/demo", "validation")
        corloc = {row["method"]: row["corloc"] for row in results["rows"]}

    The files are `results.json` and `predictions.jsonl` for the test split; another split has its
    name in theirs.

    Args:
      workdir: folder of the run.
      split: "test" or "validation".
      data: an object of your own in place of the dataset that the run's config names, see `Data`;
        other data than the run's are scored so too.
      data_dir: where the prepared dataset lies now, if not where it lay in training.

    Returns:
      The results, see `evaluate.results`: CorLoc in percent, thresholds 0..1.

    Raises:
      InputError: there is no such run or split, the run is not trained to its end, the dataset
        is another one, the data have other classes or lack what is looked at, or a record is
        damaged.
      TypeError: `data` lacks members of `Data`.
    """
    if split not in ("validation", "test"):
        raise InputError(f"split must be 'validation' or 'test'; got {split!r}.")
    workdir = path_given(workdir, "workdir")
    config = load_config(workdir, data_dir)
    given = data
    if data is None:
        data = Dataset(config)
    check_data(data)
    validate(config, "evaluate")
    check_classes(workdir, tuple(data.class_names))
    if given is None:
        check_dataset(config, workdir, data)
    check_selection(config, data)
    with fitting(workdir):
        return evaluate_networks(config, workdir, data, Parallel(config.parallel), split)


def evaluate_networks(
    config: ConfigDict,
    workdir: Path,
    data: Data,
    parallel: Parallel,
    split: str,
    stop: Interruption | None = None,
) -> Results:
    """Do the work of `evaluate_run`, in one of several processes too.

    Raises:
      InputError: see `evaluate_run`.
      Interrupted: `stop` was requested; nothing is written.
    """
    stop, num_classes, size = stop or Interruption(), len(data.class_names), config.dataset.crop
    batch_size, part = parallel.evaluation_rows(config.eval.batch_size)
    networks = load_networks(config, workdir, num_classes, parallel)
    truths = {name: data.truth(name) for name in ("validation", split)}
    truth = truths[split]
    rows = fixed_box_rows(truth, size, num_classes)
    classification, seconds, curves = {}, {}, {}
    scored: dict[str, SplitScores] = {}  # by method, on `split`
    agreed: dict[str, float] = {}
    boxless: dict[str, float] = {}  # tau without true boxes; others have each map's own
    by = config.eval.select_by
    # TCAM's maps are guided by the CAMs that its seeds came from.
    for network, methods, guide in (
        (networks.seeds, tuple(config.eval.cam_methods), ()),
        (networks.tcam, methods_of_maps(config), (config.tcam.cam_method,)),
    ):
        if network is None:
            continue
        model = make_model(config, num_classes)
        variables = for_inference(model, network.variables)
        read = evaluation_frames(data, neighbours=see_neighbours(methods))
        forward = make_forward(model, (*methods, *guide), also_predicted=True, parallel=parallel)
        scores = {
            name: score_split(
                forward,
                variables,
                stop.between(read(name, batch_size, part)),
                truths[name],
                methods,
                parallel.shard_flat,
                processes.all_reduce_sum,
                guided=bool(guide),
            )
            for name in truths
        }
        if guide:
            pseudo = selection_truth(config, data) if by in PSEUDO_BOXES else None
            background = background_of(config, tuple(data.class_names))
            names = np.array(data.class_names)[truths["validation"].labels]
            judged_frames = names != background
            for method in set(methods) & set(OF_LOGITS):
                level = agreed_level(scores["validation"], method, pseudo, size, judged_frames)
                agreed[method] = (level + 0.5) / (LEVELS - 1)
                if rule_without_boxes(method, pseudo is not None) == AGREEMENT:
                    boxless[method] = agreed[method]
        for method, whose in itertools.product(methods, CLASS_FROM):
            judged = {name: judge(scores[name], truths[name], method, whose) for name in truths}
            of_protocol = protocol_rows(
                judged["validation"],
                judged[split],
                data.class_names,
                method,
                agreed.get(method),
            )
            rows += [
                {"method": method, "checkpoint": network.checkpoint, "class_from": whose, **row}
                for row in of_protocol
            ]
            if whose == "truth":
                curves[method] = _curve(judged[split])
        classification[network.checkpoint] = accuracy(scores[split], truth)
        seconds[network.checkpoint] = scores[split].seconds_per_frame
        scored.update(dict.fromkeys(methods, scores[split]))
    results: Results = {
        "dataset": config.dataset.name,
        "config": config.dataset.config,
        "split": split,
        "frames": len(truth.labels),
        "boxes": sum(len(boxes) for boxes in truth.boxes),
        "videos": len(np.unique(video_of(truth.ids))),
        "classes": list(data.class_names),
        "rows": rows,
        "curves": _curves(curves),
        "classification": classification,
        "tau": {
            method: _tau(rows, method, by == "boxes", boxless.get(method)) for method in scored
        },
        "seconds_per_frame": seconds,
    }
    if not processes.is_first():
        return results
    # Results last: where they are, nothing is left to do.
    lines = frame_lines(truth, scored, results, boxless, size)
    write_whole(workdir / file_of_split("predictions.jsonl", split), lines)
    write_results(workdir / file_of_split("results.json", split), results)
    return results


def _tau(rows: list[Row], method: str, by_boxes: bool, boxless: float | None) -> float | None:
    """Return the validation's threshold, one for all classes; `boxless` where it has no boxes.

    It has none either where `by_boxes` says that true ones are not to be looked at.
    """
    tau = find_row({"rows": rows}, method, "val")["tau"] if by_boxes else None
    return tau if isinstance(tau, float) else boxless


def _curves(of_methods: Mapping[str, list[float] | None]) -> Curves | None:
    known = {method: curve for method, curve in of_methods.items() if curve is not None}
    if len(known) < len(of_methods):
        return None
    return {"tau": TAUS_VALIDATION.round(3).tolist(), "corloc": known}


def _curve(judged: Judgement | None) -> list[float] | None:
    return None if judged is None else judged.sweep(TAUS_VALIDATION).class_mean().round(2).tolist()
