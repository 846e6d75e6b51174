import numpy as np
import pytest

from tcam_jax.predict.overlays import (
    NO_BOXES,
    PANEL_GAP,
    TITLE_HEIGHT,
    contact_sheet,
    draw_overlay,
    draw_panels,
    heat_colours,
)

GREEN, RED = [0, 255, 0], [255, 0, 0]


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
    hidden = draw_overlay(*arguments, box[None], box[None], "")
    assert where(hidden, RED).any() and not where(hidden, GREEN).any()
    empty = draw_overlay(*arguments, NO_BOXES, NO_BOXES, "")
    assert not where(empty, RED).any() and not where(empty, GREEN).any()


def test_small_frames_are_enlarged_with_their_boxes():
    frame = grey(96, 128)
    frame[7, 9] = 250
    picture = draw_overlay(frame, cold(96, 128), NO_BOXES, np.array([[4, 6, 127, 95]]), "")
    assert picture.shape == (TITLE_HEIGHT + 192, 2 * 256 + PANEL_GAP, 3)
    left = picture[TITLE_HEIGHT:, :256]
    assert (where(left, RED) == outline((192, 256), 8, 12, 255, 191)).all()
    assert (left[14:16, 18:20] == 250).all()
    assert where(left, [250, 250, 250]).sum() == 4


def test_several_predictions_are_drawn():
    boxes = np.array([[10, 20, 60, 70], [80, 5, 99, 40]])
    panels = draw_overlay(grey(200, 240), cold(200, 240), NO_BOXES, boxes, "")[TITLE_HEIGHT:]
    expected = outline((200, 240), *boxes[0]) | outline((200, 240), *boxes[1])
    assert (where(panels[:, :240], RED) == expected).all()


def test_right_panel_is_half_frame_half_colour():
    levels = np.tile(np.linspace(0, 255, 200).astype(np.uint8), (200, 1))
    picture = draw_overlay(grey(200, 200), levels, NO_BOXES, NO_BOXES, "")
    right = picture[TITLE_HEIGHT:, 200 + PANEL_GAP :]
    expected = (100 + heat_colours(levels).astype(int)) // 2
    assert (right == expected).all()


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
    assert (where(outlined[:, 240 + PANEL_GAP :], [255, 255, 255]) == expected).all()
    changed = (outlined != plain).any(-1)
    assert (changed[:, 240 + PANEL_GAP :] == expected).all() and not changed[:, :240].any()


def test_colours_go_from_cold_to_hot():
    colours = heat_colours(np.array([[0, 102, 153, 204, 255]], np.uint8))[0].tolist()
    assert colours == [[0, 0, 96], [0, 255, 255], [255, 255, 0], [255, 0, 0], [128, 0, 0]]


def test_the_title_is_written_in_its_strip_only():
    arguments = grey(200, 240), cold(200, 240), NO_BOXES, NO_BOXES
    without = draw_overlay(*arguments, "")
    titled = draw_overlay(*arguments, "aeroplane, IoU 0.61 " * 20)
    assert titled.shape == without.shape
    assert (titled[TITLE_HEIGHT:] == without[TITLE_HEIGHT:]).all()
    assert (titled[:TITLE_HEIGHT] != without[:TITLE_HEIGHT]).any()


def test_a_map_of_another_size_is_refused():
    with pytest.raises(ValueError, match="resize the map"):
        draw_overlay(grey(200, 240), cold(28, 28), NO_BOXES, NO_BOXES, "")


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
