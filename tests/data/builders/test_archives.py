import gzip
import io
import tarfile
from pathlib import Path

import pytest

from tcam_jax.data.builders.archives import archive_name, unpack

FILES = {"a.txt": b"one" * 500, "deep/er/b.jpg": bytes(range(256)) * 40, "ü ä.txt": b""}


def make_archive(path: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.mark.parametrize(
    ("name", "mode"), [("dog.tar.gz", "w:gz"), ("dog.tgz", "w:gz"), ("dog.tar", "w")]
)
@pytest.mark.parametrize("top", ["", "dog/", "./dog/", "./"])
def test_the_content_is_found_with_and_without_a_top_folder(tmp_path, name, mode, top):
    members = {top + file: content for file, content in FILES.items()}
    folder = unpack(make_archive(tmp_path / name, members, mode), tmp_path / "work")
    assert folder.name == "dog" and files_below(folder) == FILES


def test_a_top_folder_of_another_name_is_content(tmp_path):
    folder = unpack(make_archive(tmp_path / "dog.tar.gz", {"sets/x": b"1"}), tmp_path / "work")
    assert files_below(folder) == {"sets/x": b"1"}
    # A folder of the archive's name beside others is content too.
    both = make_archive(tmp_path / "cat.tar.gz", {"cat/x": b"1", "y": b"2"})
    assert files_below(unpack(both, tmp_path / "work")) == {"cat/x": b"1", "y": b"2"}


def test_an_unpacked_archive_is_not_unpacked_again(tmp_path):
    archive = make_archive(tmp_path / "dog.tar.gz", FILES)
    folder = unpack(archive, tmp_path / "work")
    (folder / "a.txt").unlink()
    assert unpack(archive, tmp_path / "work") == folder
    assert not (folder / "a.txt").exists()
    # Another archive of the same name is.
    make_archive(archive, {"b": b"2"})
    assert files_below(unpack(archive, tmp_path / "work")) == {"b": b"2"}


def test_an_interrupted_unpacking_is_done_again_from_the_start(tmp_path):
    archive = make_archive(tmp_path / "dog.tar.gz", FILES)
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-200])
    with pytest.raises(ValueError, match="cannot be unpacked"):
        unpack(archive, tmp_path / "work")
    (left_over,) = (tmp_path / "work").iterdir()
    (left_over / "dog/from before.txt").write_text("old")
    archive.write_bytes(whole)
    assert files_below(unpack(archive, tmp_path / "work")) == FILES
    assert not left_over.exists()


@pytest.mark.parametrize("mode", ["w:gz", "w"])
def test_an_archive_cut_anywhere_is_refused_by_name(tmp_path, mode):
    whole = make_archive(tmp_path / "dog.tar", FILES, mode).read_bytes()
    content = gzip.decompress(whole) if mode == "w:gz" else whole
    # Up to the first block of the zeros at the end, from where on nothing is lost in a plain tar.
    end = len(content.rstrip(b"\0")) if mode == "w" else len(whole) - 1
    # The last member is empty: behind its header there is nothing but the end.
    for cut in [0, 1, 511, 512, 513, *range(600, end, 97), end]:
        (tmp_path / "dog.tar").write_bytes(whole[:cut])
        with pytest.raises(ValueError, match=r"dog.tar cannot be unpacked \(.*download it again"):
            unpack(tmp_path / "dog.tar", tmp_path / "work")


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path):
    archive = make_archive(tmp_path / "dog.tar", {"a": b"x" * 512, "b": b"y"}, "w")
    content = bytearray(archive.read_bytes())
    content[512 * 2 + 150] ^= 255  # the checksum of the second member's header
    archive.write_bytes(content)
    with pytest.raises(ValueError, match="dog.tar cannot be unpacked .it breaks off, or a part"):
        unpack(archive, tmp_path / "work")


def test_a_flipped_bit_in_a_gzip_file_is_found(tmp_path):
    noise = bytes((index * index * 7 + index // 256) % 251 for index in range(20_000))
    archive = make_archive(tmp_path / "dog.tar.gz", {"a": noise})
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 4
    archive.write_bytes(content)
    with pytest.raises(ValueError, match="dog.tar.gz cannot be unpacked"):
        unpack(archive, tmp_path / "work")


def test_no_archive_at_all(tmp_path):
    (tmp_path / "dog.tar.gz").write_bytes(b"<html>404 not found</html>" * 100)
    with pytest.raises(ValueError, match="dog.tar.gz cannot be unpacked"):
        unpack(tmp_path / "dog.tar.gz", tmp_path / "work")


@pytest.mark.parametrize("name", ["../evil", "dog/../../../evil", "x/../../evil"])
def test_a_member_outside_of_the_folder_is_refused(tmp_path, name):
    archive = make_archive(tmp_path / "dog.tar.gz", {"good": b"1", name: b"2"})
    with pytest.raises(ValueError, match=r"dog.tar.gz cannot be unpacked .*evil.*outside"):
        unpack(archive, tmp_path / "work")
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize("target", ["/etc/hostname", "../../../elsewhere"])
def test_a_link_that_leads_outside_is_refused(tmp_path, target):
    with tarfile.open(tmp_path / "dog.tar.gz", "w:gz") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, target
        tar.addfile(link)
    with pytest.raises(ValueError, match="dog.tar.gz cannot be unpacked .*link"):
        unpack(tmp_path / "dog.tar.gz", tmp_path / "work")


def test_an_archive_that_is_not_readable_or_not_there(tmp_path):
    with pytest.raises(ValueError, match="dog.tar.gz cannot be unpacked: No such file"):
        unpack(tmp_path / "dog.tar.gz", tmp_path / "work")


@pytest.mark.parametrize(
    ("file", "name"),
    [("a.tar.gz", "a"), ("B.TGZ", "B"), ("c.d.tar", "c.d"), ("e.gz", None), ("f.zip", None)],
)
def test_what_is_an_archive(file, name):
    assert archive_name(Path(file)) == name
