"""Videos as files and as folders of frames, cut into shots; the files are made here by FFmpeg."""

import errno
import io
import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

from tcam_jax.data.builders.findings import Findings
from tcam_jax.data.builders.registry import prepare, validate
from tcam_jax.data.builders.video_folder.listing import list_shots, list_videos
from tcam_jax.data.builders.video_folder.video_files import extract
from tests.data.builders.hand_made import jpeg, read
from tests.data.made_videos import blank

SCENES = (data.astronaut(), data.coffee(), data.chelsea())
CODECS = {".mp4": "libx264", ".avi": "mpeg4", ".webm": "libvpx-vp9", ".mkv": "libx264"}


def scenes(lengths: tuple[int, ...]) -> list[np.ndarray]:
    """Frames [96, 128, 3] of a camera that moves slowly, with a hard cut between scenes."""
    return [
        np.ascontiguousarray(SCENES[scene][20 + shift : 116 + shift, 30 + shift : 158 + shift])
        for scene, length in enumerate(lengths)
        for shift in range(length)
    ]


def write_video(path: Path, frames: list[np.ndarray], rate: int = 25) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(CODECS[path.suffix.lower()], rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def shots_of(root: Path, work: Path) -> tuple[dict[str, list[tuple[str, int]]], list]:
    """{video: [(shot, frames)]} and the faults."""
    findings, found = Findings(), {}
    for videos in list_videos(root, findings).values():
        for video in videos:
            shots, faults = list_shots(video, root, work)
            found[video.path.name] = [(shot.shot, len(shot.files)) for shot in shots]
            findings.all.extend(faults)
    return found, [(f.kind, f.where) for f in findings.all]


@pytest.mark.parametrize("suffix", CODECS)
def test_a_video_is_cut_exactly_where_the_scene_changes(tmp_path, suffix):
    write_video(tmp_path / f"in/dog/my rex, #1{suffix}", scenes((12, 7, 20)))
    found, faults = shots_of(tmp_path / "in", tmp_path / "work")
    assert faults == []
    assert list(found.values()) == [[("shot-000", 12), ("shot-001", 7), ("shot-002", 20)]]


def test_frames_are_those_of_another_decoder_in_its_order(tmp_path):
    # B-frames: the order in the file is not that of display.
    video = write_video(tmp_path / "rex.mp4", scenes((15, 10)))
    extracted = extract(video, tmp_path / "frames")
    capture = cv2.VideoCapture(str(video))
    for file in extracted.files:
        there, expected = capture.read()
        assert there
        frame = np.asarray(Image.open(file)).astype(int)
        assert np.abs(frame - expected[..., ::-1]).mean() < 3
    assert not capture.read()[0]
    assert extracted[1:] == (list(range(25)), [15], "")


def test_a_finished_video_is_not_decoded_again(tmp_path):
    video = write_video(tmp_path / "rex.mp4", scenes((5,)))
    first = extract(video, tmp_path / "frames")
    video.unlink()
    assert extract(video, tmp_path / "frames") == first


def test_a_video_that_was_broken_off_is_decoded_anew(tmp_path):
    video = write_video(tmp_path / "rex.mp4", scenes((5,)))
    (tmp_path / "frames.unfinished").mkdir()
    (tmp_path / "frames.unfinished/000099.jpg").write_bytes(b"old")
    extracted = extract(video, tmp_path / "frames")
    names = sorted(file.name for file in extracted.folder.glob("*.jpg"))
    assert names == [f"{number:06d}.jpg" for number in range(5)]


def test_a_shot_ends_where_frames_are_missing_and_the_others_keep_their_numbers(tmp_path):
    root = tmp_path / "in"
    # One scene: nothing else cuts it.
    blank(write_video(root / "dog/rex.avi", scenes((30,))), 10, 12, heads=False)
    (video,) = list_videos(root, Findings())["dog"]
    shots, (fault,) = list_shots(video, root, tmp_path / "work")
    numbers = [[int(file.stem) for file in shot.files] for shot in shots]
    assert numbers == [list(range(10)), list(range(13, 30))]
    assert fault.kind == "broken_video"
    assert fault.detail == "3 frames missing from number 10 on (0.40 s)"
    assert list_shots(video, root, tmp_path / "work") == (shots, [fault])


def test_broken_and_foreign_video_files_are_told_apart(tmp_path):
    root = tmp_path / "in"
    whole = write_video(root / "dog/whole.avi", scenes((40,)))
    (root / "dog/half.avi").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (root / "dog/text.mp4").write_text("no video")
    (root / "dog/empty.webm").write_bytes(b"")
    found, faults = shots_of(root, tmp_path / "work")
    assert faults == [
        ("undecodable_video", "dog/empty.webm"),
        ("broken_video", "dog/half.avi"),
        ("undecodable_video", "dog/text.mp4"),
    ]
    assert sum(frames for _, frames in found["whole.avi"]) == 40
    assert 10 < sum(frames for _, frames in found["half.avi"]) < 40


def test_a_video_that_is_mended_is_decoded_and_the_others_are_not_decoded_again(tmp_path):
    root, work = tmp_path / "in", tmp_path / "work"
    write_video(root / "dog/rex.mp4", scenes((5,)))
    (root / "dog/tom.mp4").write_text("no video")
    assert shots_of(root, work)[1] == [("undecodable_video", "dog/tom.mp4")]
    (kept,) = (work / "frames").iterdir()
    before = kept.stat().st_mtime_ns
    write_video(root / "dog/tom.mp4", scenes((3,)))
    assert shots_of(root, work) == (
        {"rex.mp4": [("shot-000", 5)], "tom.mp4": [("shot-000", 3)]},
        [],
    )
    assert kept.stat().st_mtime_ns == before
    write_video(root / "dog/rex.mp4", scenes((4,)))  # another video of the same name
    assert shots_of(root, work)[0]["rex.mp4"] == [("shot-000", 4)]


def test_mending_the_source_keeps_the_decoded_videos(tmp_path, caplog):
    root = tmp_path / "in"
    for number, name in enumerate(("dog/rex", "dog/tom", "dog/kim", "cat/a", "cat/b", "cat/c")):
        write_video(root / f"{name}.mp4", scenes((3 + number,)))
    arguments = ("video_folder", "mine", tmp_path / "data", root)
    validate(*arguments)
    work = tmp_path / "data/video_folder/mine/1.0.0.unfinished/sources/frames"
    before = {folder.name: folder.stat().st_mtime_ns for folder in work.iterdir()}
    assert len(before) == 6
    (root / "boxes.csv").write_text("frame,x0,y0,x1,y1\ndog/rex.mp4/000001.jpg,1,2,30,40\n")
    validate(*arguments)
    assert {folder.name: folder.stat().st_mtime_ns for folder in work.iterdir()} == before
    prepare(*arguments)
    validate(*arguments)
    assert [entry.name for entry in (tmp_path / "data/video_folder/mine").iterdir()] == ["1.0.0"]


@pytest.mark.parametrize("call", [prepare, validate])
def test_a_disk_that_becomes_full_while_videos_are_decoded(tmp_path, monkeypatch, call):
    for number, name in enumerate(("dog/rex", "dog/tom", "dog/kim")):
        write_video(tmp_path / f"in/{name}.mp4", scenes((3 + number,)))

    def save(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Image.Image, "save", save)
        with pytest.raises(ValueError, match=r"cannot be written \(No space left.*make room"):
            call("video_folder", "mine", tmp_path / "data", tmp_path / "in")
    call("video_folder", "mine", tmp_path / "data", tmp_path / "in")


def test_a_folder_of_frames_is_cut_like_a_video_and_the_cuts_are_kept(tmp_path):
    folder = tmp_path / "in/dog/rex"
    folder.mkdir(parents=True)
    for number, frame in enumerate(scenes((4, 3))):
        Image.fromarray(frame).save(folder / f"{number}.jpg", quality=95)
    (folder / "2.jpg").write_bytes(b"no image")  # noted later, when frames are decoded
    found, faults = shots_of(tmp_path / "in", tmp_path / "work")
    assert found == {"rex": [("shot-000", 4), ("shot-001", 3)]} and faults == []
    (kept,) = (tmp_path / "work/cuts").glob("*.json")
    before = kept.stat().st_mtime_ns
    assert shots_of(tmp_path / "in", tmp_path / "work") == (found, faults)
    assert kept.stat().st_mtime_ns == before
    (folder / "6.jpg").unlink()
    assert shots_of(tmp_path / "in", tmp_path / "work")[0]["rex"][1] == ("shot-001", 2)


@pytest.mark.slow
def test_all_layouts_together_end_to_end(tmp_path):
    root = tmp_path / "in"
    write_video(root / "dog/rex.mp4", scenes((6, 5)))
    (root / "dog/rex/walk").mkdir(parents=True)  # the same name as the file: two videos
    (root / "dog/rex/walk/0.jpg").write_bytes(jpeg(1))
    (root / "dog/rex/walk/1.jpg").write_bytes(jpeg(2))
    (root / "cat/tom").mkdir(parents=True)
    for number, frame in enumerate(scenes((3, 2))):
        Image.fromarray(frame).save(root / f"cat/tom/{number}.jpg")
    (root / "boxes.csv").write_text(
        "frame,x0,y0,x1,y1\ndog/rex.mp4/000007.jpg,1,2,30,40\ncat/tom/4.jpg,5,6,70,80\n"
    )
    folder = prepare("video_folder", "mine", tmp_path / "data", root, fractions=(1.0, 0.0, 0.0))
    split, records = read(tmp_path / "data", "train", "mine")
    of_shot: dict[str, list[str]] = {}
    for record in records:
        of_shot.setdefault(record["shot"], []).append(record["frame_id"])
    assert of_shot == {
        "cat/tom/shot-000": [f"cat/tom/{i}.jpg" for i in range(3)],
        "cat/tom/shot-001": [f"cat/tom/{i}.jpg" for i in range(3, 5)],
        "dog/rex/walk": ["dog/rex/walk/0.jpg", "dog/rex/walk/1.jpg"],
        "dog/rex.mp4/shot-000": [f"dog/rex.mp4/{i:06d}.jpg" for i in range(6)],
        "dog/rex.mp4/shot-001": [f"dog/rex.mp4/{i:06d}.jpg" for i in range(6, 11)],
    }
    boxes = {r["frame_id"]: r["boxes"].tolist() for r in records if len(r["boxes"])}
    assert boxes == {
        "dog/rex.mp4/000007.jpg": [[1, 2, 30, 40]],
        "cat/tom/4.jpg": [[5, 6, 70, 80]],
    }
    assert Image.open(io.BytesIO(records[-1]["image"])).size == (128, 96)
    assert json.loads((folder / "dataset_report.json").read_text())["findings"] == {}
    assert split.table.num_shots == 5
