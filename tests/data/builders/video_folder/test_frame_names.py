import difflib

import pytest

from tcam_jax.data.builders.video_folder.frame_names import FrameNames

FRAMES = [f"{video}/{n:04d}.jpg" for video in ("cat/v0", "cat/kit", "dog/rex") for n in range(12)]
FRAMES += [f"dog/park.mp4/{n:06d}.jpg" for n in range(12)] + ["Ünï/v/s/frame_07.png"]
ALL_OF_REX = "dog/rex has 12 frames, 0000.jpg to 0011.jpg"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        (r"cat\v0\0001.jpg", "cat/v0/0001.jpg"),
        ("Cat/V0/0001.JPG", "cat/v0/0001.jpg"),
        ("v0/0001.jpg", "cat/v0/0001.jpg"),
        ("/home/me/videos/cat/v0/0001.jpg", "cat/v0/0001.jpg"),
        (r"C:\videos\cat\v0\0001.jpg", "cat/v0/0001.jpg"),
        ("./cat//v0/0001.jpg", "cat/v0/0001.jpg"),
        ("cat/v0/0001.png", "cat/v0/0001.jpg"),
        ("cat/v0/1.jpg", "cat/v0/0001.jpg"),
        ("cat/v0/000001", "cat/v0/0001.jpg"),
        ("cat/kitt/0001.jpg", "cat/kit/0001.jpg"),
        ("dog/park/000003.jpg", "dog/park.mp4/000003.jpg"),
        ("dog/rex/frame3.jpg", "dog/rex/0003.jpg"),
        ("u\u0308ni\u0308/v/s/Frame_7.jpg", "Ünï/v/s/frame_07.png"),
        ("frame_7", "Ünï/v/s/frame_07.png"),
        ("rex/sub/frame_7.jpg", "Ünï/v/s/frame_07.png"),
    ],
)
def test_the_nearest_frame_is_named(name, hint):
    names = FrameNames(FRAMES)
    assert names.find(name) is None
    assert names.hint(name).startswith(f"did you mean {hint!r}?")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("dog/rex/0099.jpg", ALL_OF_REX),
        ("rex/99.png", ALL_OF_REX),
        ("dog/rex/qqqq.jpg", ALL_OF_REX),
        ("no/such/thing", "frames are called as 'cat/v0/0000.jpg'"),
        ("", "frames are called as 'cat/v0/0000.jpg'"),
        ("v0", "frames are called as 'cat/v0/0000.jpg'"),
    ],
)
def test_where_no_frame_is_near_what_is_there_is_said(name, hint):
    assert FrameNames(FRAMES).hint(name) == hint


def test_two_that_are_equally_near_are_both_named():
    hint = FrameNames(["cat/v/0.jpg", "dog/v/0.jpg", "owl/v/0.jpg"]).hint("v/00.png")
    assert hint == "did you mean 'cat/v/0.jpg' or 'dog/v/0.jpg'?"
    assert FrameNames([]).hint("cat/v/0.jpg") == "there are no frames"


def test_names_meet_in_nfc_and_two_that_are_equal_there_are_told():
    nfd, nfc = "cafe\u0301/v/0.jpg", "caf\u00e9/v/0.jpg"
    names = FrameNames([nfd])
    assert names.find(nfc) == names.find(nfd) == nfd and names.same == []
    both = FrameNames([nfd, nfc])
    assert both.find(nfc) == nfc and both.find(nfd) == nfd and both.same == [(nfd, nfc)]
    assert FrameNames([nfd]).ending("v/0.jpg") == [nfd]


def test_many_wrong_names_are_not_each_compared_with_all(monkeypatch):
    compared = []
    monkeypatch.setattr(difflib, "get_close_matches", lambda *a, **k: compared.append(a) or [])
    frames = [f"cat/v{n // 100}/s/{n:06d}.jpg" for n in range(1000)]
    names = FrameNames(frames)
    for number, frame in enumerate(frames):
        assert names.hint(frame.replace("/", "\\")) == f"did you mean {frame!r}?"
        assert names.hint(f"cat/x{number}/s/y{number}.jpg").startswith("frames are called as")
    assert 0 < len(compared) <= 30
