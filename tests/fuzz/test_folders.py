"""Folders of odd entries: every file is found, or named with the reason; nothing hangs."""

import functools
import io
import os
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tcam_jax.data.builders.findings import Findings
from tcam_jax.data.builders.folders import fingerprint
from tcam_jax.data.builders.video_folder.box_file import find_box_file
from tcam_jax.data.builders.video_folder.listing import list_shots, list_videos
from tcam_jax.data.folder_walk import in_words, list_folder, walk
from tcam_jax.predict.given_files import find_given
from tcam_jax.predict.named_files import find_named
from tests.fuzz import damage, outcome

NAMES = st.one_of(
    damage.names(no_text=True),
    damage.names(".jpg", no_text=True),
    st.sampled_from(
        [
            *(
                "a",
                "b",
                "A",
                "cat",
                "0001.jpg",
                "1.png",
                "v.mp4",
                "V.MP4",
                "x.gif",
                "a.tif",
                ".jpg",
            ),
            *("boxes.csv", "boxes.json", "Thumbs.db", ".DS_Store", "@eaDir", "lost+found", ".git"),
            *(
                "notes.txt",
                "shot.jpg",
                "e\u0301.png",
                "é.png",
                "settings.json",
                "predictions.jsonl",
            ),
        ]
    ),
)
KINDS = st.sampled_from(
    ["folder"] * 6
    + ["image"] * 5
    + ["empty", "bytes", "fifo", "link", "link", "loop", "dead"]
    + ["unreadable", "socket"]
)
ENTRIES = st.lists(st.tuples(st.integers(0, 9), NAMES, KINDS, st.integers(0, 20)), max_size=14)


@functools.cache
def _jpeg(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (10 * number % 256, 90, 30)).save(file, "JPEG")
    return file.getvalue()


def _build(root: Path, entries) -> None:
    """Each entry lies in one of the folders made before it."""
    folders, made = [root], [root]
    for number, (place, name, kind, target) in enumerate(entries):
        path = folders[place % len(folders)] / name
        if os.path.lexists(path) or len(os.fsencode(path)) > 3000:
            continue
        match kind:
            case "folder":
                path.mkdir()
                folders.append(path)
            case "image" | "unreadable":
                path.write_bytes(_jpeg(number % 3))
                if kind == "unreadable":
                    path.chmod(0)
            case "empty":
                path.touch()
            case "bytes":
                path.write_bytes(bytes([number]) * 30)
            case "fifo":
                os.mkfifo(path)
            case "socket":
                os.mknod(path, 0o140600)
            case "link":
                path.symlink_to(made[target % len(made)])
            case "loop":
                path.symlink_to(path.name)
            case "dead":
                path.symlink_to("nothing here")
        made.append(path)


def _relative(paths, root) -> list[str]:
    return [os.fsencode(path.relative_to(root)).decode("utf-8", "replace") for path in paths]


@outcome.examples(60)
@given(ENTRIES)
def test_a_walk_finds_every_file_or_says_why_not(entries):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "in"
        root.mkdir()
        _build(root, entries)
        files, left_out = outcome.of(lambda: walk(root))
        assert len(files) == len({os.path.realpath(file) for file in files})
        told = {one.path for one in left_out}
        for at, folders, names in os.walk(root):
            for name in [*folders, *names]:
                path = Path(at, name)
                if any(parent in told for parent in (path, *path.parents)):
                    continue
                assert path in files or path.is_dir()
        assert in_words(left_out, root).encode() or not left_out
        assert _relative(walk(root)[0], root) == _relative(files, root)
        outcome.of(lambda: list_folder(root))


@outcome.examples(60)
@given(ENTRIES, st.booleans())
def test_what_is_to_be_predicted(entries, below):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "in"
        root.mkdir()
        _build(root, entries)
        output = root / "out" if below else root.parent / "out"
        given_files = outcome.of(lambda: find_given([str(root)], output))
        if not isinstance(given_files, outcome.Refused):
            assert given_files.files
            names = outcome.of(given_files.overlays)
            assert len(set(names.values())) == len(given_files.files)
        for path in walk(root)[0][:3]:
            outcome.of(lambda path=path: find_named(str(path)))
        outcome.of(lambda: find_named(f"{root}/**/*"))


@outcome.examples(60)
@given(ENTRIES)
def test_what_is_to_be_prepared(entries):
    with tempfile.TemporaryDirectory() as folder:
        root, findings = Path(folder).resolve() / "in", Findings()
        (root / "cat" / "v").mkdir(parents=True)
        (root / "cat" / "v" / "0001.jpg").write_bytes(_jpeg(7))
        _build(root, entries)
        outcome.of(lambda: find_box_file(root))
        classes = outcome.of(lambda: list_videos(root, findings))
        if not isinstance(classes, outcome.Refused):
            assert "cat" in classes
            for video in [video for videos in classes.values() for video in videos]:
                listed = outcome.of(lambda v=video: list_shots(v, root, Path(folder, "work")))
                if not isinstance(listed, outcome.Refused):
                    shots, faults = listed
                    assert shots or faults
                    findings.all.extend(faults)
        assert all(str(finding).encode() for finding in findings.all)
        outcome.of(lambda: fingerprint(root, [root]))
