"""Archives and MATLAB files: what is in them, and nothing outside of a folder, or one refusal."""

import functools
import gzip
import io
import os
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import scipy.io
from hypothesis import given
from hypothesis import strategies as st

from tcam_jax.data.builders.archives import unpack
from tcam_jax.data.builders.youtube_objects import mat_files
from tests.fuzz import damage, outcome

PARTS = damage.names() | st.sampled_from(["a", "b", "..", ".", "", "/", "/tmp", "x" * 300, "a\0b"])
MEMBER_NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
TYPES = st.sampled_from(
    [tarfile.REGTYPE] * 6
    + [tarfile.AREGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE]
    + [
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.CONTTYPE,
        tarfile.GNUTYPE_SPARSE,
        b"V",
        b"x",
        b"\0",
    ]
)
MEMBERS = st.lists(st.tuples(MEMBER_NAMES, TYPES, st.binary(max_size=40), MEMBER_NAMES), max_size=5)
ORDINARY = st.dictionaries(
    st.lists(damage.names().filter(lambda n: n == n.strip()), min_size=1, max_size=3).map("/".join),
    st.binary(max_size=600),
    min_size=1,
    max_size=4,
)


def _tar(members) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, kind, content, target in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            member.size = len(content) if kind in tarfile.REGULAR_TYPES else 0
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def _unpacked(content: bytes, suffix: str = ".tar"):
    """{name: content} of what is unpacked; and nothing is written anywhere else."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        (root / "archive").mkdir()
        (root / "to").mkdir()
        archive = root / "archive" / f"a{suffix}"
        archive.write_bytes(content)
        found = outcome.of(lambda: unpack(archive, root / "to"))
        assert os.listdir(root) == os.listdir(root) and {*os.listdir(root)} == {"archive", "to"}
        assert os.listdir(root / "archive") == [archive.name]
        if isinstance(found, outcome.Refused):
            assert not os.listdir(root / "to"), "what was unpacked is removed"
            return found
        assert found.resolve().is_relative_to(root / "to")
        files = [Path(at, name) for at, _, names in os.walk(found) for name in names]
        assert not any(file.is_symlink() or not file.is_file() for file in files)
        return {str(file.relative_to(found)): file.read_bytes() for file in files}


@outcome.examples(40)
@given(MEMBERS)
def test_members_of_every_kind(members):
    try:
        content = _tar(members)
    except (UnicodeEncodeError, ValueError):
        return  # no tar has such a name
    _unpacked(content)


@outcome.examples(25)
@given(ORDINARY, st.sampled_from([".tar", ".tar.gz"]), st.data())
def test_what_is_ordinary_comes_back_and_what_is_damaged_does_not(files, suffix, data):
    names = set(files)
    if any(f"{name}/".startswith(f"{other}/") for name in names for other in names - {name}):
        return  # a file and a folder of one name
    content = _tar([(name, tarfile.REGTYPE, files[name], "") for name in files])
    content = gzip.compress(content, 1) if suffix == ".tar.gz" else content
    found = _unpacked(content, suffix)
    assert found == files or (len(files) == 1 and next(iter(files)).split("/")[0] == "a")
    cut = _unpacked(data.draw(damage.cut(content)), suffix)
    # Of the zeros at a tar's end some may go.
    assert isinstance(cut, outcome.Refused) or (cut == found and suffix == ".tar")
    made = _unpacked(data.draw(damage.bytes_of(content)), suffix)
    assert isinstance(made, outcome.Refused) or suffix == ".tar" or made == found


BOX = np.array([[1.0, 2.0, 30.0, 40.0]])


@functools.cache
def _mat(compressed: bool) -> bytes:
    file = io.BytesIO()
    cells = np.empty((1, 2), object)
    cells[0, 0], cells[0, 1] = BOX, BOX + 1
    content = {"coor": cells, "ranges": np.array([[1, 2], [3, 4], [5, 6]]), "other": "text"}
    content["gt"] = {"im": "horse00000001", "bbox": cells}
    scipy.io.savemat(file, content, do_compression=compressed)
    return file.getvalue()


@outcome.examples(60)
@given(st.booleans(), st.data())
def test_annotations_of_matlab(compressed, data):
    content = _mat(compressed)
    made = data.draw(damage.cut(content) | damage.bytes_of(content) | st.binary(max_size=300))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.mat")
        path.write_bytes(made)
        boxes = outcome.of(lambda: mat_files.read_boxes(path), ValueError)
        outcome.of(lambda: mat_files.read_ranges(path), ValueError)
        outcome.of(lambda: mat_files.read_ground_truth(path, "gt"), ValueError)
    if compressed and not isinstance(boxes, outcome.Refused):
        assert [box.tolist() for box in boxes] == [BOX[0].tolist(), (BOX[0] + 1).tolist()]
