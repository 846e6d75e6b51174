import gzip
import io
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from tcam_jax.data.builders import archives
from tcam_jax.data.builders.archives import archive_name, unpack
from tcam_jax.runtime.errors import InputError
from tests.runtime.test_plain_files import pipe, sparse

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
    assert not list((tmp_path / "work").iterdir())
    # A kill leaves what was there.
    left_over = tmp_path / "work/dog.unfinished"
    (left_over / "dog").mkdir(parents=True)
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


@pytest.mark.parametrize(
    "name", ["../evil", "dog/../../../evil", "x/../../evil", "/evil", "a" * 300 + "/../../evil"]
)
def test_a_member_outside_of_the_folder_is_refused(tmp_path, name):
    archive = make_archive(tmp_path / "dog.tar.gz", {"good": b"1", name: b"2"})
    with pytest.raises(ValueError, match=r"dog.tar.gz cannot be unpacked: .*evil.*outside"):
        unpack(archive, tmp_path / "work")
    assert not list(tmp_path.rglob("evil"))


def make_special_archive(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            tar.addfile(member, io.BytesIO(b"\0" * member.size))
    return path


def special(name: str, kind: bytes, target: str = "", size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, target, size
    return member


@pytest.mark.parametrize("target", ["/etc/hostname", "../../../elsewhere", "good", "."])
@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
    + [tarfile.GNUTYPE_SPARSE, tarfile.CONTTYPE, b"Z"],
)
def test_all_but_files_and_folders_are_refused_wherever_they_lead(tmp_path, kind, target):
    members = (special("good", tarfile.REGTYPE), special("deep/link", kind, target))
    archive = make_special_archive(tmp_path / "dog.tar.gz", *members)
    with pytest.raises(
        InputError, match=r"dog.tar.gz cannot be unpacked: .*'deep/link' is neither"
    ):
        unpack(archive, tmp_path / "work")
    assert not list((tmp_path / "work").iterdir())


def test_links_that_are_longer_than_a_path_lead_nowhere(tmp_path):
    """CVE-2025-4517: beyond PATH_MAX, `realpath` says of a link that it is inside."""
    step, links, depth = "d" * 247, "abcdefghijklmnop", ""
    members = []
    for link in links:  # each one is a folder and a short name for it
        members.append(special(f"{depth}{step}", tarfile.DIRTYPE))
        members.append(special(f"{depth}{link}", tarfile.SYMTYPE, step))
        depth += f"{step}/"
    far = "/".join(links) + "/" + "l" * 254
    members.append(special(far, tarfile.SYMTYPE, "../" * len(links)))
    members.append(special("escape", tarfile.SYMTYPE, far + "/../../../.."))
    members.append(special("escape/evil", tarfile.REGTYPE, size=3))
    with pytest.raises(InputError, match="'a' is neither a regular file nor a folder"):
        unpack(make_special_archive(tmp_path / "dog.tar.gz", *members), tmp_path / "work/x")
    assert not list(tmp_path.rglob("evil")) and not list((tmp_path / "work/x").iterdir())


def test_a_name_that_no_file_can_have_is_refused(tmp_path):
    for name in ("a\0b", "ü\0/../x"):
        member = special("x", tarfile.REGTYPE)
        member.pax_headers = {"path": name}
        archive = make_special_archive(tmp_path / "dog.tar.gz", member)
        with pytest.raises(InputError, match="cannot be unpacked: its member .* that no file can"):
            unpack(archive, tmp_path / "work")


@pytest.mark.parametrize("sizes", [[10**6] * 40, [1, 40 * 10**6], [40 * 10**6]])
def test_what_does_not_fit_does_not_fill_the_disk(tmp_path, monkeypatch, sizes):
    """A bomb of one large member or of many, of which the archive itself has some KB."""
    disk = 30 * 10**6

    def usage(_: Path) -> SimpleNamespace:
        used = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
        assert used < disk, "the disk is full"
        return SimpleNamespace(free=disk - used)

    monkeypatch.setattr(archives.shutil, "disk_usage", usage)
    monkeypatch.setattr(archives, "_LEFT_FREE", 10**6)
    members = [special(str(n), tarfile.REGTYPE, size=size) for n, size in enumerate(sizes)]
    archive = make_special_archive(tmp_path / "dog.tar.gz", *members)
    with pytest.raises(InputError, match="dog.tar.gz cannot be unpacked .* MB are free.*make room"):
        unpack(archive, tmp_path / "work")
    assert not list((tmp_path / "work").iterdir())


def test_nothing_is_left_of_an_unpacking_that_ends_in_any_way(tmp_path, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    archive = make_archive(tmp_path / "dog.tar.gz", FILES)
    monkeypatch.setattr(archives, "_check_end", interrupted)
    with pytest.raises(KeyboardInterrupt):
        unpack(archive, tmp_path / "work")
    assert not list((tmp_path / "work").iterdir())


@pytest.mark.parametrize("first", [True, False])
def test_a_header_of_nonsense_is_damage(tmp_path, first):
    member = special("x", tarfile.REGTYPE)
    member.pax_headers = {"GNU.sparse.map": "0,x", "GNU.sparse.size": "1"}
    members = [member] if first else [special("y", tarfile.REGTYPE), member]
    archive = make_special_archive(tmp_path / "dog.tar.gz", *members)
    with pytest.raises(InputError, match=r"dog.tar.gz cannot be unpacked \(.*it is damaged"):
        unpack(archive, tmp_path / "work")


def test_headers_of_headers_without_end_are_damage(tmp_path):
    with gzip.open(tmp_path / "dog.tar.gz", "wb") as file:
        for _ in range(5000):  # each one is about the next
            file.write(special("x", tarfile.XHDTYPE).tobuf())
    with pytest.raises(InputError, match=r"dog.tar.gz cannot be unpacked \(.*it is damaged"):
        unpack(tmp_path / "dog.tar.gz", tmp_path / "work")


def header(kind: bytes, size: int, data: bytes = b"") -> bytes:
    """One that says that `size` bytes follow; and `data`, which do."""
    member = special("x", kind)
    member.size = size if size >= 0 else 0
    block = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    if size < 0:
        block[124:136] = b"\xff" * 11 + bytes([256 + size])
        block[148:156] = b"%06o\0 " % (sum(block[:148]) + 8 * 32 + sum(block[156:512]))
    return bytes(block) + data + bytes(-len(data) % 512)


GLOBAL = b"".join(b"99999 key%04d=" % i + b"x" * 99986 for i in range(2))
ENDLESS = {
    "a long name": header(tarfile.GNUTYPE_LONGNAME, 1 << 33),
    "a long link": header(tarfile.GNUTYPE_LONGLINK, 1 << 33),
    "of the next": header(tarfile.XHDTYPE, 1 << 33),
    "of all": header(tarfile.XGLTYPE, 1 << 33),
    "Solaris's": header(tarfile.SOLARIS_XHDTYPE, 1 << 33),
    "all there is": header(tarfile.GNUTYPE_LONGNAME, -1),
    "many of all": header(tarfile.XGLTYPE, len(GLOBAL), GLOBAL)
    + header(tarfile.XGLTYPE, len(GLOBAL), GLOBAL.replace(b"key", b"kez")),
}


class Counting:
    """Zeros without end, behind `head`."""

    def __init__(self, head: bytes):
        self.head, self.read_bytes, self.largest = head, 0, 0

    def read(self, size: int = -1) -> bytes:
        assert 0 <= size <= 1 << 20, f"{size} bytes at once"
        self.read_bytes += size
        content, self.head = self.head[:size], self.head[size:]
        return content.ljust(size, b"\0")

    def tell(self) -> int:
        return self.read_bytes


@pytest.mark.parametrize("name", ENDLESS)
def test_a_header_without_end_is_not_read(name):
    stream = Counting(ENDLESS[name])
    with pytest.raises(tarfile.ReadError, match="a header without end|invalid header"):
        tarfile.TarFile(fileobj=stream, tarinfo=archives._Member)
    assert stream.read_bytes < 1 << 20


def test_a_header_without_end_is_damage(tmp_path):
    with gzip.open(tmp_path / "dog.tar.gz", "wb", compresslevel=1) as file:
        file.write(special("good", tarfile.REGTYPE).tobuf())
        file.write(header(tarfile.GNUTYPE_LONGNAME, 1 << 33))
    with pytest.raises(InputError, match=r"unpacked \(a header without end\); it is damaged"):
        unpack(tmp_path / "dog.tar.gz", tmp_path / "work")


def test_a_list_of_holes_without_end_is_not_read(tmp_path):
    member = special("x", tarfile.REGTYPE, size=1 << 20)
    member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    good = special("good", tarfile.REGTYPE)
    archive = make_special_archive(tmp_path / "dog.tar.gz", good, member)
    with pytest.raises(InputError, match=r"cannot be unpacked \(a member with holes\)"):
        unpack(archive, tmp_path / "work")


def test_zeros_behind_the_end_are_passed_over_but_not_for_ever(tmp_path, monkeypatch):
    whole = make_archive(tmp_path / "dog.tar", FILES, "w").read_bytes()
    (tmp_path / "dog.tar").write_bytes(whole + bytes(1 << 21))
    assert files_below(unpack(tmp_path / "dog.tar", tmp_path / "work")) == FILES
    monkeypatch.setattr(archives, "_MOST_BEHIND", 1 << 20)
    (tmp_path / "dog.tar").write_bytes(whole + bytes(1 << 22))
    with pytest.raises(InputError, match=r"unpacked \(more than 1\.0 MB behind its end\)"):
        unpack(tmp_path / "dog.tar", tmp_path / "work")


def test_what_is_no_file_or_never_written(tmp_path):
    pipe(tmp_path / "dog.tar")
    with pytest.raises(InputError, match="dog.tar cannot be unpacked: it is a named pipe"):
        unpack(tmp_path / "dog.tar", tmp_path / "work")
    for name in ("cat.tar", "cow.tar.gz"):
        whole = make_archive(tmp_path / name, FILES).read_bytes()
        sparse(tmp_path / name, whole if name == "cow.tar.gz" else b"")
        with pytest.raises(InputError, match=rf"{name} cannot be unpacked: 1\.0 TB of its 1\.0 TB"):
            unpack(tmp_path / name, tmp_path / "work")


def test_a_file_where_a_folder_should_be(tmp_path):
    archive = make_archive(tmp_path / "dog.tar.gz", {"a": b"1", "a/b": b"2"})
    with pytest.raises(InputError, match="dog.tar.gz cannot be unpacked into .*: File exists"):
        unpack(archive, tmp_path / "work")


def test_an_archive_that_is_not_readable_or_not_there(tmp_path):
    with pytest.raises(ValueError, match="dog.tar.gz cannot be unpacked: No such file"):
        unpack(tmp_path / "dog.tar.gz", tmp_path / "work")


@pytest.mark.parametrize(
    ("file", "name"),
    [("a.tar.gz", "a"), ("B.TGZ", "B"), ("c.d.tar", "c.d"), ("e.gz", None), ("f.zip", None)],
)
def test_what_is_an_archive(file, name):
    assert archive_name(Path(file)) == name
