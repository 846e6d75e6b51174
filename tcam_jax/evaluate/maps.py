"""Frames in, class logits and localisation maps out: the forward pass of evaluation."""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt8
from ml_collections import ConfigDict

from tcam_jax.cams.methods import class_activation_maps
from tcam_jax.data.geometry import resize_map
from tcam_jax.evaluate.crf_refinement import refine
from tcam_jax.evaluate.logit_map import to_scale
from tcam_jax.evaluate.motion_evidence import with_motion_evidence
from tcam_jax.models.tcam import TCAM, ClassifierOutput, Variables, foreground
from tcam_jax.runtime.parallel import Parallel

# The decoder's maps, beside the names in `cams.methods.CAM_METHODS`:
#   tcam: its logits, see `evaluate.logit_map`.
#   tcam_probability: its foreground probability, as the reference has it.
#   tcam_crf: the logits, refined by the frame's colours, see `evaluate.crf_refinement`.
#   tcam_fused: the probability times the LayerCAM of the class.
#   tcam_motion: tcam_crf of logits with the evidence of motion, see `evaluate.motion_evidence`.
TCAM_METHOD, TCAM_PROBABILITY = "tcam", "tcam_probability"
TCAM_CRF, TCAM_FUSED, TCAM_MOTION = "tcam_crf", "tcam_fused", "tcam_motion"
METHOD_OF_MAP = {
    "logit": TCAM_METHOD,
    "probability": TCAM_PROBABILITY,
    "crf": TCAM_CRF,
    "fused": TCAM_FUSED,
    "motion": TCAM_MOTION,
}
"""`config.eval.map` -> method."""
OF_DECODER = tuple(METHOD_OF_MAP.values())
OF_LOGITS = (TCAM_METHOD, TCAM_CRF, TCAM_MOTION)
"""Those on the scale of `evaluate.logit_map`, whose threshold is the same logit for all frames."""
REFINED = (TCAM_CRF, TCAM_MOTION)
"""Those that follow the frame's colours."""
OF_NEIGHBOURS = (TCAM_MOTION,)
"""Those that see more than one frame."""
OF_ALL_CLASSES = (TCAM_METHOD, TCAM_PROBABILITY, *REFINED)
"""Those that do not depend on the class asked for."""
PREDICTED = -1  # as a class index: take the most probable class


def methods_of_maps(config: ConfigDict) -> tuple[str, ...]:
    """Return the methods of a run's maps, the one that it predicts by first."""
    names = dict.fromkeys((config.eval.map, *config.eval.other_maps))
    return tuple(METHOD_OF_MAP[name] for name in names)


def see_neighbours(methods: Iterable[str]) -> bool:
    """Tell whether any of the methods sees more than one frame."""
    return any(method in OF_NEIGHBOURS for method in methods)


class FrameOutputs(NamedTuple):
    """What the network says of a batch of frames; maps are floor(255 * map).

    Attributes:
      logits: `[b, k]`.
      maps: of the classes asked for; one per method, in the order asked for.
      predicted_maps: of the predicted classes, if they were wanted beside those.
    """

    logits: Float[Array, "b k"]
    maps: UInt8[Array, "m b h w"]
    predicted_maps: UInt8[Array, "m b h w"] | None = None


def make_forward(
    model: TCAM,
    methods: Sequence[str],
    also_predicted: bool = False,
    parallel: Parallel | None = None,
) -> Callable[..., FrameOutputs]:
    """Return a jitted function (variables, frames, class indices, motion) -> `FrameOutputs`.

    `frames` are uint8 of the evaluation size; a CAM is made for the given class index, or for the
    predicted class where it is `PREDICTED`, and enlarged to the frame; TCAM's maps are the
    same for all classes, but for the one that is fused with a CAM. `motion`, float32 `[b, g, g]`,
    see `data.optical_flow.motion_map`, is needed by `OF_NEIGHBOURS` alone: ValueError without it.

    Args:
      methods: names of CAM methods, or of `OF_DECODER`.
      also_predicted: make the predicted classes' maps too.
      parallel: whose devices share the frames, each alone with its own; None: the compiler decides.
    """

    def outputs_of(
        variables: Variables,
        frames: UInt8[Array, "b h w 3"],
        classes: Int[Array, " b"],
        *motion: Float[Array, "b g g"],
    ) -> FrameOutputs:
        size = frames.shape[1]
        images = frames.astype(jnp.float32)
        frames = model.normalise(frames)
        output = cast(ClassifierOutput, model.apply(variables, frames, method="classify"))
        predicted = output.logits.argmax(-1)

        def cams_of(method: str, classes: Int[Array, " b"]) -> Float[Array, "b h w"]:
            cams = class_activation_maps(model, variables, frames, output, classes, method)
            return jax.vmap(lambda cam: resize_map(cam, size))(cams)

        # Of what does not depend on the class, one is traced, though it is asked for twice.
        @functools.cache
        def map_logits() -> Float[Array, "b h w 2"]:
            localised = model.apply(variables, output.features, (size, size), method="localise")
            return cast(Array, localised)

        @functools.cache
        def of_all_classes(method: str) -> Float[Array, "b h w"]:
            if method == TCAM_PROBABILITY:
                return foreground(map_logits())
            z = map_logits()[..., 1] - map_logits()[..., 0]
            if method in OF_NEIGHBOURS:
                if not motion:
                    raise ValueError(f"{method} needs motion beside the frames")
                z = jax.vmap(with_motion_evidence)(z, *motion)
            if method in REFINED:  # frame by frame: a kernel's grid takes tens of megabytes
                z = jax.lax.map(lambda pair: refine(*pair), (z, images))
            return to_scale(z)

        def one_method(method: str, classes: Int[Array, " b"]) -> Float[Array, "b h w"]:
            if method in OF_ALL_CLASSES:
                return of_all_classes(method)
            if method == TCAM_FUSED:
                return of_all_classes(TCAM_PROBABILITY) * cams_of("layercam", classes)
            return cams_of(method, classes)

        def maps_of(classes: Int[Array, " b"]) -> UInt8[Array, "m b h w"]:
            maps = jnp.stack([one_method(method, classes) for method in methods])
            return jnp.clip(255 * maps, 0, 255).astype(jnp.uint8)

        return FrameOutputs(
            output.logits,
            maps_of(jnp.where(classes == PREDICTED, predicted, classes)),
            maps_of(predicted) if also_predicted else None,
        )

    spread = outputs_of
    if parallel is not None:
        spread = parallel.per_device(outputs_of, FrameOutputs._make((0, 1, 1)))

    @jax.jit
    def forward(
        variables: Variables,
        frames: UInt8[Array, "b h w 3"],
        classes: Int[Array, " b"],
        *motion: Float[Array, "b g g"],
    ) -> FrameOutputs:
        return spread(variables, frames, classes, *motion)

    return forward
