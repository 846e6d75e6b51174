from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.builders.moving_photos import compose, scene
from tcam_jax.data.builders.moving_photos.compose import Composer
from tcam_jax.data.builders.moving_photos.script import (
    HEIGHT,
    LEVELS,
    WIDTH,
    Occluder,
    Scene,
    Sprite,
    Which,
)
from tcam_jax.data.builders.moving_photos.sources import Sources
from tests.data.builders.moving_photos.conftest import write_cutout

T = 2
ONES = np.ones(3)


def sprite(file, x, y, size, of_class, angle=0.0) -> Sprite:
    """A cut-out that moves to the right by five pixels a frame."""
    return Sprite(
        file=file,
        flipped=True,
        tint=ONES,
        centres=np.array([[x, y], [x + 5, y]], float),
        sizes=np.full(T, float(size)),
        angles=np.full(T, angle),
        shears=np.full(T, 0.03),
        shadow=0.0,
        of_class=of_class,
    )


def composed(monkeypatch, background, sprites, occluder=None) -> Composer:
    """What draws the given script, without light, noise or blur."""
    script = Scene(
        background=background,
        first_frame=0.0,
        camera=np.tile([0.5, 0.5, 0.8, 0.0], (T, 1)),
        sprites=tuple(sprites),
        occluder=occluder,
        light=np.ones((T, 3)),
        focus=np.zeros(T),
        shutter=0.5,
        noise=0.0,
    )
    monkeypatch.setattr(compose, "sample_scene", lambda *_: script)
    return Composer(Which(0, "train", 0, 0, 0), LEVELS["default"], Sources([], []))


@pytest.fixture
def files(tmp_path):
    Image.new("RGB", (300, 225), (255, 255, 255)).save(tmp_path / "white.png")
    write_cutout(tmp_path / "light.png", "gem", (255, 255, 255), 90)
    write_cutout(tmp_path / "dark.png", "gem", (0, 0, 0), 90)
    write_cutout(tmp_path / "other.png", "disc", (200, 40, 90), 70)
    return tmp_path


@pytest.fixture
def occluder(files):
    outline = 18 + 5 * np.sin(np.arange(24))
    return Occluder(files / "white.png", outline, np.array([[120.0, 70], [125, 75]]), blur=1.0)


def test_masks_are_the_pixels_that_the_object_makes(monkeypatch, files, occluder):
    # Painted white and painted black: what differs by half is the object's, whatever is nearer.
    def draw(name):
        around = [
            sprite(files / "other.png", 80, 100, 50, False),  # behind
            sprite(files / name, 110, 90, 100, True, angle=0.2),
            sprite(files / "other.png", 150, 95, 40, False),  # before
        ]
        return composed(monkeypatch, files / "white.png", around, occluder)

    light, dark = draw("light.png"), draw("dark.png")
    for index, (one, two) in enumerate(zip(light.frames(), dark.frames(), strict=True)):
        share = (one.astype(float) - two).mean(axis=2) / 255
        (seen,) = light.seen(index)
        unsure = np.abs(share - 0.5) < 0.01  # rounded to 8 bits
        np.testing.assert_array_equal(seen.mask[~unsure], share[~unsure] >= 0.5)
        assert seen.mask.sum() > 2000 and unsure.sum() < 20
        assert 0.5 < seen.share < 0.9
        inside = [(x, y) for y in range(HEIGHT) for x in range(WIDTH) if seen.mask[y, x]]
        columns, rows = zip(*inside, strict=True)
        assert seen.box == (min(columns), min(rows), max(columns), max(rows))


def test_what_hides_a_side_moves_the_box(monkeypatch, files):
    gem = sprite(files / "light.png", 110, 90, 80, True)
    alone = composed(monkeypatch, files / "white.png", [gem])
    (whole,) = alone.seen(0)
    assert whole.share == 1
    disc = sprite(files / "other.png", whole.box[2], 90, 60, False)
    (part,) = composed(monkeypatch, files / "white.png", [gem, disc]).seen(0)
    assert part.box[0] == whole.box[0] and part.box[2] < whole.box[2] - 20
    np.testing.assert_array_equal(part.mask, part.mask & whole.mask)
    assert part.share == part.mask.sum() / whole.mask.sum()


def test_an_object_that_is_hardly_seen_has_no_box(monkeypatch, files):
    gem = sprite(files / "light.png", 110, 90, 50, True)
    large = sprite(files / "other.png", 112, 90, 90, False)
    (seen,) = composed(monkeypatch, files / "white.png", [gem, large]).seen(0)
    assert seen.share < compose.LEAST_SEEN and seen.box is None and not seen.mask.any()


def test_two_objects_have_a_box_each_and_share_no_pixel(monkeypatch, files):
    near = sprite(files / "light.png", 130, 90, 60, True)
    far = sprite(files / "dark.png", 95, 80, 70, True)
    first, second = composed(monkeypatch, files / "white.png", [far, near]).seen(1)
    assert first.share == 1 and 0.3 < second.share < 0.95
    assert not (first.mask & second.mask).any()
    assert second.box[0] < first.box[0] and first.box[2] > second.box[2]


def test_same_arguments_same_shot_and_every_argument_counts(tiny, sources):
    which, level = Which(0, "train", 1, 1, 1), LEVELS["hard"]

    def frames(which=which, level=level):
        return np.stack(Composer(which, level, sources[which.split]).frames())

    base = frames()
    assert base.shape == (3, HEIGHT, WIDTH, 3) and base.dtype == np.uint8
    changed = [which._replace(**{name: 0}) for name in ("class_id", "video", "shot")]
    changed += [which._replace(seed=1), which._replace(split="test", video=0)]
    others = [frames(other) for other in changed] + [frames(level=LEVELS["easy"])]
    for other in others:
        assert np.abs(base.astype(int) - other).mean() > 2
    np.testing.assert_array_equal(base, frames())


def test_shots_of_a_video_show_one_object_and_the_split_s_files_alone(tiny, sources):
    for split, size in tiny.items():
        own = sources[split]
        for class_id in range(3):
            for video in range(size.videos):
                shots = [
                    Composer(Which(0, split, class_id, video, shot), LEVELS["hard"], own).scene
                    for shot in range(size.shots)
                ]
                of_class = [[s for s in shot.sprites if s.of_class] for shot in shots]
                main = {(found[-1].file, *found[-1].tint) for found in of_class if found}
                assert len(main) == 1
                for shot in shots:
                    assert shot.background in own.backgrounds
                    for s in shot.sprites:
                        of = [k for k, files in enumerate(own.cutouts) if s.file in files]
                        assert len(of) == 1 and s.of_class == (of == [class_id])


@pytest.mark.parametrize("level", LEVELS)
def test_levels_keep_what_they_promise(tiny, sources, level):
    shares, hidden, crowded, missing = [], [], [], {"train": [], "test": []}
    for split in missing:
        for seed in range(12):
            for class_id in range(3):
                which = Which(seed, split, class_id, 0, 0)
                shot = Composer(which, LEVELS[level], sources[split])
                missing[split].append(not shot.shows_object)
                crowded.append(not all(s.of_class for s in shot.scene.sprites))
                if shot.shows_object:
                    seen = shot.seen(1)
                    shares.append(max(instance.share for instance in seen))
                    hidden.append(shares[-1] < 0.97)
                    assert any(instance.box for instance in seen)
    assert not any(missing["test"])
    if level == "easy":
        assert not any(hidden) and not any(crowded) and not any(missing["train"])
    else:
        assert any(hidden) and any(crowded) and any(missing["train"])
        assert np.mean(hidden) < 0.8 and min(shares) > 0.25


def test_objects_stay_inside_as_far_as_the_level_says():
    rng, frame = np.random.default_rng(0), np.array([WIDTH, HEIGHT])
    for outside in (0.0, 0.15, 0.3):
        for shape in ((40, 160), (90, 90), (200, 60)):
            for _ in range(20):
                s = scene._sprite(rng, 12, Path("x.png"), shape, ONES, 150.0, 1.6, outside, True)
                unit = np.array(shape[::-1]) / np.sqrt(np.prod(shape))
                half = unit * s.sizes[:, None] / 2
                beyond = np.maximum(half - s.centres, s.centres + half - (frame - 1)) / (2 * half)
                assert beyond.max() <= outside + 0.02  # a gait that nothing has room for
