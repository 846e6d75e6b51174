import pytest

from tcam_jax.data.builders.findings import Findings
from tcam_jax.data.builders.video_folder.boxes_cvat import read_cvat
from tcam_jax.runtime.errors import InputError

BOX = 'xtl="1.00" ytl="2.50" xbr="30.00" ybr="20.00"'
SIZE = "<original_size><width>40</width><height>30</height></original_size>"
VIDEO = f"<task><id>1</id><segments><segment><id>9</id></segment></segments>{SIZE}"
VIDEO += "<source>tom.mp4</source></task>"


def image(content: str, name: str = "cat/tom/0.jpg", more: str = "") -> str:
    return f'<image id="0" name="{name}" width="40" height="30" {more}>\n{content}</image>'


def read(path, content, meta="<task><id>1</id></task>"):
    path.write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>'
        f"<meta>{meta}<dumped>2026</dumped></meta>\n{content}</annotations>\n"
    )
    findings = Findings()
    boxes = read_cvat(path, findings).boxes
    faults = [(finding.kind, finding.where, finding.detail) for finding in findings.all]
    return [(named.frame, *named.box[1:], named.labels) for named in boxes], faults


def test_boxes_of_images(tmp_path):
    content = image(f'<tag label="nice"/><box label="cat" {BOX} rotation="0.0"></box>')
    corners = (1, 2.5, 30, 20)
    found, faults = read(tmp_path / "boxes.xml", content + image("", "cat/tom/1.jpg"))
    assert found == [("cat/tom/0.jpg", corners, (40, 30), ("cat",))] and not faults


@pytest.mark.parametrize("where", ["in the task", "before"])
def test_tracks_name_frames_of_the_video_and_leave_them(tmp_path, where):
    track = '<track id="0" label="cat">'
    for frame, outside in ((3, 0), (4, 0), (5, 1)):
        track += f'<box frame="{frame}" keyframe="1" outside="{outside}" {BOX}>\n</box>'
        track += f'<polygon frame="{frame}" outside="1" points="1,2;3,4"/>'
    meta = VIDEO if where == "in the task" else f"{SIZE}<source>tom.mp4</source>"
    found, faults = read(tmp_path / "boxes.xml", track + "</track>", meta)
    expected = [(f"tom.mp4/00000{n}.jpg", (1, 2.5, 30, 20), (40, 30), ("cat",)) for n in (3, 4)]
    assert found == expected and not faults


def test_a_project_has_the_videos_of_its_tasks(tmp_path):
    second = VIDEO.replace("<id>1", "<id>2").replace("tom", "rex").replace("40", "80")
    meta = f"<project><id>5</id><tasks>{VIDEO}{second}</tasks></project>"
    tracks = "".join(
        f'<track id="{n}" label="cat" task_id="{n}"><box frame="0" outside="0" {BOX}/></track>'
        for n in (1, 2)
    )
    tracks += image(f'<box label="dog" {BOX}/>', "frame_000012", 'task_id="2"')
    found, _ = read(tmp_path / "boxes.xml", tracks, meta)
    assert [(frame, size) for frame, _, size, _ in found] == [
        ("tom.mp4/000000.jpg", (40, 30)),
        ("rex.mp4/000000.jpg", (80, 30)),
        ("rex.mp4/000012.jpg", (40, 30)),
    ]


@pytest.mark.parametrize(
    ("shape", "kind", "detail"),
    [
        ('<polygon label="cat" points="1,2;3,4"/>', "box_other_shape", "it is a polygon"),
        ('<skeleton><points points="1,2"/></skeleton>', "box_other_shape", "it is a skeleton"),
        (f'<box {BOX} rotation="30.0"/>', "box_other_shape", "it is rotated by 30.0 degrees"),
        ('<box xtl="1" ytl="2" xbr="3"/>', "box_malformed", "expected numbers xtl, ytl, xbr, ybr"),
        (f"<box {BOX.replace('30.00', 'wide')}/>", "box_malformed", "expected numbers"),
    ],
)
def test_what_is_no_upright_box_is_left_out_and_named(tmp_path, shape, kind, detail):
    path = tmp_path / "boxes.xml"
    found, [(told, where, why)] = read(path, image(f"{shape}<box {BOX}/>"))
    assert len(found) == 1 and (told, where) == (kind, f"{path} line 4") and why.startswith(detail)
    with pytest.raises(InputError, match=detail):
        read_cvat(path, Findings(strict=True))


TRACK = f'<track id="0" label="cat"><box frame="3" outside="0" {BOX}/></track>'
BOMB = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><annotations>&b;</annotations>'


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (f"<annotations><meta><job><id>1</id></job></meta>{TRACK}</annotations>", "no <source>"),
        (f'<annotations><image name="a.jpg"><box {BOX}', r"cannot be read as XML \(unclosed token"),
        ("", r"cannot be read as XML \(no element found"),
        ('<?xml version="1.0" encoding="no-such"?><annotations/>', "cannot be read as XML"),
        ("<annotation><filename>a.jpg</filename></annotation>", "CVAT's <annotations>, got <ann"),
        (BOMB, "expected no DOCTYPE"),
    ],
)
def test_another_file_is_refused(tmp_path, content, told):
    (tmp_path / "boxes.xml").write_text(content)
    with pytest.raises(InputError, match=f"boxes.xml.*{told}"):
        read_cvat(tmp_path / "boxes.xml", Findings())
