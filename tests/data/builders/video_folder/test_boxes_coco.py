import json

import pytest

from tcam_jax.data.builders.findings import Findings
from tcam_jax.data.builders.video_folder.boxes_coco import read_coco
from tcam_jax.runtime.errors import InputError

IMAGES = [
    {"id": 7, "file_name": "cat/tom/0.jpg", "width": 40, "height": 30},
    {"id": "x", "file_name": "cat/tom.mp4/000012.jpg"},
]
ANNOTATION = {"id": 3, "image_id": 7, "category_id": 1, "bbox": [4, 5, 6, 7.5], "iscrowd": 0}


def read(path, images, annotations):
    categories = [{"id": 1, "name": "cat"}, {"name": "no id"}, None]
    content = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(content))
    findings = Findings()
    return read_coco(path, findings), [(finding.kind, finding.where) for finding in findings.all]


def test_boxes_have_corners_sizes_and_labels(tmp_path):
    of_video = {"image_id": "x", "bbox": [0, 0, 1, 1], "segmentation": [[1, 2, 3, 4, 5, 6]]}
    file, faults = read(tmp_path / "boxes.json", IMAGES, [ANNOTATION, of_video])
    first, second = file.boxes
    assert first.frame == "cat/tom/0.jpg" and first.labels == ("cat",)
    assert first.box.corners == (4, 5, 10, 12.5) and first.box.size == (40, 30)
    assert second.frame == "cat/tom.mp4/000012.jpg" and second.labels == ()
    assert second.box.corners == (0, 0, 1, 1) and second.box.size is None
    assert (file.numbers, file.whole_names, faults) == ("sizes", False, [])


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"bbox": [4, 5, 6]}, "box_malformed"),
        ({"bbox": "4567"}, "box_malformed"),
        ({"bbox": [4, 5, 6, None]}, "box_malformed"),
        ({"bbox": [4, 5, 6, 10**400]}, "box_malformed"),
        ({"image_id": 8}, "box_malformed"),
        ({"image_id": [7]}, "box_malformed"),
        ({"iscrowd": 1}, "box_other_shape"),
        ({"bbox": [], "segmentation": [[1, 2, 3, 4, 5, 6]]}, "box_other_shape"),
        ({"attributes": {"rotation": 30.0}}, "box_other_shape"),
    ],
)
def test_what_is_no_upright_box_is_left_out_and_named(tmp_path, change, kind):
    path = tmp_path / "boxes.json"
    file, faults = read(path, IMAGES, [{**ANNOTATION, **change}, {**ANNOTATION, "id": 4}])
    assert len(file.boxes) == 1 and faults == [(kind, f"{path} annotation 3")]
    path.write_text(json.dumps({"images": IMAGES, "annotations": [{**ANNOTATION, **change}]}))
    with pytest.raises(InputError, match="no upright rect" if "other" in kind else "is no box"):
        read_coco(path, Findings(strict=True))


def test_entries_that_are_none_are_named(tmp_path):
    path = tmp_path / "boxes.json"
    images = [*IMAGES, {"id": 7, "file_name": "again"}, {"id": 9}, "name"]
    file, faults = read(path, images, [ANNOTATION, 5])
    assert [named.frame for named in file.boxes] == ["cat/tom/0.jpg"]
    assert faults == [
        ("box_malformed", f"{path} {what}")
        for what in ("image 2", "image 3", "image 4", "annotation 1")
    ]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"images": [', "cannot be read as JSON"),
        (b"[" * 100_000, "cannot be read as JSON"),
        (b"\xff\xfe\xff", "cannot be read as JSON"),
        (b'[{"image_id": 1, "bbox": [1, 2, 3, 4], "score": 1}]', "COCO's annotations .*got a list"),
        (b'{"_via_settings": {}, "images": {}}', "got the keys _via_settings, images; export COCO"),
    ],
)
def test_another_file_is_refused(tmp_path, content, told):
    (tmp_path / "boxes.json").write_bytes(content)
    with pytest.raises(InputError, match=told):
        read_coco(tmp_path / "boxes.json", Findings())
