"""What a dataset says of itself, damaged: one error that names the file."""

import shutil

import pytest

from tcam_jax.data.described_classes import described_classes
from tcam_jax.runtime.errors import InputError


@pytest.fixture
def folder(photo_data, tmp_path):
    for name in ("features.json", "label.labels.txt"):
        shutil.copy(photo_data / "video_folder/photos/1.0.0" / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("features.json", b"{}", "features.json is damaged: it does not say how many classes"),
        ("features.json", b"[]", "features.json is damaged: it must be an object"),
        ("features.json", b"[" * 10**5, "features.json is damaged: it is nested too deep"),
        ("label.labels.txt", b"", "txt is damaged: it has 0 class names, for 2 classes"),
        ("label.labels.txt", b"cat\n", "it has 1 class names, for 2 classes"),
        ("label.labels.txt", b"a\nb\nc\n", "it has 3 class names, for 2 classes"),
        ("label.labels.txt", b"cat\ncat\n", "cannot be told from 'cat'"),
        ("label.labels.txt", b"\xff\n\xfe\n", "labels.txt is damaged: .*can't decode"),
    ],
)
def test_damaged_descriptions_are_one_error(folder, name, content, told):
    assert described_classes(folder) == ("cup", "pet")
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=told):
        described_classes(folder)


def test_features_must_be_those_that_are_read(folder):
    path = folder / "features.json"
    whole = path.read_text()
    for old, new, told in (
        ('"width"', '"breadth"', "it lacks width"),
        ('"numClasses": "2"', '"numClasses": 1e999', "how many classes"),
        ('"numClasses": "2"', '"numClasses": "two"', "how many classes"),
    ):
        assert old in whole
        path.write_text(whole.replace(old, new))
        with pytest.raises(InputError, match=rf"features\.json is damaged: .*{told}"):
            described_classes(folder)
