"""Folders as people have them: links, hidden things, what systems leave, names of any kind."""

import os
from pathlib import Path

import pytest

from tcam_jax.data.builders.findings import RULES
from tcam_jax.data.folder_walk import (
    REASONS,
    LeftOut,
    by_suffix,
    in_words,
    kind_of_name,
    list_folder,
    natural_order,
    walk,
)
from tests.runtime.test_plain_files import pipe


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def walked(root: Path):
    files, left_out = walk(root)
    names = [str(file.relative_to(root)) for file in files]
    return names, [(one.kind, str(one.path.relative_to(root))) for one in left_out]


def test_natural_order():
    names = ["f10.jpg", "f9.jpg", "f09.jpg", "a.jpg", "10.jpg", "9.jpg", "f1b2.jpg", "f1b10.jpg"]
    ordered = [path.name for path in sorted(map(Path, names), key=natural_order)]
    assert ordered[:4] == ["9.jpg", "10.jpg", "a.jpg", "f1b2.jpg"]
    assert ordered[4:] == ["f1b10.jpg", "f09.jpg", "f9.jpg", "f10.jpg"]
    # A digit that `int` does not know.
    assert natural_order(Path("f².jpg"))


@pytest.mark.parametrize(
    "name",
    [
        *("@eaDir", "#recycle", "$RECYCLE.BIN", "$Recycle.Bin", "System Volume Information"),
        *("lost+found", "__MACOSX", "__pycache__", "Thumbs.db", "thumbs.db", "desktop.ini"),
        *("._x.png", ".DS_Store", ".Trashes", ".Trash-1000", ".git", ".gitignore", "Icon\r"),
        *(".Spotlight-V100", ".fseventsd", ".thumbnails", ".ipynb_checkpoints"),
    ],
)
def test_what_systems_and_tools_leave_is_no_data_at_any_depth(tmp_path, name):
    make(tmp_path, "a/1.jpg", f"{name}/v0/SYNO.jpg", f"a/{name}/v0/SYNO.jpg")
    left_out = [("system", name), ("system", f"a/{name}")]
    assert walked(tmp_path) == (["a/1.jpg"], left_out)


def test_other_names_are_data():
    names = ("recycle", "thumbs", "a.DS_Store", "git", "MACOSX", "found", "cat @eaDir", "x._y.png")
    assert not any(map(kind_of_name, names))
    assert kind_of_name(".old") == "hidden" and kind_of_name("caf\udce9") == "bad_name"


def test_files_come_in_the_order_of_their_folders(tmp_path):
    names = ["f2/10.jpg", "f2/a/1.jpg", "f2.jpg", "f10/1.jpg", "f10.jpg", "f1.jpg", "f2/9.jpg"]
    make(tmp_path, *names, ".hidden/1.jpg", "f2/.old.jpg")
    found, left_out = walked(tmp_path)
    assert found == [
        *("f1.jpg", "f2/9.jpg", "f2/10.jpg", "f2/a/1.jpg", "f2.jpg", "f10/1.jpg", "f10.jpg")
    ]
    assert left_out == [("hidden", ".hidden"), ("hidden", "f2/.old.jpg")]


def test_links_are_followed_wherever_they_lead_but_each_place_once(tmp_path):
    root, other = tmp_path / "in", tmp_path / "out"
    make(root, "z/1.jpg", "z/.old.jpg")
    make(other, "c/5.jpg", "6.jpg", "7.jpg")
    os.symlink("z", root / "a")  # sorts before what it leads to
    os.symlink(other / "c", root / "c")
    os.symlink(other / "c", root / "d")
    os.symlink(other / "6.jpg", root / "6.jpg")
    os.symlink(other / "6.jpg", root / "z/also6.jpg")
    os.symlink("1.jpg", root / "z/2.jpg")
    os.symlink(".old.jpg", root / "z/3.jpg")  # its owner wants it
    found, left_out = walked(root)
    assert found == ["6.jpg", "c/5.jpg", "z/1.jpg", "z/3.jpg"]
    again = {("linked_again", name) for name in ("a", "d", "z/2.jpg", "z/also6.jpg")}
    assert {*left_out} == again | {("hidden", "z/.old.jpg")} and len(left_out) == 5


def test_links_in_a_circle_end_and_those_to_nowhere_are_named(tmp_path):
    root, other = tmp_path / "in", tmp_path / "out"
    make(root, "a/1.jpg")
    make(other, "b/2.jpg")
    os.symlink("..", root / "a/up")
    os.symlink("/", root / "all")
    os.symlink("nowhere.jpg", root / "gone.jpg")
    os.symlink("self.jpg", root / "self.jpg")
    os.symlink(other / "b", root / "a/there")
    os.symlink(root / "a", other / "b/back")  # together these two are a circle
    found, left_out = walked(root)
    assert found == ["a/1.jpg", "a/there/2.jpg"]
    assert set(left_out) == {
        ("link_loop", "a/up"),
        ("link_loop", "all"),
        ("dead_link", "gone.jpg"),
        ("dead_link", "self.jpg"),
        ("linked_again", "a/there/back"),
    }


def test_pipes_sockets_and_devices_are_named(tmp_path):
    make(tmp_path, "a/1.jpg")
    pipe(tmp_path / "a/2.jpg")
    (tmp_path / "a/3.jpg").symlink_to("2.jpg")
    (tmp_path / "zero.mp4").symlink_to("/dev/zero")
    assert walked(tmp_path) == (
        ["a/1.jpg"],
        [("special", "zero.mp4"), ("special", "a/2.jpg"), ("special", "a/3.jpg")],
    )
    assert in_words(list_folder(tmp_path / "a")[1], tmp_path) == (
        "left out: pipes, sockets and devices: 2 (a/2.jpg: a named pipe, a/3.jpg: a named pipe)"
    )


def test_a_root_that_is_a_link_hidden_or_a_system_s_own_is_meant(tmp_path):
    make(tmp_path, ".hidden/1.jpg", "@eaDir/2.jpg")
    os.symlink(tmp_path / ".hidden", tmp_path / "link")
    for name, file in ((".hidden", "1.jpg"), ("@eaDir", "2.jpg"), ("link", "1.jpg")):
        assert walked(tmp_path / name) == ([file], [])


def test_what_cannot_be_listed_or_written_is_named(tmp_path):
    make(tmp_path, "a")
    assert list_folder(tmp_path / "a") == (
        [],
        [LeftOut(tmp_path / "a", "unreadable", "Not a directory")],
    )
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/v\xe9.jpg")).write_bytes(b"x")
    found, (left,) = list_folder(tmp_path)
    assert found == [tmp_path / "a"] and left.kind == "bad_name"
    assert r"(v\xe9.jpg)" in in_words([left], tmp_path)


def test_the_summary_counts_by_reason_and_suffix(tmp_path):
    assert in_words([], tmp_path) == ""
    left_out = [LeftOut(tmp_path / f"{i}.TXT", "other_kind") for i in range(2)]
    left_out += [LeftOut(tmp_path / f".{i}", "hidden") for i in range(5)]
    left_out += [LeftOut(tmp_path / name, "other_kind") for name in ("a.pdf", "README")]
    left_out += [LeftOut(tmp_path / "x/y", "dead_link", "to /z")]
    assert in_words(left_out, tmp_path) == (
        "left out: neither images nor videos: 4 (.txt 2, .pdf 1, no suffix 1); hidden: 5 (.0, .1, "
        ".2, …); links that lead nowhere: 1 (x/y: to /z)"
    )
    assert by_suffix([Path("a.x"), Path("b.X")]) == ".x 2"


def test_preparation_has_a_rule_for_each_reason():
    of_listing = set(REASONS) - {"other_kind", "linked_again"}  # those are of whole walks
    assert of_listing <= set(RULES)
