"""All CAM methods by name, and the maps that a network's classifier gives for a batch of frames.

Names are the method's usual name in lower case, as torch-cam's classes and the reference's
`--method` write it. To add a method, put it into `CAM_METHODS`.
"""

from collections.abc import Callable
from typing import cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from tcam_jax.cams import gradient_free_methods as free
from tcam_jax.cams import gradient_methods as gradient
from tcam_jax.cams import mask_methods as masks
from tcam_jax.cams.head import ClassIndex, Head, gradient_of
from tcam_jax.cams.normalise import min_max
from tcam_jax.models.heads import HeadOutput
from tcam_jax.models.tcam import TCAM, ClassifierOutput, Variables
from tcam_jax.runtime.errors import InputError

# (features [y, x, c], head, class index) -> raw map [y, x], of one frame; but for `FRAME_METHODS`.
CAM_METHODS: dict[str, Callable[..., Array]] = {
    "cam": free.cam,
    "gradcam": gradient.gradcam,
    "gradcampp": gradient.gradcampp,
    "gradcampp_reference": gradient.gradcampp_reference,
    "xgradcam": gradient.xgradcam,
    "layercam": gradient.layercam,
    "eigencam": free.eigencam,
    "ablationcam": free.ablationcam,
    "smoothgradcampp": gradient.smoothgradcampp,
    "scorecam": masks.scorecam,
    "sscam": masks.sscam,
    "iscam": masks.iscam,
    "rollout": free.rollout,
}
# These see the frame too, and have arguments of their own.
FRAME_METHODS = ("smoothgradcampp", "scorecam", "sscam", "iscam")
# These are maps of the encoder's own, of no class: see `Encoder.maps`.
ENCODER_MAPS = ("rollout",)
# These already run the network for many channels of a frame at once: frame by frame, then.
CHANNEL_BY_CHANNEL = ("ablationcam", "scorecam", "sscam", "iscam")

# Smooth GradCAM++: noisy versions of a normalised frame, and the noise's standard deviation.
NOISY_SAMPLES = 4
NOISE_STD = 0.3


def class_activation_map(
    method: str, features: Float[Array, "y x c"], head: Head, class_index: ClassIndex
) -> Float[Array, "y x"]:
    """Return the normalised map, 0..1, of one frame for one class by `CAM_METHODS[method]`.

    That is any but `FRAME_METHODS`. Features of any float dtype; the map is computed in float32.
    """
    return min_max(CAM_METHODS[method](_float32(features), head, class_index))


def class_activation_maps(
    model: TCAM,
    variables: Variables,
    frames: Float[Array, "b h w 3"],
    output: ClassifierOutput,
    classes: Int[Array, " b"],
    method: str,
    stage: str | None = None,
) -> Float[Array, "b y x"]:
    """Return the normalised maps, 0..1, of a batch of frames, each for its own class.

        model, variables, *_ = tcam_jax.runs.networks.load_tcam("runs/demo")
        frames = model.normalise(uint8_frames)
        output = model.apply(variables, frames, method="classify")
        classes = output.logits.argmax(-1)
        maps = class_activation_maps(model, variables, frames, output, classes, "layercam")

    Args:
      model, variables: the network; its batch norm must use running statistics.
      frames: RGB, by `model.normalise`; in the run's `config.dataset.crop`.
      output: `model.classify` of these frames, which is not done again.
      classes: index of each frame's class: the true one, or the predicted one as above.
      method: one of `CAM_METHODS`.
      stage: the encoder feature that is looked at, one of `model.stages`; None: the last of them,
        of which alone there is a `cam`.

    Returns:
      Maps in the feature's resolution: `[b, y, x]`, the smallest value 0 and the largest 1.

    Raises:
      InputError: there is no such method or stage, or not of this encoder and this head.

    Source:
      Each method's file names its paper; TCAM's seeds are LayerCAM's maps, pooled over time.
    """
    encoder, stages = model.declared, model.stages
    stage = stage or stages[-1]
    stages = stages[-1:] if method == "cam" else stages
    for given, known in ((method, CAM_METHODS), (stage, stages)):
        if given not in known:
            raise InputError(f"{method} at {stage}: expected one of {', '.join(known)}")
    if method in ENCODER_MAPS and method not in encoder.maps:
        raise InputError(f"{method} is no map of this encoder; take another CAM method.")
    if method == "cam" and output.maps is None:
        raise InputError("cam is a map of the head's own, and this head has none; take gradcam.")
    beside = tuple(output.features[name] for name in encoder.beside(stage))
    if method == "smoothgradcampp" and beside:
        raise InputError(
            f"smoothgradcampp needs the feature {encoder.features[-1].name} and a head that reads "
            "it, or an encoder without tokens; take another CAM method."
        )

    def classify(seen: Float[Array, "n h w 3"]) -> ClassifierOutput:
        return cast(ClassifierOutput, model.apply(variables, seen, method="classify"))

    def one(frame: Array, features: Array, class_index: Array, *beside: Array) -> Array:
        head = classifier_head(model, variables, stage, *beside)
        if method == "smoothgradcampp":
            # A linear head's gradient does not depend on its input: no noisy frame is needed.
            linear = head.kernel is not None
            seen = frame + frame_noise(frame.shape)
            noisy = features[None] if linear else _float32(classify(seen).features[stage])
            return min_max(gradient.smoothgradcampp(features, noisy, head, class_index))
        if method in FRAME_METHODS:
            scores = lambda masked: classify(masked[None]).logits[0]  # noqa: E731
            key = {"key": jax.random.key(0)} if method == "sscam" else {}
            return min_max(CAM_METHODS[method](features, frame, scores, class_index, **key))
        return class_activation_map(method, features, head, class_index)

    seen_features = output.features[method if method in ENCODER_MAPS else stage]
    inputs = frames, _float32(seen_features), classes, *beside
    if method in CHANNEL_BY_CHANNEL:
        return jax.lax.map(lambda frame_inputs: one(*frame_inputs), inputs)
    return jax.vmap(one)(*inputs)


def classifier_head(model: TCAM, variables: Variables, stage: str, *beside: Array) -> Head:
    """Return what follows `stage` in the classifier, as CAM methods take it.

    `beside`: a frame's, see `Encoder.beside`.
    """

    def above(features: Float[Array, "b y x c"], *beside: Array) -> HeadOutput:
        output = model.apply(variables, features, stage, *beside, method="classify_from")
        return cast(HeadOutput, output)

    def of_one(features: Float[Array, "y x c"]) -> HeadOutput:
        return above(features[None], *(array[None] for array in beside))

    kernel = model.apply(variables, method="linear_kernel") if stage == model.last else None
    return Head(
        scores=lambda features: of_one(features).logits[0],
        maps=lambda features: cast(Array, of_one(features).maps)[0],
        kernel=cast(Array | None, kernel),
        # As `classify` has run them, not mapped frame by frame: a convolution's form depends on the
        # batch (`models.cpu.winograd`), and XLA sees that these layers' outputs are there already.
        gradient=gradient_of(lambda *inputs: above(*inputs).logits, *beside),
    )


def frame_noise(shape: tuple[int, ...]) -> Float[Array, "s h w 3"]:
    """Return Smooth GradCAM++'s noise: always the same, so a map is a function of its frame."""
    return NOISE_STD * jax.random.normal(jax.random.key(0), (NOISY_SAMPLES, *shape))


def _float32(features: Array) -> Array:
    return features.astype(jnp.promote_types(features.dtype, jnp.float32))
