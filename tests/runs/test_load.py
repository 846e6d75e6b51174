"""A network from a run, an exported folder, or weights and a config; errors name the argument."""

import jax
import numpy as np
import pytest

import tcam_jax
from tcam_jax.config import defaults
from tcam_jax.data.optical_flow import MOTION_DISTANCES, grey, motion_map
from tcam_jax.evaluate.maps import PREDICTED, make_forward
from tcam_jax.models.tcam import init_variables
from tcam_jax.models.weights.pretrained import own_tensors
from tcam_jax.models.weights.weight_files import write_tensors
from tcam_jax.predict import exported
from tcam_jax.runtime.errors import InputError
from tcam_jax.train.stages import make_model

CLASSES = ("bird", "boat", "cat")


@pytest.fixture(scope="module")
def network():
    config = defaults.get_config()
    config.model.encoder, config.model.pretrained = "resnet10", ""
    config.dataset.resize, config.dataset.crop = 32, 32
    model = make_model(config, len(CLASSES))
    return config, model, init_variables(model, jax.random.key(0), 32)


def test_weights_and_a_config(network, tmp_path):
    config, model, variables = network
    file = tmp_path / "weights.msgpack"
    write_tensors(file, own_tensors(variables))
    loaded = tcam_jax.load(str(file), config=config, class_names=list(CLASSES), regions="all")
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    (found,) = loaded(image)
    logits, maps, _ = make_forward(model, ("tcam",))(
        variables, image[None], np.full(1, PREDICTED, np.int32)
    )
    np.testing.assert_allclose(np.log(found.probabilities), jax.nn.log_softmax(logits[0]), 1e-3)
    assert np.abs(found.map.astype(int) - np.asarray(maps[0, 0], int)).max() <= 1
    assert loaded.tau is None and found.class_names == CLASSES
    with pytest.raises(InputError, match="lacks classification_head"):
        tcam_jax.load(file, config=config, class_names=["one"])
    with pytest.raises(InputError, match="both config= and class_names="):
        tcam_jax.load(file, config=config)


def test_a_network_that_sees_motion(network, tmp_path):
    """Of a video; an image, which has no neighbours, is seen as by the map crf."""
    config, model, variables = network
    write_tensors(tmp_path / "weights.msgpack", own_tensors(variables))
    found = {}
    rng = np.random.default_rng(0)
    ground, thing = (rng.integers(0, 256, (n, n, 3), np.uint8) for n in (32, 12))
    video = np.repeat(ground[None], 6, 0)
    for number, frame in enumerate(video):
        frame[8:20, 2 + 3 * number : 14 + 3 * number] = thing
    for name in ("crf", "motion"):
        config = config.copy_and_resolve_references()
        config.eval.map = name
        loaded = tcam_jax.load(
            tmp_path / "weights.msgpack", config=config, class_names=CLASSES, batch_size=4
        )
        found[name] = [
            np.stack([one.map for one in loaded(frames)]) for frames in (video, video[:1])
        ]
    assert not np.array_equal(found["crf"][0], found["motion"][0])
    # Values are cut to 8 bits, and a sum of zeros may round.
    np.testing.assert_allclose(found["crf"][1], found["motion"][1].astype(float), atol=1)
    motion = motion_map(grey(video[2]), [grey(video[2 + away]) for away in MOTION_DISTANCES])
    maps = make_forward(model, ("tcam_motion",))(
        variables, video[2:3], np.full(1, PREDICTED, np.int32), motion[None]
    ).maps
    np.testing.assert_allclose(found["motion"][0][2], np.asarray(maps[0, 0], float), atol=1)


def test_an_exported_folder_and_its_options(network, tmp_path):
    _, model, variables = network
    exported.save(tmp_path / "model", model, variables, CLASSES, 32, 0.4)
    assert tcam_jax.load(tmp_path / "model").tau == 0.4
    assert tcam_jax.load(str(tmp_path / "model"), rule="multi_otsu").tau is None
    with pytest.raises(InputError, match="two thresholds"):
        tcam_jax.load(tmp_path / "model", rule="otsu", tau=0.3)
    with pytest.raises(InputError, match="min_area.*; got minarea"):
        tcam_jax.load(tmp_path / "model", minarea=0.1)
    with pytest.raises(InputError, match="min_score must be in 0..1, below 1; got 2.0"):
        tcam_jax.load(tmp_path / "model", min_score=2.0)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("", "there is no such file or folder"),
        ("folder", "a folder without these"),
        ("file", "a file"),
    ],
)
def test_what_is_no_network_names_the_argument(tmp_path, made, words):
    place = tmp_path / "nope"
    if made == "folder":
        place.mkdir()
    elif made == "file":
        place.touch()
    with pytest.raises(InputError, match=rf"nope' must be the folder of a run .*; .*{words}"):
        tcam_jax.load(place)
