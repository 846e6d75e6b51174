import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.builders.findings import Findings
from tcam_jax.data.builders.sources import SourceBox
from tcam_jax.data.builders.video_folder.box_conventions import (
    compare_conventions,
    without_shares,
)
from tcam_jax.data.builders.video_folder.named_boxes import BoxFile, NamedBox
from tcam_jax.runtime.errors import InputError

WIDTH, HEIGHT = 160, 120


def box_file(path, corners, numbers="corners"):
    boxes = [
        NamedBox(f"{n}.jpg", SourceBox(f"line {n + 2}", tuple(map(float, of_box))))
        for n, of_box in enumerate(corners)
    ]
    return BoxFile(path, boxes, numbers, True)


@pytest.mark.parametrize(
    "corners",
    [
        [(0.17, 0.25, 0.67, 0.75)] * 3,
        [(0, 0, 1, 1)] * 3,  # whole frames
        [(-0.02, 0.1, 1.04, 0.9), (0, 0, 1, 1)],  # predicted ones leave the frame
        [(0.17, 0.25, 0.67, 0.75)] * 2 + [(10, 20, 30, 40)],
    ],
)
def test_boxes_in_shares_of_the_frame_are_refused(tmp_path, corners):
    told = r"boxes in pixels, got \d of \d between 0 and 1.*line 2.*multiply x by the frame's width"
    with pytest.raises(InputError, match=told):
        without_shares(box_file(tmp_path, corners), Findings())


def test_an_honest_box_of_a_pixel_is_no_share(tmp_path):
    file = box_file(tmp_path, [(0, 0, 1, 1), (0, 0, 1, 1), (3, 4, 50, 60)])
    findings = Findings()
    assert without_shares(file, findings) == file and not findings.all
    empty = box_file(tmp_path, [])
    assert without_shares(empty, findings) is empty


def test_a_few_shares_among_pixels_are_left_out_and_named(tmp_path):
    corners = [(3, 4, 50, 60)] * 3 + [(0.1, 0.2, 0.3, 0.4), (float("nan"), 0, float("inf"), 1)]
    findings = Findings()
    kept = without_shares(box_file(tmp_path, corners), findings).boxes
    assert [named.box.where for named in kept] == ["line 2", "line 3", "line 4", "line 6"]
    assert [(f.kind, f.where) for f in findings.all] == [("box_share", "line 5")]


def compared(tmp_path, corners, numbers, size=(WIDTH, HEIGHT), stated=None):
    image = tmp_path / "frame.png"
    Image.new("RGB", size).save(image)
    findings = Findings()
    file = box_file(tmp_path / "boxes.csv", corners, numbers)
    boxes = {named.frame: [named.box._replace(size=stated)] for named in file.boxes}
    compare_conventions(file, boxes, dict.fromkeys(boxes, image), findings)
    return [finding.detail for finding in findings.all]


@pytest.fixture(scope="module")
def drawn():
    """60 boxes [n, 4] inside of a frame, as corners."""
    rng = np.random.default_rng(0)
    low = rng.uniform(0, [WIDTH - 40, HEIGHT - 30], (60, 2))
    return np.concatenate([low, low + rng.uniform(5, [WIDTH, HEIGHT] - low)], axis=1)


def test_boxes_of_the_other_convention_are_counted_both_ways(tmp_path, drawn):
    sizes = np.concatenate([drawn[:, :2], drawn[:, 2:] - drawn[:, :2]], axis=1)
    [told] = compared(tmp_path, sizes, "corners")
    inside = int((sizes[:, :2] < sizes[:, 2:]).all(axis=1).sum())
    assert 0 < inside < 45
    assert f"expected x0, y0, x1, y1: {inside} of 60 boxes" in told
    assert "60 as x, y, width, height; if they are the latter, write x0, y0, x0 + width" in told
    # And the mirror of it: COCO's numbers that are corners.
    [told] = compared(tmp_path, drawn + drawn[:, [0, 1, 0, 1]] * [0, 0, 1, 1], "sizes")
    assert "expected x, y, width, height: " in told and "and 60 as x0, y0, x1, y1" in told


def test_other_orders_and_centres_are_told(tmp_path, drawn):
    [told] = compared(tmp_path, drawn[:, [1, 0, 3, 2]], "corners")
    assert "and 60 as y0, x0, y1, x1; if they are the latter, write x0, y0, x1, y1" in told
    sizes, centres = drawn[:, 2:] - drawn[:, :2], (drawn[:, :2] + drawn[:, 2:]) / 2
    [told] = compared(tmp_path, np.concatenate([centres, sizes], axis=1), "corners")
    assert "and 60 as centre and size; if they are the latter, write x - width / 2, y" in told
    # As COCO's numbers, of which the reader makes corners.
    [told] = compared(tmp_path, np.concatenate([centres, centres + sizes], axis=1), "sizes")
    assert "expected x, y, width, height: " in told and "and 60 as centre and size" in told


def test_per_cent_are_doubted_where_frames_are_large(tmp_path, drawn):
    per_cent = drawn / [WIDTH, HEIGHT, WIDTH, HEIGHT] * 100
    [told] = compared(tmp_path, per_cent, "corners", stated=(1920, 1080))
    assert "all 60 boxes looked at end at " in told and "multiply x by its width / 100" in told
    for boxes, size in ((per_cent[:9], (1920, 1080)), (per_cent, (300, 400)), (drawn, (1920, 999))):
        assert compared(tmp_path, boxes, "corners", stated=size) == []


def test_boxes_that_fit_and_faults_of_another_kind_are_no_convention(tmp_path, drawn):
    assert compared(tmp_path, drawn, "corners") == []
    assert compared(tmp_path, drawn, "sizes") == []
    one_swapped = drawn.copy()
    one_swapped[0] = drawn[0, [2, 3, 0, 1]]
    assert compared(tmp_path, one_swapped, "corners") == []
    swapped = np.where(np.arange(60)[:, None] % 2, drawn, drawn[:, [2, 1, 0, 3]])
    assert compared(tmp_path, swapped, "corners") == []
    assert compared(tmp_path, drawn * 4, "corners") == []  # of a larger frame
    assert compared(tmp_path, drawn * 4, "corners", stated=(4 * WIDTH, 4 * HEIGHT)) == []
    assert compared(tmp_path, [], "corners") == []


def test_the_size_is_that_of_the_upright_frame(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = tmp_path / "turned.jpg"
    Image.new("RGB", (HEIGHT, WIDTH)).save(image, exif=exif)
    file = box_file(tmp_path, [(90, 10, 150, 100)] * 4)  # 160 x 120: as sizes they leave the frame
    findings = Findings()
    for there in (image, tmp_path / "gone.jpg"):
        boxes = {named.frame: [named.box] for named in file.boxes}
        compare_conventions(file, boxes, dict.fromkeys(boxes, there), findings)
    assert findings.all == []
