"""How long both stages will train on the data there is, said before they do."""

from collections.abc import Iterator

from ml_collections import ConfigDict

from tcam_jax.data.background import localised
from tcam_jax.data.duration import Plan, plan_of
from tcam_jax.data.protocol import Counted, Data
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.log import log

# Frames below which a stage has too little to learn from. What was seen to be enough, by the demo
# (moving_shapes, seven epochs from random weights) and on photographs from ImageNet's weights.
ENOUGH_FROM_RANDOM, ENOUGH_FROM_PRETRAINED, ENOUGH_FOR_DECODER = 6000, 2000, 2000


def plans(config: ConfigDict, data: Data) -> dict[str, Plan]:
    """Return the plan of each stage, by its name; TCAM's has 0 steps where it is not wanted.

    Raises:
      InputError: see `data.duration.plan_of`; or a loss would begin, or its weight change, after
        the last epoch.
    """
    found = {
        "classifier": plan_of(config.classifier, data),
        "tcam": plan_of(config.tcam, localised(config, data)),
    }
    _check_schedules(config, found["tcam"])
    return found


def _check_schedules(config: ConfigDict, plan: Plan) -> None:
    """Refuse what of the losses' schedules no epoch would see."""
    if not plan.num_steps:
        return
    epochs = -(-plan.num_steps // plan.steps_per_epoch)
    length = f"stage 2's {plan.num_steps} steps are {epochs} epoch{'s' * (epochs > 1)}"
    for name, settings in config.tcam.losses.items():
        field = f"config.tcam.losses.{name}"
        first = settings.get("start_epoch", 1)
        if first > epochs:
            raise InputError(
                f"{field}.start_epoch must be at most {epochs} ({length}); it is {first}. Set "
                "another, or train longer."
            )
        last, final = settings.get("end_epoch") or epochs, settings.get("final_weight")
        if final is not None and last == first:
            raise InputError(
                f"{field}.final_weight must be None where the loss has one epoch to go to it "
                f"({length}); it is {final}. Train longer, or set the weight alone."
            )


def log_plans(config: ConfigDict, data: Data) -> None:
    """Log what is trained on, and for how long; warn where that is too little.

    Raises:
      InputError: see `plans`.
    """
    if isinstance(data, Counted):
        shots, frames = data.training_size()
        log.info("training data: %d frames in %d shots", frames, shots)
    of_stages = plans(config, data)
    for name, plan in of_stages.items():
        log.info("%s: %s", name, ", ".join(_words(plan)))
    classifier, tcam = of_stages.values()
    enough = ENOUGH_FROM_PRETRAINED if config.model.pretrained else ENOUGH_FROM_RANDOM
    weights = "pretrained" if config.model.pretrained else "random"
    if classifier.examples < enough:
        log.warning(
            "classifier: it will be shown %d frames; from %s weights it needs some %d or more to "
            "learn anything. Give it longer, such as --config.classifier.epochs=0 "
            "--config.classifier.steps=%d",
            classifier.examples,
            weights,
            enough,
            -(-enough // classifier.batch_size),
        )
    if 0 < tcam.examples < ENOUGH_FOR_DECODER:
        log.warning(
            "tcam: it will be shown %d frames; a decoder that begins at random needs some %d or "
            "more. Give it longer, such as --config.tcam.epochs=0 --config.tcam.steps=%d",
            tcam.examples,
            ENOUGH_FOR_DECODER,
            -(-ENOUGH_FOR_DECODER // tcam.batch_size),
        )


def _words(plan: Plan) -> Iterator[str]:
    if not plan.num_steps:
        yield "not trained"
        return
    yield f"{plan.num_steps} steps of {plan.batch_size} frames"
    epochs = plan.num_steps / plan.steps_per_epoch
    yield f"{epochs:.4g} epochs of {plan.steps_per_epoch} step{'s' * (plan.steps_per_epoch > 1)}"
    if plan.passes is not None:
        yield f"a frame is shown {plan.passes:.2g} times on average"
