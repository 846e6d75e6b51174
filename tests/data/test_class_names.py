"""Names of classes that would shift the labels of all later classes are refused at the door."""

import pytest

from tcam_jax.data.builders.registry import prepare, validate
from tcam_jax.data.class_names import check_class_names
from tcam_jax.data.protocol import Data, check_data
from tcam_jax.runtime.errors import InputError
from tests.data.builders.hand_made import hand_made, jpeg, read, shot

BREAKS = ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
BAD = [
    *((f"a{line_break}b", "has a line break") for line_break in BREAKS),
    ("b\n", "has a line break"),
    ("\ncat", "has a line break"),
    ("cat ", "has spaces around it"),
    (" cat", "has spaces around it"),
    ("cat\t", "has spaces around it"),
    ("\u3000cat", "has spaces around it"),
    ("", "is empty"),
    (" \n", "is empty"),
    ("a\0b", "has a NUL"),
    ("caf\udce9", "cannot be written as UTF-8"),
    ("a", "cannot be told from 'a'"),
    (7, "is no text but int"),
    (b"cat", "is no text but bytes"),
]
GOOD = ["a", "A", "parked car", 'ü, "x"', "a/b", "=1+1", "c\td", "\U0001f40d", "e\u0301"]


@pytest.mark.parametrize(("name", "problem"), BAD)
def test_a_bad_name_is_refused_by_builders_and_of_data_alike(tmp_path, name, problem):
    told = f"(?s)of a class of .*{problem}.*rename"
    with pytest.raises(InputError, match=told):
        hand_made(tmp_path, dict, classes=("a", name))

    class Mine:
        class_names = ("a", name)

    for member in vars(Data):
        if not member.startswith("_") and member != "class_names":
            setattr(Mine, member, print)
    with pytest.raises(InputError, match=told):
        check_data(Mine())
    Mine.class_names = GOOD
    check_data(Mine())


def test_one_text_is_no_list_of_names():
    with pytest.raises(InputError, match="a list of names; got 'cat'"):
        check_class_names("cat", "Mine")


def test_names_that_differ_in_normalisation_alone_are_refused():
    with pytest.raises(InputError, match="cannot be told from"):
        check_class_names(["\u00e9", "dog", "e\u0301"], "Mine")


def test_every_other_name_comes_back_as_it_was(tmp_path):
    shots = [shot(f"{name.replace('/', '')}/v/s", [jpeg(0)]) for name in GOOD]
    shots = [one._replace(class_name=name) for one, name in zip(shots, GOOD, strict=True)]
    hand_made(tmp_path, lambda: {"train": shots}, classes=tuple(GOOD)).download_and_prepare()
    split, records = read(tmp_path, "train")
    assert split.class_names == tuple(GOOD)
    assert [record["label"] for record in records] == list(range(len(GOOD)))


@pytest.mark.parametrize("name", ["new\nline", "cat "])
def test_a_folder_of_videos_with_such_a_name_is_refused(tmp_path, name):
    for class_name in ("ant", name, "zebra"):
        for video in "123":
            folder = tmp_path / "src" / class_name / video
            folder.mkdir(parents=True)
            (folder / "0.jpg").write_bytes(jpeg(0))
    for do in (validate, prepare):
        with pytest.raises(InputError, match="of a class of video_folder/mine .*rename the class"):
            do("video_folder", "mine", tmp_path / "data", tmp_path / "src")
