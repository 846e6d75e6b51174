import os
from pathlib import Path

from tcam_jax.data.builders.findings import Finding, Findings
from tcam_jax.data.builders.folders import entries, fingerprint, image_files
from tests.data.test_folder_walk import make


def test_a_root_that_is_itself_a_link_is_no_fault(tmp_path):
    make(tmp_path, "real/0.jpg")
    os.symlink(tmp_path / "real", tmp_path / "link")
    findings = Findings(strict=True)
    assert [entry.name for entry in entries(tmp_path / "link", tmp_path / "link", findings)]


def test_what_is_left_out_is_found_even_where_its_name_cannot_be_written(tmp_path):
    make(tmp_path, "shot/1.jpg")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/shot/v\xe9.jpg")).write_bytes(b"x")
    os.symlink("gone.jpg", tmp_path / "shot/2.jpg")
    findings = Findings()
    (frame,) = entries(tmp_path / "shot", tmp_path, findings)
    assert frame.name == "1.jpg"
    assert findings.all == [
        Finding("dead_link", "shot/2.jpg", f"to {tmp_path}/shot/gone.jpg"),
        Finding("bad_name", r"shot/v\xe9.jpg"),
    ]


def test_files_that_are_no_images_are_named(tmp_path):
    make(tmp_path, "a.JPG", "b.jpeg", "c.png", "notes.txt", ".DS_Store", "Thumbs.db", ".d.jpg")
    findings = Findings()
    frames = image_files(tmp_path, tmp_path, findings)
    assert [frame.name for frame in frames] == ["a.JPG", "b.jpeg", "c.png"]
    assert {(f.kind, f.where) for f in findings.all} == {
        ("not_a_frame", "notes.txt"),
        ("system", "Thumbs.db"),
        ("system", ".DS_Store"),
        ("hidden", ".d.jpg"),
    }


def test_what_systems_leave_is_no_fault(tmp_path):
    make(tmp_path, ".DS_Store", "@eaDir/x.jpg")
    findings = Findings(strict=True)
    assert entries(tmp_path, tmp_path, findings) == [] and len(findings.all) == 2


def test_a_fingerprint_tells_what_was_moved_renamed_or_changed(tmp_path):
    root = make(tmp_path / "in", "cat/a.jpg", "cat/b.jpg", "dog/c.jpg")
    before = fingerprint(root, [root])
    assert before["files"] == before["bytes"] == 3
    assert fingerprint(root, [root / "dog", root / "cat"]) == before
    seen = {before["names_and_sizes"]}
    (root / "cat/b.jpg").rename(root / "dog/b.jpg")
    seen.add(fingerprint(root, [root])["names_and_sizes"])
    (root / "dog/b.jpg").rename(root / "dog/e.jpg")
    seen.add(fingerprint(root, [root])["names_and_sizes"])
    (root / "dog/e.jpg").write_bytes(b"")
    seen.add(fingerprint(root, [root])["names_and_sizes"])
    make(tmp_path / "elsewhere", "f.jpg")
    (root / "bird").symlink_to(tmp_path / "elsewhere")
    seen.add(fingerprint(root, [root])["names_and_sizes"])
    (root / "bird/f.jpg").write_bytes(b"behind a link")
    seen.add(fingerprint(root, [root])["names_and_sizes"])
    (root / "dog/again").symlink_to("../cat")
    seen.add(fingerprint(root, [root])["names_and_sizes"])
    assert len(seen) == 7


def test_looking_into_a_folder_does_not_change_its_fingerprint(tmp_path):
    make(tmp_path, "cat/a.jpg")
    before = fingerprint(tmp_path, [tmp_path])
    make(tmp_path, ".DS_Store", "cat/Thumbs.db", "cat/@eaDir/a.jpg/SYNO.jpg")
    assert fingerprint(tmp_path, [tmp_path]) == before
