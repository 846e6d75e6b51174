import os
from pathlib import Path

from tcam_jax.data.builders.findings import Finding, Findings
from tcam_jax.data.builders.folders import entries, fingerprint, image_files, natural_order


def test_natural_order():
    names = ["f10.jpg", "f9.jpg", "f09.jpg", "a.jpg", "10.jpg", "9.jpg", "f1b2.jpg", "f1b10.jpg"]
    ordered = [path.name for path in sorted(map(Path, names), key=natural_order)]
    assert ordered[:4] == ["9.jpg", "10.jpg", "a.jpg", "f1b2.jpg"]
    assert ordered[4:] == ["f1b10.jpg", "f09.jpg", "f9.jpg", "f10.jpg"]
    # A digit that `int` does not know.
    assert natural_order(Path("f².jpg"))


def test_links_out_of_the_tree_are_left_out_and_named(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside / "shot", outside):
        folder.mkdir(parents=True)
    (inside / "shot" / "0.jpg").write_bytes(b"x")
    (outside / "1.jpg").write_bytes(b"x")
    os.symlink(outside / "1.jpg", inside / "shot" / "1.jpg")
    os.symlink(outside, inside / "other")
    os.symlink("0.jpg", inside / "shot" / "2.jpg")
    findings = Findings()
    assert [entry.name for entry in entries(inside, inside, findings)] == ["shot"]
    names = [entry.name for entry in entries(inside / "shot", inside, findings)]
    assert names == ["0.jpg", "2.jpg"]
    assert [(f.kind, f.where) for f in findings.all] == [
        ("outside_link", "other"),
        ("outside_link", "shot/1.jpg"),
    ]


def test_a_root_that_is_itself_a_link_is_no_fault(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "0.jpg").write_bytes(b"x")
    os.symlink(tmp_path / "real", tmp_path / "link")
    findings = Findings(strict=True)
    assert [entry.name for entry in entries(tmp_path / "link", tmp_path / "link", findings)]


def test_files_that_are_no_images_are_named_but_not_what_systems_leave(tmp_path):
    for name in ("a.JPG", "b.jpeg", "c.png", "notes.txt", ".DS_Store", "Thumbs.db", ".d.jpg"):
        (tmp_path / name).write_bytes(b"x")
    findings = Findings()
    frames = image_files(tmp_path, tmp_path, findings)
    assert [frame.name for frame in frames] == ["a.JPG", "b.jpeg", "c.png"]
    assert {(f.kind, f.where) for f in findings.all} == {
        ("not_a_frame", "notes.txt"),
        ("not_a_frame", "Thumbs.db"),
        ("hidden", ".d.jpg"),
    }


def test_names_that_are_no_text_and_links_in_a_loop_are_named(tmp_path):
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/v\xe9.jpg")).write_bytes(b"x")
    os.symlink("a.jpg", tmp_path / "a.jpg")
    findings = Findings()
    # What the loop stands for is seen when it is read.
    assert [entry.name for entry in entries(tmp_path, tmp_path, findings)] == ["a.jpg"]
    assert findings.all == [Finding("bad_name", r"v\xe9.jpg")]


def test_a_fingerprint_tells_what_was_moved_renamed_or_changed(tmp_path):
    for name in ("cat/a.jpg", "cat/b.jpg", "dog/c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    before = fingerprint(tmp_path, [tmp_path])
    assert before["files"] == before["bytes"] == 3
    assert fingerprint(tmp_path, [tmp_path / "dog", tmp_path / "cat"]) == before
    seen = {before["names_and_sizes"]}
    (tmp_path / "cat/b.jpg").rename(tmp_path / "dog/b.jpg")
    seen.add(fingerprint(tmp_path, [tmp_path])["names_and_sizes"])
    (tmp_path / "dog/b.jpg").rename(tmp_path / "dog/e.jpg")
    seen.add(fingerprint(tmp_path, [tmp_path])["names_and_sizes"])
    (tmp_path / "dog/e.jpg").write_bytes(b"")
    seen.add(fingerprint(tmp_path, [tmp_path])["names_and_sizes"])
    assert len(seen) == 4
