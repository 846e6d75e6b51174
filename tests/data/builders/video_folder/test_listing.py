"""What is taken for a class and a video: links, other files, systems' folders, copies."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.builders.findings import Findings
from tcam_jax.data.builders.video_folder import same_videos
from tcam_jax.data.builders.video_folder.listing import list_shots, list_videos
from tcam_jax.runtime.errors import InputError
from tests.data.test_animation import animate
from tests.data.test_folder_walk import make
from tests.data.test_video import write


def listed(root: Path):
    """{class: names of its videos}, and what was found: (kind, where, detail)."""
    findings = Findings()
    classes = list_videos(root, findings)
    videos = {name: [video.path.name for video in of_class] for name, of_class in classes.items()}
    return videos, [tuple(finding) for finding in findings.all]


def fill(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        make(root, name)
        (root / name).write_bytes(content)
    return root


def test_thumbnails_of_a_nas_are_neither_classes_nor_videos(tmp_path):
    make(tmp_path, "@eaDir/v/1.jpg", "#recycle/a/1.jpg", "cat/a/1.jpg", "cat/@eaDir/v0.mp4/S.jpg")
    assert listed(tmp_path) == (
        {"cat": ["a"]},
        [("system", "#recycle", ""), ("system", "@eaDir", ""), ("system", "cat/@eaDir", "")],
    )


def test_class_folders_may_be_links_to_anywhere(tmp_path):
    fill(tmp_path / "disk", {"dogs/a/1.jpg": b"a", "cats/b.mp4": b"b"})
    root = tmp_path / "mine"
    root.mkdir()
    (root / "dog").symlink_to(tmp_path / "disk/dogs")
    (root / "cat").symlink_to(tmp_path / "disk/cats")
    assert listed(root) == ({"cat": ["b.mp4"], "dog": ["a"]}, [])


def test_a_folder_without_classes_says_what_is_there(tmp_path):
    make(tmp_path, "a.txt", "b.TXT", "c.pdf", ".old/d.jpg")
    (tmp_path / "dog").symlink_to("/nowhere/dogs")
    with pytest.raises(InputError) as caught:
        list_videos(tmp_path, Findings())
    told = str(caught.value)
    assert "has no class folders (there are .txt 2, .pdf 1; " in told
    assert "dog: a symbolic link that leads nowhere (to /nowhere/dogs)" in told
    assert ".old: a hidden file or folder" in told and "expected class/video/shot" in told


def test_classes_without_videos_are_named_at_once_with_what_they_hold(tmp_path):
    make(tmp_path, "cat/a.xyz", "cat/b.xyz", "cat/notes.txt", "dog/a.MTS", "owl/.DS_Store")
    with pytest.raises(InputError) as caught:
        list_videos(tmp_path, Findings())
    told = str(caught.value)
    assert "class 'cat' (there are .xyz 2, .txt 1) and class 'owl' (owl/.DS_Store: what" in told
    assert ".mp4 .m4v .mov" in told and " .mts " in told and " .heic " in told
    assert "'dog'" not in told


def test_an_animated_gif_is_a_video_and_a_still_one_an_image(tmp_path):
    animate(make(tmp_path, "cat/a.gif") / "cat/a.gif", levels=(10, 20, 30, 40))
    write(tmp_path / "cat/b.MTS", [i / 25 for i in range(20)])
    findings = Findings()
    animation, film = list_videos(tmp_path, findings)["cat"]
    for video, count in ((animation, 4), (film, 20)):
        shots, found = list_shots(video, tmp_path, tmp_path / "work")
        assert [len(shot.files) for shot in shots] == [count] and found == []
    with Image.open(shots[0].files[0]) as image:
        assert image.size == (64, 48)
    Image.new("L", (4, 4)).save(tmp_path / "cat/c.gif")
    with pytest.raises(InputError, match=r"c\.gif lies too high in the folders"):
        list_videos(tmp_path, Findings())


def test_a_copy_in_its_class_is_left_out_and_one_in_another_in_both(tmp_path):
    root = fill(
        tmp_path,
        {
            **{"cat/a.mp4": b"one", "cat/b.mp4": b"two", "cat/c.mkv": b"one"},
            **{"dog/d.mp4": b"two", "dog/e.mp4": b"six", "dog/f.mp4": b"", "dog/g.mp4": b""},
            **{"owl/h/1.jpg": b"x", "owl/h/2.jpg": b"y", "owl/i/0.jpg": b"x", "owl/i/5.jpg": b"y"},
            **{"owl/j/1.jpg": b"y", "owl/j/2.jpg": b"x", "owl/k/s/1.jpg": b"x"},
            **{"owl/l/s/1.jpg": b"x", "owl/l/t/1.jpg": b"y", "owl/m/1.jpg": b"x"},
        },
    )
    videos, found = listed(root)
    assert videos == {
        "cat": ["a.mp4"],
        "dog": ["e.mp4", "f.mp4", "g.mp4"],  # nothing is no copy of nothing
        "owl": ["h", "j", "k"],
    }
    assert set(found) == {
        ("same_video", "cat/c.mkv", "cat/a.mp4 is the same"),
        ("video_in_two_classes", "cat/b.mp4", "dog/d.mp4 is the same"),
        ("video_in_two_classes", "dog/d.mp4", "cat/b.mp4 is the same"),
        ("same_video", "owl/i", "owl/h is the same"),
        ("same_video", "owl/l", "owl/h is the same"),
        ("same_video", "owl/m", "owl/k is the same"),
    }
    assert len(found) == 6


def test_of_a_link_and_what_it_leads_to_the_link_goes(tmp_path):
    root = fill(tmp_path / "in", {"cat/b/1.jpg": b"x", "dog/c.mp4": b"y", "dog/d.mp4": b"z"})
    (root / "cat/a").symlink_to("b")
    (root / "owl").symlink_to("dog")
    videos, found = listed(root)
    assert videos == {"cat": ["b"], "dog": [], "owl": []}
    assert set(found) == {
        ("same_video", "cat/a", "cat/b is the same"),
        ("video_in_two_classes", "dog/c.mp4", "owl/c.mp4 is the same"),
        ("video_in_two_classes", "owl/c.mp4", "dog/c.mp4 is the same"),
        ("video_in_two_classes", "dog/d.mp4", "owl/d.mp4 is the same"),
        ("video_in_two_classes", "owl/d.mp4", "dog/d.mp4 is the same"),
    }


def test_content_is_read_only_where_sizes_agree(tmp_path, monkeypatch):
    root = fill(tmp_path, {f"cat/{i}.mp4": b"x" * i for i in range(1, 30)})
    (root / "cat/link.mp4").symlink_to("7.mp4")
    (root / "cat/again.mp4").symlink_to("7.mp4")
    read = []
    digest = same_videos.hashlib.file_digest
    monkeypatch.setattr(
        same_videos.hashlib, "file_digest", lambda *args: read.append(1) or digest(*args)
    )
    assert len(listed(root)[1]) == 2 and len(read) == 1  # one place, whatever leads there
    shutil.copy(root / "cat/9.mp4", root / "cat/copy.mp4")
    assert len(listed(root)[1]) == 3 and len(read) == 4


def test_grey_frames_of_sixteen_bits_are_cut_at_their_scenes(tmp_path):
    folder = tmp_path / "in/cat/a"
    folder.mkdir(parents=True)
    # Pillow alone would show all of them white.
    for number, level in enumerate((1000, 1000, 1000, 60000, 60000)):
        Image.fromarray(np.full((48, 64), level, np.uint16)).save(folder / f"{number}.png")
    (video,) = list_videos(tmp_path / "in", Findings())["cat"]
    shots, found = list_shots(video, tmp_path / "in", tmp_path / "work")
    assert [len(shot.files) for shot in shots] == [3, 2] and found == []


def _damages(path):
    """The cache at `path` as others may have left it, one after the other."""
    whole = json.loads(path.read_text())
    yield from ("", "{", "[]", "null", "[" * 10**5, json.dumps(whole)[:-9])
    for name in whole:
        yield json.dumps({**whole, name: 7})
        yield json.dumps({key: value for key, value in whole.items() if key != name})
    yield json.dumps(whole | {"cuts": [0, 99]})
    yield json.dumps(whole | {"cuts": [-1]})
    yield json.dumps(whole | {"cuts": [3, 0]})


def test_a_damaged_cache_is_made_anew(tmp_path):
    folder = tmp_path / "in/cat/a"
    folder.mkdir(parents=True)
    for number, level in enumerate((10, 10, 10, 200, 200)):
        Image.new("L", (64, 48), level).save(folder / f"{number}.png")
    animate(tmp_path / "in/cat/b.gif", levels=(10, 20, 30, 200))
    for video in list_videos(tmp_path / "in", Findings())["cat"]:
        expected = list_shots(video, tmp_path / "in", tmp_path / "work")
        (cache,) = (path for path in (tmp_path / "work").rglob("*.json"))
        for content in _damages(cache):
            cache.write_text(content)
            assert list_shots(video, tmp_path / "in", tmp_path / "work") == expected, content
        cache.unlink()
        cache.mkdir()
        if video.kind == "file":
            assert list_shots(video, tmp_path / "in", tmp_path / "work") == expected
            next((tmp_path / "work/frames").rglob("*.jpg")).unlink()
            assert list_shots(video, tmp_path / "in", tmp_path / "work") == expected
            assert expected[0][0].files[0].exists()
        shutil.rmtree(tmp_path / "work")
