"""Both stages, one after the other, each from where it is to the end that the config says."""

from functools import partial
from pathlib import Path

import jax
from jaxtyping import PyTree
from ml_collections import ConfigDict

from tcam_jax.data.background import localised
from tcam_jax.data.dataset import Dataset
from tcam_jax.data.duration import plan_of
from tcam_jax.data.protocol import Data
from tcam_jax.data.sample import sampled
from tcam_jax.data.truth import Truth
from tcam_jax.evaluate.results import file_of_split
from tcam_jax.runtime import processes
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.interruption import Interruption
from tcam_jax.runtime.log import log
from tcam_jax.runtime.parallel import Parallel
from tcam_jax.train.frozen_encoder import count_trained
from tcam_jax.train.loop import run
from tcam_jax.train.selection import selection_truth
from tcam_jax.train.stage import IMPORTED, last_step, reopen
from tcam_jax.train.stages import CLASSIFIER_DIR, TCAM_DIR, classifier_stage, tcam_stage


def train(
    config: ConfigDict, data: Data, parallel: Parallel, workdir: Path, stop: Interruption
) -> bool:
    """Run both stages; one that is finished is not built or run again, unless it is to be longer.

    Returns:
      Whether there was anything left to run.

    Raises:
      Interrupted, InputError, Diverged: see `train.loop.run`.
      InputError: a stage has been trained for longer than `config` says, or see `data.sample`.
    """
    to_localise, all_classes = localised(config, data), sampled(config, data)
    others = all_classes if to_localise is data else sampled(config, to_localise)
    seen = {CLASSIFIER_DIR: all_classes, TCAM_DIR: others}
    truths: dict[bool, Truth] = {}  # looked for where a stage is to run; of all classes or not
    by, lacks = config.eval.select_by, "the validation split has no boxes: CorLoc is unknown"
    if by == "none" or (by == "boxes" and not data.truth("validation").has_boxes):
        log.warning(
            "%s, the classifier is selected by accuracy, TCAM's last step is taken, and the "
            "threshold is that of a rule without boxes",
            lacks if by == "boxes" else "boxes of the validation split are not looked at",
        )
    ran = False
    tcam = partial(tcam_stage, stop=stop)
    for name, build in ((CLASSIFIER_DIR, classifier_stage), (TCAM_DIR, tcam)):
        stop.check()
        num_steps = plan_of(config[name], seen[name]).num_steps
        if not num_steps:
            continue
        done = processes.broadcast(partial(last_step, workdir / name))
        if done in (IMPORTED, num_steps):
            log.info("%s: finished before", name)
            continue
        if done is not None:
            processes.broadcast(partial(_lengthen, workdir, name, done, num_steps))
        if isinstance(data, Dataset):
            data.get_ready()
        ours = parallel.with_accumulation(config[name].accumulation)
        is_whole = seen[name] is all_classes
        if is_whole not in truths:
            truths[is_whole] = selection_truth(config, seen[name])
        truth = truths[is_whole]
        stage = build(config, seen[name], truth, ours, workdir)
        trained = count_trained(config[name].optimizer, stage.state.params)
        frozen = _count((stage.state.params, stage.frozen)) - trained
        log.info(
            "%s: %s parameters trained, %s numbers frozen; validated on %d frames; compiling",
            name,
            f"{trained:,}",
            f"{frozen:,}",
            len(truth.ids),
        )
        run(stage, ours, config.checkpoint, stop)
        del stage  # its state and its frames, before the next one's
        ran = True
    return ran


def _lengthen(workdir: Path, name: str, done: int, num_steps: int) -> None:
    """Open the finished stage `name` again; results that no longer hold go first."""
    if num_steps < done:
        raise InputError(
            f"{workdir / name} has been trained for {done} steps, and config.{name} now says "
            f"{num_steps}; it can be made longer, not shorter. Take another workdir."
        )
    log.info("%s: finished at step %d, now goes on to step %d", name, done, num_steps)
    for split in ("test", "validation"):
        (workdir / file_of_split("results.json", split)).unlink(missing_ok=True)
    reopen(workdir / name)


def _count(tree: PyTree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))
