from pathlib import Path

import pytest

from tcam_jax.data.builders.youtube_objects.wsol_lists import digest, read_lists
from tcam_jax.runtime.errors import InputError
from tests.runtime.test_plain_files import pipe, sparse

FILES = {
    "train": {
        "image_ids.txt": "dog/data/0001/shots/001\n",
        "class_labels.txt": "dog/data/0001/shots/001,1\n",
        "image_sizes.txt": "",
        "localization.txt": "",
    },
    "val": {
        "image_ids.txt": "cat/a.jpg\ndog/b c.jpg\n",
        "class_labels.txt": "dog/b c.jpg,1\ncat/a.jpg,0\n",
        "image_sizes.txt": "cat/a.jpg,480,360\ndog/b c.jpg,1280,720\n",
        "localization.txt": "dog/b c.jpg,1.5,2,3e2,4\ncat/a.jpg,-1,0,1,1\ndog/b c.jpg,5,6,7,8\n",
    },
    "test": {
        "image_ids.txt": "cat/c.jpg\ncat/d.jpg\n",
        "class_labels.txt": "cat/c.jpg,0\ncat/d.jpg,0\n",
        "image_sizes.txt": "cat/c.jpg,480,360\ncat/d.jpg,480,360\n",
        "localization.txt": "cat/c.jpg,0,0,0,0\n",
    },
}


@pytest.fixture
def lists(tmp_path) -> Path:
    for split, files in FILES.items():
        (tmp_path / split).mkdir()
        for name, text in files.items():
            (tmp_path / split / name).write_text(text)
    return tmp_path


def test_ids_labels_sizes_and_boxes(lists):
    read = read_lists(lists)
    assert list(read) == ["train", "validation", "test"]
    assert read["train"].labels == {"dog/data/0001/shots/001": 1}
    validation = read["validation"]
    assert list(validation.labels.items()) == [("cat/a.jpg", 0), ("dog/b c.jpg", 1)]
    assert validation.sizes == {"cat/a.jpg": (480, 360), "dog/b c.jpg": (1280, 720)}
    path = lists / "val/localization.txt"
    assert [box[:2] for box in validation.boxes["dog/b c.jpg"]] == [
        (f"{path} line 1", (1.5, 2, 300, 4)),
        (f"{path} line 3", (5, 6, 7, 8)),
    ]
    assert read["test"].boxes == {}  # the null box is none


def test_blank_lines_and_windows_line_ends_are_no_fault(lists):
    before = read_lists(lists)["validation"]
    path = lists / "val/class_labels.txt"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n\r\n"))
    assert read_lists(lists)["validation"].labels == before.labels


BAD_LINES = {
    "val/image_ids.txt": {
        "cat/a.jpg": "line 3: 'cat/a.jpg' is there twice .*line 1",
        "cat/new.jpg": "line 3: 'cat/new.jpg' has no line in .*class_labels.txt",
        "cat/new,1.jpg": "line 3: expected id, got 'cat/new,1.jpg'",
    },
    "val/class_labels.txt": {
        "cat/a.jpg": "line 3: expected id,label, got 'cat/a.jpg'",
        "cat/new.jpg,1": "line 3: 'cat/new.jpg' is not in .*image_ids.txt",
        "cat/a.jpg,cat": "line 3: expected a class number, got 'cat'",
        "cat/a.jpg,-1": "line 3: expected a class number, got '-1'",
        "cat/a.jpg,1": "line 3: 'cat/a.jpg' has a label already .*line 2",
    },
    "val/image_sizes.txt": {
        "cat/a.jpg,480": "line 3: expected id,width,height, got",
        "cat/a.jpg,480,0": "line 3: expected a size in pixels, got 480,0",
        "cat/a.jpg,480,36.5": "line 3: expected a size in pixels, got 480,36.5",
        "cat/a.jpg,481,360": "line 3: 'cat/a.jpg' has another size in an earlier line",
    },
    "val/localization.txt": {
        "cat/a.jpg,1,2,3": "line 4: expected id,x0,y0,x1,y1, got",
        "cat/a.jpg,1,2,3,x": "line 4: expected four numbers, got 1,2,3,x",
        "cat/a.jpg,1,2,3,nan": "line 4: expected four finite numbers",
        "cat/new.jpg,1,2,3,4": "line 4: 'cat/new.jpg' is not in",
    },
    "train/localization.txt": {
        "dog/data/0001/shots/001,1,2,3,4": "line 1: .* has a box, but no line in .*image_sizes",
    },
}


@pytest.mark.parametrize(
    ("file", "line"), [(file, line) for file, lines in BAD_LINES.items() for line in lines]
)
def test_a_bad_line_is_named(lists, file, line):
    with (lists / file).open("a") as opened:
        opened.write(f"{line}\n")
    with pytest.raises(ValueError, match=f"{file} {BAD_LINES[file][line]}"):
        read_lists(lists)


@pytest.mark.parametrize("name", sorted(FILES["val"]))
def test_a_missing_file_is_named(lists, name):
    (lists / "val" / name).unlink()
    with pytest.raises(ValueError, match=f"val/{name} is not there; lists need train, val, test"):
        read_lists(lists)


@pytest.mark.parametrize(
    ("make", "words"), [(pipe, "it is a named pipe"), (sparse, r"it has 1\.0 TB")]
)
def test_a_list_that_is_no_file_or_too_large(lists, make, words):
    for name in ("train/localization.txt", "val/image_ids.txt"):
        (lists / name).unlink()
        make(lists / name)
        for read in (read_lists, digest):
            with pytest.raises(InputError, match=rf"{name} cannot be read \({words}"):
                read(lists)
        (lists / name).unlink()
        (lists / name).touch()


def test_the_empty_files_of_train_may_be_left_out(lists):
    before = read_lists(lists), digest(lists)
    for name in ("image_sizes.txt", "localization.txt"):
        (lists / "train" / name).unlink()
    assert (read_lists(lists), digest(lists)) == before


def test_an_empty_list_and_one_that_is_no_text(lists):
    (lists / "test/class_labels.txt").write_bytes(b"cat/\xff.jpg,1\n")
    with pytest.raises(ValueError, match="test/class_labels.txt is no UTF-8 text"):
        read_lists(lists)
    (lists / "test/image_ids.txt").write_text("\n")
    with pytest.raises(ValueError, match="test/image_ids.txt is empty"):
        read_lists(lists)


def test_the_digest_tells_any_change_of_any_file(lists):
    digests = {digest(lists)}
    for split, files in FILES.items():
        for name in files:
            with (lists / split / name).open("a") as file:
                file.write("\n")
            digests.add(digest(lists))
    assert len(digests) == 13
