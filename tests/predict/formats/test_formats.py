"""Every format read back by the programs that it is for, with the boxes that went in."""

import json

import numpy as np
import pandas
import pytest
import supervision
from motmetrics.io import load_motchallenge
from PIL import Image
from pycocotools.coco import COCO

from tcam_jax.data.builders.findings import Findings
from tcam_jax.data.builders.video_folder.boxes_coco import read_coco
from tcam_jax.predict.formats.jsonl_file import check_apart
from tcam_jax.predict.formats.records import Records
from tcam_jax.predict.formats.registry import FORMATS, check_formats, check_new, convert
from tcam_jax.runtime.errors import InputError
from tests.predict.formats.lines import BOXES, CLASSES, IMAGES, VIDEO, record, write_lines

CORNERS = ["x0", "y0", "x1", "y1"]


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Images and a video in all formats."""
    folder = tmp_path_factory.mktemp("formats")
    records = Records([write_lines(folder / "lines/predictions.jsonl", *VIDEO, *IMAGES)])
    written = convert(records, folder, list(FORMATS))
    assert all(path.exists() for path in written)
    assert not list(folder.rglob(".*"))
    return folder


def test_all_lines_in_natural_order(out):
    lines = [json.loads(line) for line in (out / "predictions.jsonl").open()]
    assert lines == [*VIDEO, *IMAGES[::-1]]


def test_lines_are_not_put_together_among_their_sources(tmp_path):
    shard = tmp_path / "OUT/shard_0000_of_0001"
    path = write_lines(shard / "predictions.jsonl", *VIDEO)
    for output, read in (("OUT", "OUT"), ("OUT/all", "OUT"), ("OUT", "OUT/shard_0000_of_0001")):
        with pytest.raises(InputError, match="must lie outside of the inputs for --format=jsonl"):
            check_apart(tmp_path / output, [tmp_path / read], [path])
    check_apart(tmp_path, [tmp_path / "OUT"], [path])
    check_apart(tmp_path / "OUT_all", [tmp_path / "OUT"], [path])


AS_TEXT = r"((?:^|[;\t\r\n])\s*)'(?='*[=+\-@])", r"\1"  # as docs/predict.md has it


def test_csv_by_pandas(out):
    table = pandas.read_csv(out / "predictions.csv", dtype={"track": "Int64"})
    assert (out / "predictions.csv").read_bytes().count(b"\r\n") == 1 + len(table)
    assert table.groupby(["file", "frame"]).ngroups == 5  # of frames without a box too
    boxes = table.dropna(subset="x0")
    assert boxes[CORNERS].values.tolist() == 3 * BOXES["boxes"]
    assert boxes.track.tolist()[:4] == [7, 3, 3, 9] and boxes.track.isna().sum() == 2
    assert set(boxes["class"]) == {"cat", "'=dog"}  # else a formula for spreadsheets
    assert set(boxes["class"].str.replace(*AS_TEXT, regex=True)) == {"cat", "=dog"}
    np.testing.assert_allclose(boxes.confidence, boxes.probability * boxes.score)
    assert table.file.unique().tolist() == [x["file"] for x in (VIDEO[0], IMAGES[1], IMAGES[0])]
    assert table.time.tolist()[:5] == [0, 0, 0.2, 0.4, 0.4] and table.width[0] == 1921


def test_coco_by_pycocotools(out):
    dataset = COCO(out / "coco.json")
    names = [image["file_name"] for image in dataset.imgs.values()]
    assert names == [
        *(f"b c.mp4/{number:06d}.jpg" for number in (0, 5, 10)),
        'cats/img2,\n"=two".png',
        "cats/img10.jpg",
    ]
    assert [cat["name"] for cat in dataset.loadCats([1, 2, 3])] == list(CLASSES)
    results = dataset.loadRes(str(out / "coco_results.json"))
    for found in (dataset, results):
        annotations = found.loadAnns(found.getAnnIds(imgIds=[1, 3, 4]))
        for annotation, (x0, y0, x1, y1) in zip(annotations, 3 * BOXES["boxes"], strict=True):
            x, y, width, height = annotation["bbox"]
            assert (x, y) == (x0, y0) and annotation["area"] == width * height
            assert x1 - 1e-12 < x + width <= x1 and y1 - 1e-12 < y + height <= y1
        assert [found.anns[1]["score"], found.anns[2]["score"]] == [0.75 * 0.81, 0.75 * 0.4]
        assert [one["category_id"] for one in annotations] == [1, 1, 1, 1, 3, 3]
    tracks = [one.get("track_id") for one in dataset.anns.values()]
    assert tracks == [7, 3, 3, 9, None, None]


def test_coco_as_boxes_of_a_dataset(out):
    boxes = read_coco(out / "coco.json", Findings()).boxes
    assert [named.frame for named in boxes] == [
        *2 * ["b c.mp4/000000.jpg"],
        *2 * ["b c.mp4/000010.jpg"],
        *2 * ['cats/img2,\n"=two".png'],
    ]
    corners = [named.box.corners for named in boxes]
    np.testing.assert_allclose(corners, 3 * BOXES["boxes"], rtol=1e-12)


def test_coco_of_no_box_at_all(tmp_path):
    records = Records([write_lines(tmp_path / "predictions.jsonl", IMAGES[0])])
    convert(records, tmp_path, ["coco"])
    assert COCO(tmp_path / "coco.json").anns == {}
    assert json.loads((tmp_path / "coco_results.json").read_text()) == []


@pytest.mark.parametrize("name", ["mot/b c.txt", "mot/cats.txt"])
def test_mot_by_motmetrics(out, name):
    table = load_motchallenge(out / name)
    frames, tracks = [1, 1, 11, 11], [7, 3, 3, 9]
    if "cats" in name:  # the first of two images
        frames, tracks = [1, 1], [-1, -1]
    assert table.index.tolist() == list(zip(frames, tracks, strict=True))
    boxes = table[["X", "Y", "Width", "Height"]].values
    boxes[:, 2:] += boxes[:, :2]
    np.testing.assert_allclose(boxes, len(frames) // 2 * BOXES["boxes"], atol=1e-6)
    np.testing.assert_allclose(table.Confidence[:2], [0.75 * 0.81, 0.75 * 0.4])


def test_images_in_no_folder_have_the_folders_name(tmp_path):
    lines = [record("in/b/1.jpg"), record("in/a.jpg", **BOXES), record("in/c.jpg", **BOXES)]
    records = Records([write_lines(tmp_path / "predictions.jsonl", *lines)])
    convert(records, tmp_path, ["mot"])
    found = {path.name: path.read_text() for path in (tmp_path / "mot").iterdir()}
    assert set(found) == {"in.txt", "b.txt"} and found["b.txt"] == ""
    assert [line.split(",")[0] for line in found["in.txt"].splitlines()] == ["1", "1", "2", "2"]


def test_coco_and_yolo_by_supervision(tmp_path):
    plain = record("in/a.jpg", **BOXES), record("in/b.jpg"), record("in/v.mp4", 41, 1.6, **BOXES)
    convert(
        Records([write_lines(tmp_path / "predictions.jsonl", *plain)]), tmp_path, ["coco", "yolo"]
    )
    images = tmp_path / "yolo/images"
    (images / "v.mp4").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg", "v_42.jpg", "v.mp4/000041.jpg"):
        Image.new("RGB", (640, 480)).save(images / name)
    labels = tmp_path / "yolo/labels"
    as_coco = supervision.DetectionDataset.from_coco(str(images), str(tmp_path / "coco.json"))
    as_yolo = supervision.DetectionDataset.from_yolo(
        str(images), str(labels), str(tmp_path / "yolo/data.yaml")
    )
    assert as_coco.classes == as_yolo.classes == list(CLASSES)
    for dataset, video in ((as_coco, "v.mp4/000041.jpg"), (as_yolo, "v_42.jpg")):
        assert set(dataset.image_paths) == {str(images / x) for x in ("a.jpg", "b.jpg", video)}
        assert len(dataset.annotations[str(images / "b.jpg")]) == 0
        for name in ("a.jpg", video):
            found = dataset.annotations[str(images / name)]
            np.testing.assert_allclose(found.xyxy, BOXES["boxes"], atol=1e-3)
            assert found.class_id.tolist() == [0, 0]
    assert (labels / "b.txt").read_text() == ""
    assert (tmp_path / "yolo/classes.txt").read_text().splitlines() == list(CLASSES)
    # What a user put there is not lost.
    with pytest.raises(InputError, match="has a file that is no result, .*images"):
        convert(Records([tmp_path / "predictions.jsonl"]), tmp_path, ["yolo"])


def test_earlier_results_are_replaced(tmp_path):
    lines = tmp_path / "predictions.jsonl"
    for name in ("a.jpg", "b.jpg"):
        records = Records([write_lines(lines, record(f"in/{name}"))])
        convert(records, tmp_path, ["yolo", "csv", "coco", "mot"])
    assert [path.name for path in (tmp_path / "yolo/labels").iterdir()] == ["b.txt"]
    assert "a.jpg" not in (tmp_path / "predictions.csv").read_text()
    assert not list(tmp_path.rglob(".*"))
    with pytest.raises(InputError, match="is what the results are made from"):
        convert(records, tmp_path, ["jsonl"])


@pytest.mark.parametrize("name", ["csv", "coco", "mot", "yolo", "jsonl"])
def test_a_format_is_whole_or_not_there(tmp_path, name, monkeypatch):
    records = Records([write_lines(tmp_path / "lines/predictions.jsonl", *VIDEO)])

    def two(self):
        yield from VIDEO[:2]
        raise KeyboardInterrupt

    monkeypatch.setattr(Records, "__iter__", two)
    with pytest.raises(KeyboardInterrupt):
        convert(records, tmp_path, [name])
    assert [path.name for path in tmp_path.iterdir()] == ["lines"]
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file cannot be written"):
        convert(records, tmp_path / "file", [name])


def test_names_of_formats(tmp_path):
    assert check_formats(["coco", " csv", "coco"], FORMATS) == ["coco", "csv"]
    with pytest.raises(InputError, match="jsonl, csv, coco, mot, yolo; got 'xml'"):
        check_formats(["csv", "xml"], FORMATS)
    with pytest.raises(InputError, match="masks are not in the records"):
        check_formats(["masks"], FORMATS)
    with pytest.raises(InputError, match="one or more of"):
        check_formats([], FORMATS)
    check_new(tmp_path, list(FORMATS))
    (tmp_path / "coco_results.json").touch()
    check_new(tmp_path, ["jsonl", "csv"])
    with pytest.raises(InputError, match="has coco_results.json already; delete it, or"):
        check_new(tmp_path, ["csv", "coco"])
