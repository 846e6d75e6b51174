"""Pictures of a run: the CAM baseline beside TCAM on frames of every class."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.boxes import largest_box
from tcam_jax.evaluate.evaluator import scaled_truth
from tcam_jax.evaluate.maps import PREDICTED, TCAM_METHOD, make_forward
from tcam_jax.evaluate.overlays import draw_overlay
from tcam_jax.models.tcam import Variables
from tcam_jax.train.parallel import Parallel
from tcam_jax.train.stages import Data, make_model


class Picture(NamedTuple):
    """One frame drawn: `image` is the baseline's and TCAM's overlay side by side, uint8."""

    frame_id: str
    image: np.ndarray


def pictures(
    config: ConfigDict,
    data: Data,
    parallel: Parallel,
    networks: Mapping[str, Variables],
    taus: Mapping[str, float | None],
    split: str,
    per_class: int,
) -> Iterator[Picture]:
    """Draw `per_class` frames of every class, spread evenly over the split.

    Args:
      networks: {method: variables}, drawn from left to right; TCAM's map is its own, a CAM is the
        predicted class's.
      taus: {method: threshold}; None: Otsu's threshold of each map.
    """
    truth = data.truth(split)
    chosen = set(_spread(truth, per_class))
    model = make_model(config, len(data.class_names))
    forward = {method: make_forward(model, (method,)) for method in networks}
    done = 0
    for batch in data.frames(split, parallel.evaluation_rows(config.eval.batch_size)[0]):
        real = int((batch["record"] >= 0).sum())
        wanted = [i for i in range(real) if done + i in chosen]
        if wanted:
            classes = np.full(len(batch["record"]), PREDICTED, np.int32)
            inputs = parallel.shard_flat({"frames": batch["frames"], "classes": classes})
            outputs = {
                method: jax.device_get(forward[method](variables, **inputs))
                for method, variables in networks.items()
            }
            for i in wanted:
                maps = {method: output.maps[0, i] for method, output in outputs.items()}
                predicted = int(outputs[TCAM_METHOD].logits[i].argmax())
                yield _picture(batch["frames"][i], maps, taus, truth, done + i, predicted, data)
        done += real


def _spread(truth: Truth, per_class: int) -> Iterator[int]:
    for label in np.unique(truth.labels):
        rows = np.flatnonzero(truth.labels == label)
        yield from rows[np.linspace(0, len(rows) - 1, min(per_class, len(rows))).astype(int)]


def _picture(
    frame: np.ndarray,
    maps: Mapping[str, np.ndarray],
    taus: Mapping[str, float | None],
    truth: Truth,
    index: int,
    predicted: int,
    data: Data,
) -> Picture:
    boxes = scaled_truth(truth, index, len(frame))
    label = data.class_names[truth.labels[index]]
    panels = []
    for method, u8 in maps.items():
        box = largest_box(u8, taus[method])
        title = f"{method}: {label}"
        if method == TCAM_METHOD:
            title += f" -> {data.class_names[predicted]}"
        panels.append(draw_overlay(frame, u8, boxes, box[None], title))
    return Picture(truth.ids[index], np.concatenate(panels, axis=1))
