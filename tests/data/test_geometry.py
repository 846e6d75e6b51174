import jax
import jax.numpy as jnp
import numpy as np
import torch
import torch.nn.functional as F

from tcam_jax.data.geometry import (
    IMAGENET,
    Geometry,
    normalise,
    random_geometry,
    resize_map,
    shrink_frames,
    transform,
)


def test_image_and_map_share_one_geometry():
    image = jnp.arange(20 * 20).reshape(20, 20)
    for flip in (False, True):
        geometry = Geometry(jnp.int32(3), jnp.int32(5), jnp.bool_(flip))
        expected = np.asarray(image)[3:15, 5:17]
        expected = expected[:, ::-1] if flip else expected
        np.testing.assert_array_equal(transform(image, geometry, 12), expected)
        three = jnp.stack([image, image, image], -1)
        np.testing.assert_array_equal(transform(three, geometry, 12)[..., 1], expected)


def test_random_geometry_is_uniform_over_all_offsets():
    keys = jax.random.split(jax.random.key(0), 4000)
    drawn = jax.vmap(lambda key: random_geometry(key, 12, 8))(keys)
    for offsets in (drawn.top, drawn.left):
        counts = np.bincount(offsets, minlength=5)
        assert len(counts) == 5
        chi_square = ((counts - 800) ** 2 / 800).sum()
        assert chi_square < 18.5  # 4 degrees of freedom, p = 0.001
    assert abs(float(drawn.flip.mean()) - 0.5) < 0.03
    assert abs(np.corrcoef(drawn.top, drawn.left)[0, 1]) < 0.06


def test_no_margin_leaves_the_whole_image():
    geometry = random_geometry(jax.random.key(0), 8, 8)
    assert (geometry.top, geometry.left) == (0, 0)


def test_normalise_against_hand_numbers():
    frame = jnp.array([[[0, 127.5, 255]]])
    expected = [-0.485 / 0.229, (0.5 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    np.testing.assert_allclose(normalise(frame, IMAGENET)[0, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(
        normalise(jnp.uint8([[[0, 128, 255]]]), IMAGENET)[0, 0, 2], expected[2], rtol=1e-6
    )


def test_resize_map_equals_torch_half_pixel_bilinear():
    cam = np.random.default_rng(0).uniform(size=(12, 12)).astype(np.float32)
    expected = F.interpolate(
        torch.from_numpy(cam)[None, None], size=(50, 50), mode="bilinear", align_corners=False
    )
    np.testing.assert_allclose(resize_map(jnp.asarray(cam), 50), expected[0, 0].numpy(), atol=1e-6)


def test_shrink_frames_equals_torch_antialiased_bilinear():
    frames = np.random.default_rng(0).integers(0, 256, (2, 1, 32, 32, 3), dtype=np.uint8)
    expected = F.interpolate(
        torch.from_numpy(frames[:, 0]).permute(0, 3, 1, 2).float(),
        size=(20, 20),
        mode="bilinear",
        antialias=True,
    )
    np.testing.assert_allclose(
        shrink_frames(jnp.asarray(frames), 20)[:, 0], expected.permute(0, 2, 3, 1), atol=1e-3
    )
