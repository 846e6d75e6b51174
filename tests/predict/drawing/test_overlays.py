import cv2
import numpy as np
import pytest
from PIL import Image

from tcam_jax.predict.drawing import overlays
from tcam_jax.predict.drawing.overlays import (
    NO_BOXES,
    TITLE_HEIGHT,
    contact_sheet,
    draw,
    draw_overlay,
    draw_panels,
)
from tcam_jax.predict.drawing.strokes import LARGEST_SIDE, PANEL_GAP, heat_colours
from tcam_jax.predict.drawing.video_writer import VideoWriter
from tcam_jax.predict.prediction import Prediction

GREEN, RED = [0, 255, 0], [255, 0, 0]
BOX = list(overlays._BOXES[0])
WHITE = [255, 255, 255]


def grey(height, width):
    return np.full((height, width, 3), 100, np.uint8)


def cold(height, width):
    return np.zeros((height, width), np.uint8)


def where(image, colour):
    return (image == colour).all(axis=-1)


def outline(shape, x0, y0, x1, y1, width=2):
    mask = np.zeros(shape, bool)
    mask[y0 : y1 + 1, x0 : x1 + 1] = True
    mask[y0 + width : y1 + 1 - width, x0 + width : x1 + 1 - width] = False
    return mask


def prediction(frame, levels, *boxes, **fields):
    known = {
        "class_index": 1,
        "class_name": "cat",
        "probability": 0.9,
        "boxes": list(boxes),
        "scores": [0.5] * len(boxes),
        "map": levels,
        "of_logits": True,
        "level": 90,
        "probabilities": np.array([0.1, 0.9]),
        "class_names": ("dog", "cat"),
        "image": frame,
        "file": None,
        "frame": 0,
        "time": None,
    }
    return Prediction(**known | fields)


def plates(monkeypatch):
    """Return what labels say, with the size of their letters, as they are asked for."""
    asked = []
    real = overlays.label

    def label(name, numbers, size, plate, width):
        asked.append((f"{name} {numbers}", size))
        return real(name, numbers, size, plate, width)

    monkeypatch.setattr(overlays, "label", label)
    return asked


def test_boxes_are_drawn_on_the_frame_where_they_are():
    truth = np.array([[10, 20, 60, 70], [150, 100, 200, 190]])
    picture = draw_overlay(grey(200, 240), cold(200, 240), truth, np.array([[80, 5, 99, 40]]), "")
    assert picture.shape == (TITLE_HEIGHT + 200, 2 * 240 + PANEL_GAP, 3)
    panels = picture[TITLE_HEIGHT:]
    left = panels[:, :240]
    expected_green = outline((200, 240), 10, 20, 60, 70) | outline((200, 240), 150, 100, 200, 190)
    expected_red = outline((200, 240), 80, 5, 99, 40)
    assert (where(left, GREEN) == expected_green).all()
    assert (where(left, RED) == expected_red).all()
    assert where(left, [100, 100, 100])[~(expected_green | expected_red)].all()
    assert not where(panels[:, 240:], GREEN).any() and not where(panels[:, 240:], RED).any()


def test_prediction_is_on_top_and_both_may_be_missing():
    box = np.array([10, 20, 60, 70])
    arguments = grey(200, 240), cold(200, 240)
    hidden = draw_panels(*arguments, box[None], box[None])
    assert where(hidden, RED).any() and not where(hidden, GREEN).any()
    empty = draw_panels(*arguments, NO_BOXES, NO_BOXES)
    assert not where(empty, RED).any() and not where(empty, GREEN).any()


def test_small_frames_are_enlarged_with_their_boxes():
    frame = grey(96, 128)
    frame[7, 9] = 250
    picture = draw_panels(frame, cold(96, 128), NO_BOXES, np.array([[4, 6, 127, 95]]))
    assert picture.shape == (192, 2 * 256 + PANEL_GAP, 3)
    left = picture[:, :256]
    assert (where(left, RED) == outline((192, 256), 8, 12, 255, 191)).all()
    assert (left[14:16, 18:20] == 250).all()
    assert where(left, [250, 250, 250]).sum() == 4


def test_right_panel_is_half_frame_half_colour():
    levels = np.tile(np.linspace(0, 255, 200).astype(np.uint8), (200, 1))
    right = draw_panels(grey(200, 200), levels, NO_BOXES, NO_BOXES)[:, 200 + PANEL_GAP :]
    assert np.abs(right - (100 + heat_colours(levels).astype(int)) / 2).max() <= 0.5


def test_what_is_above_the_level_is_outlined_on_the_map():
    levels = np.full((200, 240), 90, np.uint8)
    levels[50:71, 80:101] = 91
    levels[60, 90] = 90  # a hole has an outline too
    arguments = grey(200, 240), levels, NO_BOXES, NO_BOXES
    plain, outlined = draw_panels(*arguments), draw_panels(*arguments, level=90)
    expected = np.zeros((200, 240), bool)
    expected[50:71, 80:101] = True
    expected[51:70, 81:100] = False
    expected[[59, 60, 60, 61], [90, 89, 91, 90]] = True
    assert (where(outlined[:, 240 + PANEL_GAP :], WHITE) == expected).all()
    near = cv2.dilate(expected.astype(np.uint8), np.ones((5, 5))).astype(bool)  # its dark edge
    changed = (outlined != plain).any(-1)
    assert not (changed[:, 240 + PANEL_GAP :] & ~near).any() and not changed[:, :240].any()


def test_colours_are_uniform_to_the_eye():
    """Unlike a rainbow's: as light as the map is high, without bands."""
    colours = heat_colours(np.arange(256, dtype=np.uint8)[None])
    lightness = cv2.cvtColor(colours, cv2.COLOR_RGB2LAB)[0, :, 0].astype(int)
    assert (np.diff(lightness) >= -1).all() and lightness[-1] - lightness[0] > 240
    assert np.diff(lightness).max() <= 3
    red, _, blue = colours[0, 128].astype(int)
    assert red > blue  # RGB, not BGR


def test_the_title_is_written_in_its_strip_only():
    arguments = grey(200, 240), cold(200, 240), NO_BOXES, NO_BOXES
    without = draw_overlay(*arguments, "")
    titled = draw_overlay(*arguments, "aeroplane, IoU 0.61 " * 20)
    assert titled.shape == without.shape
    assert (titled[TITLE_HEIGHT:] == without[TITLE_HEIGHT:]).all()
    assert (titled[:TITLE_HEIGHT] != without[:TITLE_HEIGHT]).any()


def test_a_prediction_is_one_picture_of_the_frames_size():
    levels = cold(48, 48)
    levels[12:36, 24:36] = 255
    frame = grey(480, 640)
    frame.flags.writeable = False
    drawn = draw(prediction(frame, levels, (320.0, 120.0, 480.0, 360.0)))
    assert drawn.shape == (480, 640, 3)
    x = np.flatnonzero(where(drawn, BOX)[240])
    assert x.min() == 320 and x.max() == 479  # the box's first and last column
    y = np.flatnonzero(where(drawn, BOX)[:, 400])
    assert y.max() == 359
    assert (drawn[5, 5] == 100).all() and abs(drawn[200, 400].astype(int) - 100).max() > 80
    # The contour, smooth between cells of 10 x 13 pixels, runs within one of the box's edges.
    y, x = np.nonzero(where(drawn, WHITE))
    assert len(x) > 100 and x.min() > 306 and x.max() < 494 and y.min() > 109 and y.max() < 371
    assert not where(drawn, WHITE)[131:349, 334:466].any()


def test_side_by_side_has_the_boxes_on_the_bare_frame():
    levels = np.full((48, 48), 255, np.uint8)
    picture = prediction(grey(300, 400), levels, (40.0, 60.0, 200.0, 240.0)).plot(side_by_side=True)
    assert isinstance(picture, Image.Image)
    assert picture.size == (2 * 400 + PANEL_GAP, 300)
    left, right = np.asarray(picture)[:, :400], np.asarray(picture)[:, 400 + PANEL_GAP :]
    assert where(left, BOX).any() and (left[150, 100] == 100).all()
    assert not where(right, BOX).any() and (right[150, 100] != 100).all()


def test_labels_say_class_track_and_confidence_and_stay_in_the_frame(monkeypatch):
    asked = plates(monkeypatch)
    boxes = [(0.0, 0.0, 300.0, 200.0), (280.0, 180.0, 300.0, 200.0)]
    drawn = draw(prediction(grey(200, 300), cold(4, 4), *boxes))
    assert [text for text, _ in asked] == ["cat 0.45", "cat 0.45"]
    plate = where(drawn, BOX)[4:14, 4:40]  # inside, as nothing is above the frame
    assert 0.5 < plate.mean() < 0.95
    assert where(drawn, BOX)[162:178, 250:296].mean() > 0.5  # moved to the left
    asked.clear()
    draw(prediction(grey(200, 300), cold(4, 4), *boxes, tracks=[3, 12]))
    assert [text for text, _ in asked] == ["cat #3 0.45", "cat #12 0.45"]
    asked.clear()
    drawn = draw(prediction(grey(200, 300), cold(4, 4)))
    assert [text for text, _ in asked] == ["cat 0.90, no box"] and not where(drawn, BOX).any()


def test_no_label_hides_another():
    boxes = [(100.0, 100.0, 140.0, 130.0), (102.0, 101.0, 130.0, 125.0)]
    apart = draw(prediction(grey(300, 300), cold(4, 4), boxes[0]))
    drawn = draw(prediction(grey(300, 300), cold(4, 4), *boxes))
    assert (drawn[80:98, 100:150] == apart[80:98, 100:150]).all()  # the first one's label


@pytest.mark.parametrize(("height", "width", "size"), [(64, 64, 11), (2160, 4096, 87)])
def test_letters_and_lines_grow_with_the_frame(monkeypatch, height, width, size):
    asked = plates(monkeypatch)
    box = (width / 4, height / 2, width / 2, height * 3 / 4)
    drawn = draw(prediction(grey(height, width), cold(4, 4), box))
    assert asked == [("cat 0.45", size)]
    line = where(drawn, BOX)[len(drawn) * 5 // 8].sum() / 2  # two lines cross this row
    assert line == max(round((drawn.shape[0] * drawn.shape[1]) ** 0.5 / 250), 1)


@pytest.mark.parametrize(
    ("size", "alone", "beside"),
    [
        ((1, 600), (1, 600), (1, 1204)),
        ((600, 1), (600, 1), (600, 6)),
        ((1, 1), (192, 192), (192, 388)),
        ((37, 51), (222, 306), (222, 616)),
        ((256, 8192), (128, 4096), (64, 4096)),
        ((1, 70_000), (1, 4096), (1, 4096)),
        ((2160, 4096), (2160, 4096), (1079, 4096)),
    ],
)
def test_every_size_has_a_sane_picture_that_can_be_written(tmp_path, size, alone, beside):
    height, width = size
    found = prediction(grey(height, width), np.full((9, 9), 91, np.uint8), (0, 0, width, height))
    for side_by_side, expected in ((False, alone), (True, beside)):
        picture = found.plot(side_by_side)
        assert picture.size == expected[::-1]
        picture.save(tmp_path / "a.jpg")
    drawn = draw(found, enlarge=False)
    assert max(drawn.shape) <= LARGEST_SIDE
    assert drawn.shape[:2] == (size if max(size) <= LARGEST_SIDE else alone)
    with VideoWriter(tmp_path / "a.mp4") as video:
        video.write(drawn, 0.0)
    assert (tmp_path / "a.mp4").stat().st_size


def test_contact_sheet_places_pictures_in_reading_order():
    sizes = [(10, 20), (12, 16), (8, 20), (12, 20)]
    images = [np.full((*size, 3), 50 * (i + 1), np.uint8) for i, size in enumerate(sizes)]
    sheet = contact_sheet(images, columns=3)
    assert sheet.shape == (2 * 12 + PANEL_GAP, 3 * 20 + 2 * PANEL_GAP, 3)
    corners = [(0, 0), (0, 20 + PANEL_GAP), (0, 2 * (20 + PANEL_GAP)), (12 + PANEL_GAP, 0)]
    for image, (top, left) in zip(images, corners, strict=True):
        height, width = image.shape[:2]
        assert (sheet[top : top + height, left : left + width] == image).all()
        assert where(sheet, image[0, 0]).sum() == height * width
    assert contact_sheet(images[:1], columns=3).shape == (10, 20, 3)


@pytest.mark.parametrize(("count", "columns"), [(0, 2), (2, 0)])
def test_an_empty_contact_sheet_is_refused(count, columns):
    with pytest.raises(ValueError, match="at least one picture"):
        contact_sheet([grey(4, 4)] * count, columns)
