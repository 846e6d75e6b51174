import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2_contingency, f_oneway

from tcam_jax.data.builders.moving_shapes.canvas import paint_background
from tcam_jax.data.builders.moving_shapes.frames import (
    CLASS_NAMES,
    SPLITS,
    boxes_of,
    draw_object,
    render_shot,
)
from tcam_jax.data.builders.moving_shapes.scene import SIZE, sample_scene, stream
from tcam_jax.evaluate.corloc import TAUS_VALIDATION, Localisation, hits, overlaps_by_level
from tcam_jax.evaluate.level_boxes import level_boxes
from tcam_jax.evaluate.maps import make_forward
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.models.tcam import TCAM, init_variables

AXIS = np.arange(SIZE, dtype=np.float32)


def every(split, shots=None):
    """(class, video, shot) of a split, or of the first `shots` shots of its videos."""
    size = SPLITS[split]
    return [
        (k, v, s)
        for k in range(len(CLASS_NAMES))
        for v in range(size.videos)
        for s in range(shots or size.shots)
    ]


def iou(a, b):
    """IoU of boxes [..., 4] whose last column and row are inside."""
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]) + 1
    inter = np.prod(np.maximum(sides, 0), axis=-1)
    area_a, area_b = (np.prod(z[..., 2:] - z[..., :2] + 1, axis=-1) for z in (a, b))
    return inter / (area_a + area_b - inter)


@pytest.fixture(scope="module")
def held_out_boxes():
    return np.stack([render_shot(0, "test", *which).boxes for which in every("test")])


@pytest.fixture(scope="module")
def train_scenes():
    return [sample_scene(0, "train", *which) for which in every("train")]


def test_class_names_are_ten_distinct_in_alphabetical_order():
    assert len(set(CLASS_NAMES)) == 10
    assert list(CLASS_NAMES) == sorted(CLASS_NAMES)


@pytest.mark.parametrize("split", SPLITS)
def test_shapes_types_and_ranges(split):
    shot = render_shot(3, split, 7, 1, 1)
    t = {"train": 4, "validation": 3, "test": 3}[split]
    assert shot.frames.shape == (t, 128, 128, 3) and shot.frames.dtype == np.uint8
    assert shot.boxes.shape == (t, 4) and shot.boxes.dtype == np.float32
    assert (shot.boxes >= 0).all() and (shot.boxes <= 127).all()
    assert (shot.boxes[:, 2:] - shot.boxes[:, :2] > 15).all()
    assert shot.frames.std() > 15


def test_same_arguments_same_shot_whatever_was_drawn_between():
    first = render_shot(0, "train", 4, 2, 1)
    render_shot(0, "train", 4, 2, 0)
    again = render_shot(0, "train", 4, 2, 1)
    np.testing.assert_array_equal(first.frames, again.frames)
    np.testing.assert_array_equal(first.boxes, again.boxes)


def test_every_argument_changes_the_shot():
    base = (0, "train", 1, 1, 1)
    others = [(1, "train", 1, 1, 1), (0, "test", 1, 1, 1), (0, "validation", 1, 1, 1)]
    others += [(0, "train", 2, 1, 1), (0, "train", 1, 2, 1), (0, "train", 1, 1, 0)]
    frames = [render_shot(*arguments).frames[0].astype(int) for arguments in [base, *others]]
    for i in range(len(frames)):
        for j in range(i):
            assert np.abs(frames[i] - frames[j]).mean() > 5, (i, j)


def test_shots_of_a_video_share_the_looks_and_videos_do_not():
    one, cut = sample_scene(0, "train", 5, 0, 0), sample_scene(0, "train", 5, 0, 1)
    np.testing.assert_array_equal(one.video.palette, cut.video.palette)
    np.testing.assert_array_equal(one.video.body_colour, cut.video.body_colour)
    assert np.abs(one.centres - cut.centres).max() > 1
    for other in [("train", 5, 1), ("test", 5, 0), ("train", 6, 0)]:
        assert np.abs(sample_scene(0, *other, 0).video.palette - one.video.palette).max() > 0.02


# Coarse on purpose: another NumPy or processor may round a few pixels the other way.
@pytest.mark.parametrize(
    ("arguments", "mean", "box"),
    [
        ((0, "train", 0, 0, 0), [143.71, 124.42, 148.87], [4, 15, 96, 82]),
        ((0, "test", 9, 5, 1), [108.31, 92.00, 101.20], [15, 12, 92, 52]),
    ],
)
def test_the_generator_is_frozen(arguments, mean, box):
    shot = render_shot(*arguments)
    np.testing.assert_allclose(shot.frames.mean(axis=(0, 1, 2)), mean, atol=0.05)
    np.testing.assert_allclose(shot.boxes[0], box, atol=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, "val", 0, 0, 0), "split must be one of"),
        ((0, "test", 10, 0, 0), r"class_id must be in 0\.\.9"),
        ((0, "test", 0, 12, 0), r"video must be in 0\.\.11 in split 'test', got 12"),
        ((0, "train", 0, 0, -1), r"shot must be in 0\.\.1"),
        ((-1, "train", 0, 0, 0), "seed must be 0 or more"),
    ],
)
def test_unknown_shots_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        render_shot(*arguments)


def test_boxes_of_masks_against_brute_force():
    masks = np.random.default_rng(0).random((50, 9, 13)) < 0.04
    masks[:, 4, 6] = True
    for mask, box in zip(masks, boxes_of(masks), strict=True):
        pixels = [(x, y) for y in range(9) for x in range(13) if mask[y, x]]
        columns, rows = zip(*pixels, strict=True)
        assert tuple(box) == (min(columns), min(rows), max(columns), max(rows))


def test_boxes_fit_the_pixels_that_the_object_changes():
    # Painted on black and on white, what stays the same is opaque: body, parts or occluder.
    errors = []
    for which in every("test", shots=1):
        scene = sample_scene(0, "test", *which)
        if scene.occluder is not None:
            continue
        black = np.zeros((3, SIZE, SIZE, 3), np.float32)
        white = np.ones_like(black)
        draw_object(scene, AXIS, AXIS, black)
        draw_object(scene, AXIS, AXIS, white)
        opaque = (white - black).max(axis=-1) < 0.5
        errors.append(boxes_of(opaque) - render_shot(0, "test", *which).boxes)
    errors = np.abs(np.concatenate(errors))
    assert len(errors) > 60
    assert errors.max() <= 1 and errors.mean() < 0.05


def test_few_background_pixels_have_the_body_s_colour():
    # As the CRF sees it: two of its colour bandwidths, 30 of 255 levels, hardly attract.
    alike = []
    for which in every("test", shots=1):
        scene = sample_scene(0, "test", *which)
        canvas = stream(0, "test", *which, use=1)
        without = paint_background(canvas, scene.video.palette, scene.camera)
        drawn = without.copy()
        seen = draw_object(scene, AXIS, AXIS, drawn)
        body = np.median(drawn[seen], axis=0)
        distance = np.linalg.norm(without[~seen] - body, axis=-1)
        alike.append(np.mean(distance < 30 / 255))
    assert np.median(alike) < 0.15 and np.quantile(alike, 0.95) < 0.3


@pytest.mark.slow
def test_at_most_a_small_strip_of_an_object_is_out_of_the_frame():
    wide = np.arange(-64, SIZE + 64, dtype=np.float32)
    shares = []
    for which in every("test", shots=2):
        scene = sample_scene(0, "test", *which)._replace(occluder=None)
        seen = draw_object(scene, wide, wide, np.zeros((3, 256, 256, 3), np.float32))
        inside = seen[:, 64:-64, 64:-64].sum(axis=(1, 2))
        shares.append(1 - inside / seen.sum(axis=(1, 2)))
    assert np.max(shares) <= 0.15 and np.mean(np.array(shares) > 0) > 0.05


def test_parts_show_and_hide_so_that_neighbours_complete_each_other(train_scenes):
    visible = np.stack([scene.visible for scene in train_scenes])
    before, after = visible[:, :-1], visible[:, 1:]
    assert visible.any(axis=-1).all()
    assert 0.37 <= visible.mean() <= 0.46
    assert 0.62 <= (before | after).mean() <= 0.70
    assert (before != after).any(axis=-1).mean() >= 0.7
    # No part is favoured, and no frame of the shot either.
    np.testing.assert_allclose(visible.mean(axis=(0, 1)), visible.mean(), atol=0.05)
    np.testing.assert_allclose(visible.mean(axis=(0, 2)), visible.mean(), atol=0.06)


def test_parts_are_small_and_the_box_is_the_body_s():
    overlaps, shares = [], []
    for which in every("test", shots=1):
        scene = sample_scene(0, "test", *which)._replace(occluder=None)
        frames = np.zeros((3, SIZE, SIZE, 3), np.float32)
        whole = draw_object(scene, AXIS, AXIS, frames)
        bare = np.zeros_like(frames)
        body = draw_object(scene._replace(visible=scene.visible & False), AXIS, AXIS, bare)
        parts = np.abs(frames - bare).max(axis=-1) > 1e-3
        overlaps.append(iou(boxes_of(whole), boxes_of(body)))
        shares.append(parts.sum(axis=(1, 2)) / whole.sum(axis=(1, 2)))
    assert np.mean(overlaps) > 0.9 and np.min(overlaps) > 0.7
    assert 0.05 < np.mean(shares) < 0.25


@pytest.mark.slow
def test_objects_move_slowly(held_out_boxes):
    neighbours = iou(held_out_boxes[:, :-1], held_out_boxes[:, 1:])
    assert np.quantile(neighbours, 0.05) >= 0.75
    assert np.abs(np.diff(held_out_boxes, axis=1)).max(axis=-1).mean() > 0.5


def test_no_centred_box_and_no_whole_frame_will_do(held_out_boxes):
    boxes = held_out_boxes.reshape(-1, 4)
    middle = (SIZE - 1) / 2
    scores = {}
    for w in range(16, 129, 4):
        for h in range(16, 129, 4):
            half = np.array([(w - 1) / 2, (h - 1) / 2])
            box = np.concatenate([middle - half, middle + half])
            scores[w, h] = np.mean(iou(boxes, box) >= 0.5)
    assert max(scores.values()) <= 0.25
    assert scores[128, 128] <= 0.15


@pytest.mark.slow
def test_an_untrained_network_does_not_find_the_object(held_out_boxes):
    # Not so with bodies brighter or darker than their surroundings: those excite any network.
    frames = [render_shot(0, "test", *which).frames[1] for which in every("test", shots=1)]
    boxes = held_out_boxes[:: SPLITS["test"].shots, 1]
    variables = init_variables(TCAM(10, ENCODERS["resnet10"]), jax.random.key(0), SIZE)
    labels = np.repeat(np.arange(10), SPLITS["test"].videos)
    forward = make_forward(TCAM(10, ENCODERS["resnet10"]), ("layercam",))
    maps = np.asarray(
        forward(variables, jnp.asarray(np.stack(frames)), jnp.asarray(labels)).maps[0]
    )
    overlaps = [
        overlaps_by_level(level_boxes(u8), box[None])["largest"]
        for u8, box in zip(maps, boxes, strict=True)
    ]
    found = hits(np.stack(overlaps), maps.max((1, 2)).astype(int), TAUS_VALIDATION)
    assert Localisation(found, labels, TAUS_VALIDATION).frame_mean().max() <= 20


@pytest.mark.slow
def test_backgrounds_and_bodies_are_independent_of_the_class(train_scenes):
    classes = [scene.class_id for scene in train_scenes]
    outside, saturated = [], []
    for k, v, s in every("train", shots=1):
        shot = render_shot(0, "train", k, v, s)
        x0, y0, x1, y1 = shot.boxes[0].astype(int)
        frame = shot.frames[0].astype(float)
        inside = np.zeros((SIZE, SIZE), bool)
        inside[y0 : y1 + 1, x0 : x1 + 1] = True
        pixels, chroma = frame[inside], np.ptp(frame[inside], axis=-1)
        saturated.append(pixels[np.argsort(chroma)[-40:]].mean(axis=0))
        pixels = frame[~inside]
        outside.append(np.concatenate([pixels.mean(axis=0), pixels.std(axis=0)]))

    def p_values(values):
        return f_oneway(*np.reshape(values, (10, -1, np.shape(values)[-1]))).pvalue

    assert p_values(outside).min() > 0.01
    videos = [scene.video for scene in train_scenes[:: SPLITS["train"].shots]]
    assert p_values([video.body_colour for video in videos]).min() > 0.01
    # The same test does see the class where it is: in the most saturated pixels of the box.
    assert p_values(saturated).max() < 1e-6

    table = np.zeros((10, 3))
    np.add.at(table, (classes, [scene.video.outline for scene in train_scenes]), 0.5)
    assert table.sum() == 400 and chi2_contingency(table).pvalue > 0.01
