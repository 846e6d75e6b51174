"""Maps of small CLIP and CLIPSeg models beside the formula in autograd and the output of theirs."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file

from tcam_jax.pseudo_labels.text_maps.clip import BACKGROUND
from tcam_jax.pseudo_labels.text_maps.model import open_text_maps, tokenised
from tcam_jax.runtime.errors import InputError
from tests.pseudo_labels.text_maps.tiny_models import WORDS, save_clip, save_clipseg

NAMES = ("cat", "parked_car", "tree")  # the last is also one of CLIP-ES's backgrounds
# Whole patches, so that the frames need no resizing; and some that do.
FRAMES = list(np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8))
CLASSES = [1, 0, 2]
CLIP_MEAN = np.array([0.48145466, 0.4578275, 0.40821073])
CLIP_STD = np.array([0.26862954, 0.26130258, 0.27577711])


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    return folder, save_clip(folder)


@pytest.fixture(scope="module")
def clipseg(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clipseg")
    return folder, save_clipseg(folder)


def _tokens(text):
    words = text.replace(".", " .").split()
    numbers = [4 + WORDS.index(word) if word in WORDS else 1 for word in words]
    return torch.tensor([[2, *numbers, 3]])


def _scaled(raw):
    return (raw - raw.min()) / (raw.max() - raw.min())


def _clip_map(model, frame, name):
    """Grad-CAM of one frame, the last block written out; as CLIP-ES has it."""

    def text(name):
        output = model.text_model(_tokens(f"a clean origami {name}."))
        embedded = model.text_projection(output.pooler_output)[0]
        return embedded / embedded.norm()

    others = [text(other) for other in BACKGROUND if other != "tree"]  # which is a class here
    texts = torch.stack([text(name), *others])
    pixels = torch.tensor((frame / 255 - CLIP_MEAN) / CLIP_STD, dtype=torch.float32)
    vision = model.vision_model
    states = vision(pixels.permute(2, 0, 1)[None], output_hidden_states=True).hidden_states
    before, block = states[-2], vision.encoder.layers[-1]
    seen = block.layer_norm1(before).detach().requires_grad_(True)
    attention = block.self_attn
    heads = lambda x: x.unflatten(2, (2, 12)).transpose(1, 2)  # noqa: E731
    q, k, v = (heads(part(seen)) for part in (attention.q_proj, attention.k_proj, attention.v_proj))
    mixed = ((q @ k.transpose(2, 3) / 12**0.5).softmax(3) @ v).transpose(1, 2).flatten(2)
    x = before + attention.out_proj(mixed)
    inner = block.mlp.fc1(block.layer_norm2(x))
    x = x + block.mlp.fc2(inner * torch.sigmoid(1.702 * inner))
    embedded = model.visual_projection(vision.post_layernorm(x)[0, 1:].mean(0))
    logits = model.logit_scale.exp() * texts @ (embedded / embedded.norm())
    logits.softmax(0)[0].backward()
    patches, gradient = seen.detach()[0, 1:], seen.grad[0, 1:]
    return _scaled((patches * gradient.mean(0)).sum(1).relu()).reshape(4, 4)


def test_clips_gradient_cam_equals_autograd(clip):
    folder, model = clip
    make = open_text_maps(folder, NAMES)
    assert (make.kind, make.template, make.size) == ("clip", "a clean origami {}.", 32)
    ours = make.maps(FRAMES, CLASSES)
    assert ours.shape == (3, 4, 4) and ours.dtype == np.float32
    for b, (frame, label) in enumerate(zip(FRAMES, CLASSES, strict=True)):
        expected = _clip_map(model, frame, NAMES[label].replace("_", " "))
        np.testing.assert_allclose(ours[b], expected, atol=1e-4)
        assert ours[b].std() > 0.05


def test_clip_sees_whole_frames_at_another_size(clip):
    folder, _ = clip
    make = open_text_maps(folder, NAMES, size=48)
    large = [np.asarray(Image.fromarray(frame).resize((90, 70))) for frame in FRAMES]
    maps = make.maps(large, CLASSES)
    assert maps.shape == (3, 6, 6)
    squares = [np.asarray(Image.fromarray(x).resize((48, 48), Image.BICUBIC)) for x in large]
    np.testing.assert_array_equal(maps, make.maps(squares, CLASSES))


def test_clipsegs_map_equals_transformers_output(clipseg):
    """Frame by frame and prompt by prompt, without padding."""
    folder, model = clipseg
    make = open_text_maps(folder, NAMES, "a {}", size=32)
    ours = make.maps(FRAMES, CLASSES)
    assert make.kind == "clipseg" and ours.shape == (3, 32, 32)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    for b, (frame, label) in enumerate(zip(FRAMES, CLASSES, strict=True)):
        pixels = torch.tensor((frame / 255 - mean) / std, dtype=torch.float32)
        tokens = _tokens("a " + NAMES[label].replace("_", " "))
        with torch.no_grad():
            logits = model(pixel_values=pixels.permute(2, 0, 1)[None], input_ids=tokens).logits
        np.testing.assert_allclose(ours[b], _scaled(logits.sigmoid().squeeze(0)), atol=1e-4)
    assert make.template == "a {}" and open_text_maps(folder, NAMES).size == 352


def test_a_map_that_is_the_same_everywhere_is_empty(clipseg):
    from tcam_jax.pseudo_labels.text_maps.model import full_range

    maps = np.stack([np.full((2, 3), 0.7), np.arange(6).reshape(2, 3)])
    np.testing.assert_allclose(full_range(maps)[1], np.arange(6).reshape(2, 3) / 5)
    np.testing.assert_array_equal(full_range(maps)[0], np.zeros((2, 3)))


def _empty(folder):
    (folder / "config.json").unlink()


def _another_type(folder):
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))


def _broken(folder):
    (folder / "model.safetensors").write_bytes(b"nothing")


def _incomplete(folder):
    tensors = load_file(folder / "model.safetensors")
    del tensors["visual_projection.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def _no_tokenizer(folder):
    for path in folder.glob("tokenizer*"):
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "arguments", "expected"),
    [
        (_empty, {}, "the folder of a CLIP or CLIPSeg model .*; there is no .*/config.json"),
        (_another_type, {}, "must be the folder of .* holds a model of type 'bert'"),
        (_broken, {}, "must be the folder of .* cannot be read: "),
        (_incomplete, {}, "must be .* lacks 1 tensors of the model, such as visual_projection"),
        (_no_tokenizer, {}, "must be the folder of .* has no tokenizer.json"),
        (None, {"template": "{} {}"}, r"must have one \"\{\}\" for the class"),
        (None, {"template": "a cat"}, r"must have one \"\{\}\" for the class; it is 'a cat'"),
        (None, {"size": 50}, "a multiple of the patch's 8 pixels; it is 50"),
    ],
)
def test_what_is_missing_or_wrong_is_one_error(tmp_path, damage, arguments, expected):
    save_clip(tmp_path)
    if damage:
        damage(tmp_path)
    with pytest.raises(InputError, match=expected) as raised:
        open_text_maps(tmp_path, NAMES, **arguments)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("template", ["a {x} {}", "a { {}", "{{}}"])
def test_braces_around_the_name_are_text(template):
    told = {}

    def tokenizer(prompts, **_):
        told["prompts"] = prompts
        return dict.fromkeys(("input_ids", "attention_mask"), torch.zeros(1))

    tokenised(tokenizer, template, ["cat", "{}"], "cpu")
    before, _, after = template.partition("{}")
    assert told["prompts"] == [f"{before}cat{after}", f"{before}{{}}{after}"]
