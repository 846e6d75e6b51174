import numpy as np
import pytest
import scipy.io

from tcam_jax.data.builders.youtube_objects.mat_files import (
    read_boxes,
    read_ground_truth,
    read_ranges,
)
from tests.data.builders.youtube_objects.raw_layouts import save_boxes, save_ground_truth

BOX, OTHER = [1.5, -2, 3, 4], [5, 6, 7, 8]


def cells(*values) -> np.ndarray:
    array = np.empty((1, len(values)), object)
    for place, value in enumerate(values):
        array[0, place] = value
    return array


SHAPES = {
    "cells of rows": (cells(np.array([BOX]), np.array([OTHER])), [BOX, OTHER]),
    "cells of columns": (cells(np.array([BOX]).T, np.array([OTHER]).T), [BOX, OTHER]),
    "a column of cells": (cells(np.array([BOX]), np.array([OTHER])).T, [BOX, OTHER]),
    "one cell": (cells(np.array([BOX])), [BOX]),
    "nested cells": (cells(cells(np.array([BOX])), cells(np.array([OTHER]))), [BOX, OTHER]),
    "a cell of two boxes": (cells(np.array([BOX, OTHER])), [BOX, OTHER]),
    "one row": (np.array([BOX]), [BOX]),
    "one column": (np.array([BOX]).T, [BOX]),
    "rows": (np.array([BOX, OTHER, BOX]), [BOX, OTHER, BOX]),
    "integers": (cells(np.array([OTHER], np.uint16)), [OTHER]),
    "no cell": (np.empty((1, 0), object), []),
    "no numbers": (np.empty((0, 0)), []),
    "an empty cell and a box": (cells(np.empty((0, 0)), np.array([BOX])), [BOX]),
    "a cell of three numbers": (cells(np.array([[1.0, 2, 3]]), np.array([BOX])), [[1, 2, 3], BOX]),
    "a cell of text": (cells("box", np.array([BOX])), [[], BOX]),
}


@pytest.mark.parametrize("name", SHAPES)
def test_boxes_in_every_shape_that_matlab_gives(tmp_path, name):
    value, wanted = SHAPES[name]
    scipy.io.savemat(tmp_path / "a.mat", {"coor": value, "other": 3})
    assert [corners.tolist() for corners in read_boxes(tmp_path / "a.mat")] == wanted


def test_the_suffix_of_the_published_files_is_no_hindrance(tmp_path):
    save_boxes(tmp_path / "frame0001.jpg_sticks.mat", [tuple(BOX)])
    assert [b.tolist() for b in read_boxes(tmp_path / "frame0001.jpg_sticks.mat")] == [BOX]
    with pytest.raises(ValueError, match="cannot be read as a MATLAB file"):
        read_boxes(tmp_path / "frame0001.jpg_sticks")  # `.mat` is not added


def hdf5_header() -> bytes:
    """What a file written with -v7.3 begins with."""
    return b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM" + b"\0" * 384


FOREIGN = {
    "nothing": (b"", "cannot be read as a MATLAB file: "),
    "text": (b"<html>404 not found</html>" * 30, "cannot be read as a MATLAB file: "),
    "HDF5": (hdf5_header(), "it is a MATLAB 7.3 .HDF5. file.*save it with -v7"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_that_scipy_does_not_read(tmp_path, name):
    content, message = FOREIGN[name]
    (tmp_path / "a.mat").write_bytes(content)
    for read in (read_boxes, read_ranges):
        with pytest.raises(ValueError, match=message) as caught:
            read(tmp_path / "a.mat")
        assert "\n" not in str(caught.value) and str(tmp_path) not in str(caught.value)


def test_a_truncated_file_gives_a_reason_and_no_wrong_boxes(tmp_path):
    save_boxes(tmp_path / "a.mat", [tuple(BOX), tuple(OTHER)])
    whole = (tmp_path / "a.mat").read_bytes()
    for cut in range(0, len(whole), 8):
        (tmp_path / "a.mat").write_bytes(whole[:cut])
        with pytest.raises(ValueError, match="cannot be read|has no variable 'coor'"):
            read_boxes(tmp_path / "a.mat")


def test_a_foreign_file_is_told_by_its_variables(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"x": 1, "y": 2})
    with pytest.raises(ValueError, match="it has no variable 'coor', but x, y"):
        read_boxes(tmp_path / "a.mat")


@pytest.mark.parametrize("dtype", [np.float64, np.uint8, np.int32])
def test_ranges_of_any_number_type(tmp_path, dtype):
    ranges = np.array([[1, 201, 230], [200, 229, 255], [1, 1, 3]], dtype)
    scipy.io.savemat(tmp_path / "a.mat", {"ranges": ranges})
    found = read_ranges(tmp_path / "a.mat")
    assert (found.first.tolist(), found.last.tolist()) == ([1, 201, 230], [200, 229, 255])
    assert found.video.tolist() == [1, 1, 3] and found.last.dtype == np.int64


@pytest.mark.parametrize(
    "ranges",
    [
        np.ones((4, 3)),
        np.ones((3, 0)),
        np.array([[1.5], [2], [1]]),
        np.array([[1], [np.nan], [1]]),
        np.array([[-1], [2], [1]]),
        np.array([[1], [1e9], [1]]),
        cells(1, 2, 3).T,
    ],
)
def test_ranges_that_are_none(tmp_path, ranges):
    scipy.io.savemat(tmp_path / "a.mat", {"ranges": ranges})
    with pytest.raises(ValueError, match="its 'ranges' should be"):
        read_ranges(tmp_path / "a.mat")


def test_ground_truth(tmp_path):
    entries = [("dog00000012", [BOX]), ("dog00000013", [BOX, OTHER]), ("dog00000014", [])]
    save_ground_truth(tmp_path / "a.mat", "bb_gtTest", entries)
    found = read_ground_truth(tmp_path / "a.mat", "bb_gtTest")
    assert [(entry.name, [b.tolist() for b in entry.boxes]) for entry in found] == entries


def test_ground_truth_in_other_shapes(tmp_path):
    frames = np.empty((2, 1), [("a", object), ("b", object)])
    frames[0, 0] = (cells("dog00000012"), cells(np.array([BOX]).T))
    frames[1, 0] = (np.array([[7.0]]), np.array([BOX]))
    scipy.io.savemat(tmp_path / "a.mat", {"bb_gtTest": frames})
    found = read_ground_truth(tmp_path / "a.mat", "bb_gtTest")
    assert [entry.name for entry in found] == ["dog00000012", None]
    assert [entry.boxes[0].tolist() for entry in found] == [BOX, BOX]


def test_ground_truth_that_is_empty_or_none(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"bb_gtTest": np.empty((0, 0))})
    assert read_ground_truth(tmp_path / "a.mat", "bb_gtTest") == []
    scipy.io.savemat(tmp_path / "a.mat", {"bb_gtTest": np.ones((3, 4))})
    with pytest.raises(ValueError, match="a struct array of two fields, got 3 x 4 values of type"):
        read_ground_truth(tmp_path / "a.mat", "bb_gtTest")
    scipy.io.savemat(tmp_path / "a.mat", {"bb_gtTest": {"one": 1}})
    with pytest.raises(ValueError, match="a struct array of two fields, got 1 x 1 a struct"):
        read_ground_truth(tmp_path / "a.mat", "bb_gtTest")
