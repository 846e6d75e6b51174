"""A head of class tokens: its logits and gradient CAMs beside PyTorch's autograd on a twin."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from tcam_jax.benchmark.torch_vit import ViT as TorchViT
from tcam_jax.cams.methods import class_activation_maps
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.heads import HEADS
from tcam_jax.models.tcam import CLASSIFIER_PARTS, TCAM, init_variables, select, variable_shapes
from tcam_jax.models.weights.pretrained import adopt, torch_tensors
from tcam_jax.runtime.errors import InputError
from tests.torch_networks import channels_first, randomise, state_dict

WIDTH, DEPTH, SIDE = 24, 6, 4  # the last four blocks are not all
MODEL = TCAM(
    3,
    partial(ENCODERS["deit_small_patch16"], width=WIDTH, depth=DEPTH, heads=2, trained_size=64),
    HEADS["class_tokens"],
)
STAGES = ("block1", "block2", "block3", "block4", "block5", "attended")
CLASS_OF = [0, 2]


class Twin(torch.nn.Module):
    """The transformer, and a linear layer of the normed class tokens of its last four blocks."""

    def __init__(self):
        super().__init__()
        self.encoder = TorchViT(MODEL.declared)
        self.fc = torch.nn.Linear(4 * WIDTH, 3)

    def forward(self, images, keep, changed=None):
        """Also keep each block's tokens, and what the last attention sees, in the dict `keep`.

        `changed`: (name, patches): go on with these in the place of that feature's patches.
        """
        encoder, class_tokens = self.encoder, []

        def seen(name, tokens):
            if changed is not None and changed[0] == name:
                tokens = torch.cat([tokens[:, :1].detach(), changed[1]], 1)
            keep[name] = tokens
            return tokens

        x = encoder.patch_embed.proj(images).flatten(2).transpose(1, 2)
        class_token = encoder.cls_token.expand(len(x), -1, -1)
        x = torch.cat([class_token, x], 1) + encoder.pos_embed
        for i, block in enumerate(encoder.blocks, 1):
            normed = block.norm1(x)
            if i == DEPTH:
                normed = seen("attended", normed)
            x = x + block.attn(normed)
            x = seen(f"block{i}", x + block.mlp(block.norm2(x)))
            class_tokens.append(encoder.norm(x)[:, 0])
        return self.fc(torch.cat(class_tokens[-4:], 1))


@pytest.fixture(scope="module")
def networks():
    """The twin, the same weights as variables, images, and what our classifier says of them."""
    torch.manual_seed(0)
    twin = randomise(Twin())
    for parameter in twin.encoder.parameters():  # attention that tells patches apart
        parameter.data.add_(0.15 * torch.randn_like(parameter))
    twin.requires_grad_(False)
    tensors = {f"encoder.{name}": x for name, x in state_dict(twin.encoder).items()}
    tensors |= {f"classification_head.fc.{name}": x for name, x in state_dict(twin.fc).items()}
    loaded = adopt(variable_shapes(MODEL, 64), tensors, "the twin", MODEL)
    assert loaded.parts == CLASSIFIER_PARTS
    variables = jax.tree.map(jnp.asarray, select(loaded.variables, CLASSIFIER_PARTS))
    images = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype(np.float32)
    output = jax.jit(partial(MODEL.apply, method="classify"))(variables, images)
    return twin, tensors, variables, images, output


def test_logits_and_features_equal_torch(networks):
    twin, _, _, images, output = networks
    keep = {}
    logits = twin(channels_first(images), keep)
    np.testing.assert_allclose(output.logits, logits, atol=1e-4)
    assert output.maps is None and np.ptp(logits, axis=0).min() > 1e-2
    for name, tokens in keep.items():
        ours = output.features[name].reshape(2, SIDE**2, WIDTH)
        np.testing.assert_allclose(ours, tokens[:, 1:], atol=1e-4, err_msg=name)


def test_every_stage_goes_on_to_the_same_logits(networks):
    _, _, variables, _, output = networks
    assert MODEL.stages == STAGES
    for stage in STAGES:
        beside = [output.features[name] for name in MODEL.declared.beside(stage)]
        again = MODEL.apply(
            variables, output.features[stage], stage, *beside, method="classify_from"
        )
        np.testing.assert_allclose(again.logits, output.logits, atol=1e-5, err_msg=stage)


@pytest.mark.parametrize("method", ["gradcam", "layercam"])
@pytest.mark.parametrize("stage", ["attended", "block2"])
def test_gradient_cams_equal_autograd(networks, stage, method):
    """With respect to the patches' tokens alone: class token and residual are held as they were."""
    twin, _, variables, images, output = networks
    keep = {}
    twin(channels_first(images), keep)
    patches = keep[stage][:, 1:].clone().requires_grad_(True)
    logits = twin(channels_first(images), {}, (stage, patches))
    logits[range(2), CLASS_OF].sum().backward()
    gradient, patches = patches.grad, patches.detach()
    if method == "gradcam":
        raw = (gradient.mean(1, keepdim=True) * patches).sum(2).relu()
    else:
        raw = (gradient.relu() * patches).sum(2).relu()
    raw -= raw.amin(1, keepdim=True)
    expected = (raw / raw.amax(1, keepdim=True)).reshape(2, SIDE, SIDE)
    asked = None if stage == "attended" else stage  # it is what CAMs look at
    ours = jax.jit(
        lambda v, x, o, c: class_activation_maps(MODEL, v, x, o, c, method, asked),
    )(variables, images, output, jnp.array(CLASS_OF))
    assert expected.std() > 0.05
    np.testing.assert_allclose(ours, expected, atol=1e-4)


def test_gradients_of_what_comes_later_do_not_reach_the_logits(networks):
    """Which is why CAMs look no later."""
    twin, _, _, images, _ = networks
    keep = {}
    twin(channels_first(images), keep)
    patches = keep[f"block{DEPTH}"][:, 1:].clone().requires_grad_(True)
    logits = twin(channels_first(images), {}, (f"block{DEPTH}", patches))
    (gradient,) = torch.autograd.grad(logits.sum(), [patches], allow_unused=True)
    assert gradient is None or not gradient.any()


def test_what_this_head_does_not_have_is_refused(networks):
    _, _, variables, images, output = networks
    maps = partial(class_activation_maps, MODEL, variables, images, output, jnp.array(CLASS_OF))
    for stage in ("norm", f"block{DEPTH}"):
        with pytest.raises(InputError, match=f"gradcam at {stage}: expected one of block1, .*nded"):
            maps("gradcam", stage)
    with pytest.raises(InputError, match="cam is a map of the head's own, and this head has none"):
        maps("cam")
    with pytest.raises(InputError, match="smoothgradcampp needs the feature norm and a head that"):
        maps("smoothgradcampp")
    resnet = TCAM(3, ENCODERS["resnet10"], HEADS["class_tokens"])
    with pytest.raises(InputError, match="deit_small_patch16; ResNet has none. Choose such an enc"):
        variable_shapes(resnet, 32)


def test_its_weights_go_to_pytorch_and_back(networks):
    _, tensors, _, _, _ = networks
    drawn = init_variables(MODEL, jax.random.key(0), 64)
    loaded = adopt(drawn, tensors, "file", MODEL)
    back = torch_tensors(select(loaded.variables, CLASSIFIER_PARTS), MODEL)
    assert back.keys() == tensors.keys()
    for name, tensor in back.items():
        np.testing.assert_array_equal(tensor, tensors[name])
