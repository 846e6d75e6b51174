"""Both training steps in plain PyTorch: the opponent of `tcam_jax.train.step`.

What a good PyTorch user would write: channels-last tensors, nothing resampled or copied without
need, no loop over images, draws on the device; optionally bfloat16 by autocast, and torch.compile.
From the same weights, batch and draws the results are ours.

It has the published recipe: WGAP head, LayerCAM seeds of one classifier (rule "reference"), losses
`torch_losses.NAMES`.
"""

from collections.abc import Mapping

import torch
from ml_collections import ConfigDict
from torch import Tensor
from torch.nn import functional as F

from tcam_jax.benchmark.torch_frames import (
    Draws,
    crop_and_flip,
    normalise,
    random_draws,
    resize_maps,
    shrink_frames,
)
from tcam_jax.benchmark.torch_inference import at_least_float32, autocasting, layercam
from tcam_jax.benchmark.torch_losses import NAMES, objective
from tcam_jax.benchmark.torch_seeds import seed_maps
from tcam_jax.benchmark.torch_twin import TCAM, Classifier
from tcam_jax.data.window_frames import target_position
from tcam_jax.losses.objective import settings_at
from tcam_jax.losses.schedule import is_on
from tcam_jax.runtime.errors import InputError

Batch = Mapping[str, Tensor]  # as `pseudo_labels.seed_maps.Batch`, on the network's device


class ClassifierStep:
    """Stage 1: one SGD step of cross-entropy on single frames.

    Args:
      network: a `Classifier` on its device; its parameters change.
      config: the run's.
      autocast: compute in this dtype where autocast does; None: in the parameters'.
      compiled: use torch.compile.
    """

    def __init__(
        self,
        network: Classifier,
        config: ConfigDict,
        autocast: torch.dtype | None = None,
        compiled: bool = False,
    ):
        self._config, self._autocast = config, autocast
        self._network = network.train().to(memory_format=torch.channels_last)
        self._forward = torch.compile(network) if compiled else network
        last = (*(f"encoder.{name}" for name in network.encoder.last_stage), "classification_head.")
        self._optimizer = _sgd(network, config.classifier.optimizer, last)

    def __call__(self, batch: Batch, draws: Draws | None = None) -> Tensor:
        """Take a step; return the loss."""
        device = batch["frames"].device
        b, config = len(batch["label"]), self._config
        draws = draws or random_draws(b, config, str(device), noise=False)
        images = crop_and_flip(batch["frames"][:, 0], draws, config.dataset.crop)
        with autocasting(self._autocast, device):
            logits = self._forward(normalise(images, self._network))
        loss = F.cross_entropy(
            logits.to(at_least_float32(logits)),
            batch["label"],
            label_smoothing=config.classifier.label_smoothing,
        )
        _take_step(loss, self._optimizer)
        return loss.detach()


class TCAMStep:
    """Stage 2: one SGD step of the decoder on seeds from temporal CAMs.

    Args:
      network: its decoder and map head change; encoder and classification head are frozen.
      config, autocast, compiled: as for `ClassifierStep`.

    Raises:
      InputError: the config asks for more than the published recipe.
    """

    def __init__(
        self,
        network: TCAM,
        config: ConfigDict,
        autocast: torch.dtype | None = None,
        compiled: bool = False,
    ):
        _check(config)
        self._config, self._autocast = config, autocast
        self._network = network.eval().to(memory_format=torch.channels_last)
        network.requires_grad_(False)
        trained = torch.nn.ModuleList([network.decoder, network.segmentation_head])
        trained.train().requires_grad_(True)
        self._optimizer = _sgd(trained, config.tcam.optimizer)
        self._encode = torch.compile(network.encoder) if compiled else network.encoder
        self._localise = torch.compile(network.localise) if compiled else network.localise
        self._target = target_position(config.tcam.window.n, config.tcam.window.mode)
        self._losses = settings_at(config.tcam.losses, config.dataset.crop)

    def __call__(
        self, batch: Batch, t: float, draws: Draws | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Take a step with the log-barriers' sharpness `t`; return the total and each loss."""
        device = batch["frames"].device
        b, crop = len(batch["label"]), self._config.dataset.crop
        draws = draws or random_draws(b, self._config, str(device), noise=True)
        views = crop_and_flip(batch["frames"], draws, crop)
        with autocasting(self._autocast, device), torch.no_grad():
            features, cams = self._see(batch, views, draws)
        seeds = None if cams is None else self._seeds(cams, draws)
        with autocasting(self._autocast, device):
            map_logits = self._localise(features, (crop, crop))
        images = views[:, self._target].permute(0, 3, 1, 2)
        total, values = objective(map_logits, images, seeds, t, self._losses)
        _take_step(total, self._optimizer)
        return total.detach(), {name: value.detach() for name, value in values.items()}

    def _see(self, batch: Batch, views: Tensor, draws: Draws) -> tuple[list[Tensor], Tensor | None]:
        """Return the features of the targets' crops, and the temporal CAMs in the same crop.

        Without the loss that needs them, there are no CAMs.
        """
        b, t = views.shape[:2]
        config, network = self._config, self._network
        if not is_on(self._losses["partial_ce"]):
            return self._encode(normalise(views[:, self._target], network)), None
        from_crop = config.tcam.seed_view == "crop"
        if from_crop:
            seen = normalise(views.flatten(0, 1), network)
        else:
            seen = normalise(
                shrink_frames(batch["frames"].flatten(0, 1), config.dataset.crop), network
            )
        features = self._encode(seen)
        cams = layercam(network, features[-1], batch["label"].repeat_interleave(t))
        cams = (cams.unflatten(0, (b, t)) * batch["valid"][:, :, None, None]).amax(1)
        if from_crop:
            chosen = [stage.unflatten(0, (b, t))[:, self._target] for stage in features]
            return chosen, resize_maps(cams, config.dataset.crop)
        cams = resize_maps(cams, config.dataset.resize)[..., None]
        cams = crop_and_flip(cams, draws, config.dataset.crop)[..., 0]
        return self._encode(normalise(views[:, self._target], network)), cams

    def _seeds(self, cams: Tensor, draws: Draws) -> Tensor:
        pixels = self._config.tcam.seeds.fg_pixels, self._config.tcam.seeds.bg_pixels
        return seed_maps(cams.float(), draws.fg_noise, draws.bg_noise, *pixels)


def _sgd(
    trained: torch.nn.Module, config: ConfigDict, last: tuple[str, ...] = ()
) -> torch.optim.SGD:
    """Return the optimiser, which trains what is named `last…` `new_layers_ratio` times faster."""
    rate, ratio = config.learning_rate, config.get("new_layers_ratio", 1.0)
    new, old = [], []
    for name, parameter in trained.named_parameters():
        (new if name.startswith(last) else old).append(parameter)
    return torch.optim.SGD(
        [{"params": old}, {"params": new, "lr": ratio * rate}] if new else old,
        lr=rate,
        momentum=0.9,
        nesterov=True,
        weight_decay=config.weight_decay,
    )


def _take_step(loss: Tensor, optimizer: torch.optim.SGD) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()


def _check(config: ConfigDict) -> None:
    tcam, others = config.tcam, set(config.tcam.losses) - set(NAMES)
    wanted = {
        "tcam.cam_method": (tcam.cam_method, "layercam"),
        "tcam.seed_source": (tcam.seed_source, "cam"),
        # Of three views it has two.
        "tcam.seed_view": (tcam.seed_view, "crop" if tcam.seed_view == "crop" else "frame"),
        "tcam.window.cam_tmp": (tcam.window.cam_tmp, True),
        "tcam.window.labelled": (tcam.window.labelled, "target"),
        "tcam.seeds.rule": (tcam.seeds.rule, "reference"),
        "tcam.seeds.region": (tcam.seeds.region, "all"),
        "tcam.losses.crf.scale": (tcam.losses.crf.scale, 1.0),
        **{
            f"tcam.losses.{name}.weight": (tcam.losses[name].weight, 0.0)
            for name in others
            if is_on(tcam.losses[name])
        },
    }
    for field, (got, expected) in wanted.items():
        if got != expected:
            raise InputError(
                f"the PyTorch twin has the published recipe only: {field} must be {expected!r}, "
                f"got {got!r}."
            )
