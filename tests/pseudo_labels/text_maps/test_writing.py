"""Maps of a whole split: as they are read, whole, gone on with, never of two makings."""

import json

import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.records import Split
from tcam_jax.data.seed_check import check_seed_files
from tcam_jax.data.seed_files import SeedFiles
from tcam_jax.data.shot_table import Row, ShotTable
from tcam_jax.pseudo_labels.text_maps.writing import digest_of, write_maps
from tcam_jax.runtime.errors import InputError

LABELS = (1, 1, 0, 0, 0)
IDS = ("car/v/0/1.jpg", "car/v/0/2.jpg", "cat/v/0/1.jpg", "cat/v/0/1.png", "cat/v/1/7.a.jpg")
FILES = ("car/v/0/1.png", "car/v/0/2.png", "cat/v/0/1.png", "cat/v/1/7.a.png")
RECORD = {"model": "clip", "weights": "abc"}


class Frames(Split):
    """Frames of one grey level each, 10 times their record's number, in the place of a dataset."""

    damaged_record = None

    def read_frame_id(self, record):
        return IDS[record]

    def read_image(self, record):
        if record == self.damaged_record:
            raise self.damaged(record, "cannot be decoded")
        return np.full((6, 8, 3), 10 * record, np.uint8)


@pytest.fixture
def split():
    shots = (0, 0, 1, 1, 2)
    table = ShotTable.from_rows(
        Row(video=f"{shot}", shot=f"{shot}", index_in_shot=i, label=label, has_box=False)
        for shot, i, label in zip(shots, (0, 1, 0, 1, 0), LABELS, strict=True)
    )
    return Frames("shapes/default train", [0] * 5, [0] * 5, table, ("cat", "car"))


class Brightness:
    """A map that rises from left to right, and shows frame and class in its first row."""

    kind, template, size = "clip", "a {}", 32

    def __init__(self, fails_after=None):
        self.seen, self.fails_after = [], fails_after

    def maps(self, frames, classes):
        if self.fails_after is not None and len(self.seen) >= self.fails_after:
            raise KeyboardInterrupt
        self.seen += [
            (int(frame[0, 0, 0]), label) for frame, label in zip(frames, classes, strict=True)
        ]
        maps = np.tile(np.linspace(0, 1, 4, dtype=np.float32), (len(frames), 4, 1))
        maps[:, 0, 0] = [frame[0, 0, 0] / 255 for frame in frames]
        return maps


def test_every_frame_has_its_map_as_it_is_read(split, tmp_path):
    make = Brightness()
    written = write_maps(split, make, tmp_path / "maps", 4, 2, RECORD)
    assert written == (4, 0, 0) and make.seen == [(0, 1), (10, 1), (20, 0), (40, 0)]
    assert {str(p.relative_to(tmp_path / "maps")) for p in tmp_path.glob("maps/*/*/*/*")} == set(
        FILES
    )
    check_seed_files(SeedFiles(tmp_path / "maps"), split)
    for record, frame_id in enumerate(IDS):
        values = SeedFiles(tmp_path / "maps").read(frame_id)
        assert values.shape == (4, 4)
        np.testing.assert_allclose(values[1:, :], [[0, 1 / 3, 2 / 3, 1]] * 3, atol=0.5 / 255)
        level = 2 if record == 3 else record  # one map of two frames with the same name
        np.testing.assert_allclose(values[0, 0], 10 * level / 255, atol=1e-6)


def test_what_was_stopped_goes_on_with_what_is_missing(split, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_maps(split, Brightness(fails_after=2), tmp_path, 16, 1, RECORD)
    first = {path: path.read_bytes() for path in tmp_path.glob("*/*/*/*")}
    assert len(first) == 2
    make = Brightness()
    assert write_maps(split, make, tmp_path, 16, 1, RECORD) == (2, 2, 0)
    assert make.seen == [(20, 0), (40, 0)]
    assert write_maps(split, make, tmp_path, 16, 1, RECORD) == (0, 5, 0)
    for path, content in first.items():
        assert path.read_bytes() == content
    with Image.open(tmp_path / FILES[3]) as image:
        assert image.mode == "L" and image.size == (16, 16)


@pytest.mark.parametrize(
    ("change", "size", "expected"),
    [
        ({"weights": "xyz"}, 4, "weights was 'abc', and is 'xyz' now"),
        ({}, 8, "size was 4, and is 8 now"),
    ],
)
def test_maps_of_another_making_are_refused(split, tmp_path, change, size, expected):
    write_maps(split, Brightness(), tmp_path, 4, 2, RECORD)
    with pytest.raises(InputError, match=f"made otherwise: {expected}. Give another --output"):
        write_maps(split, Brightness(), tmp_path, size, 2, RECORD | change)
    assert json.loads((tmp_path / "seed_maps.json").read_text())["template"] == "a {}"


def test_a_folder_of_other_files_is_refused(split, tmp_path):
    strange = tmp_path / FILES[0]
    strange.parent.mkdir(parents=True)
    Image.new("L", (4, 4)).save(strange)
    with pytest.raises(InputError, match="holds other files, and no seed_maps.json"):
        write_maps(split, Brightness(), tmp_path, 4, 2, RECORD)
    assert [path.name for path in tmp_path.rglob("*.*")] == [strange.name]


def test_a_damaged_frame_is_named_and_the_rest_goes_on(split, tmp_path, capsys):
    Frames.damaged_record = 1
    try:
        written = write_maps(split, Brightness(), tmp_path, 4, 8, RECORD)
    finally:
        Frames.damaged_record = None
    assert written == (3, 0, 1)
    assert "record 1 of shapes/default train" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written(split, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_maps(split, Brightness(), tmp_path / "file/maps", 4, 2, RECORD)


def test_weights_are_told_apart_by_their_bytes(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"one")
    one = digest_of(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert digest_of(tmp_path) == one
    (tmp_path / "model.safetensors").write_bytes(b"two")
    assert digest_of(tmp_path) != one
