"""Files of JSON, damaged or hostile: one error that names the file, in no time and memory."""

import json
import os

import pytest

from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.json_files import bounded_lines, read_json, read_json_lines

ADVICE = "Make it anew."


def read(path, shape=dict[str, int]):
    return read_json(path, shape, ADVICE, largest=10**6)


@pytest.mark.parametrize(
    "content", [b'{"a": 1}', b'\xef\xbb\xbf{"a": 1}', '{"a": 1}'.encode("utf-16"), b' {"a":1}\n\n']
)
def test_what_is_written_is_read_whatever_editor_saved_it(tmp_path, content):
    (tmp_path / "é.json").write_bytes(content)
    assert read(tmp_path / "é.json") == {"a": 1}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b'{"a": ', "Expecting value"),
        (b"\xff\xfe", "Expecting value|it is empty"),
        (b"\xff{}", "can't decode"),
        (b"\0" * 99, "it is empty"),
        (b"[" * 10**5, "nested too deep"),
        (b'{"a":' * 10**5, "nested too deep"),
        (b"[" * 80 + b"]" * 80, "nested too deep"),
        (b'{"a": 1, "a": 2}', "it has 'a' twice in an object"),
        (b'{"a": {"b": 1, "b": 2}}', "it has 'b' twice"),
        (b'{"a": NaN}', r"it\['a'\] must be a whole number; it is nan"),
        (b'{"a": 1e999}', "it is inf"),
        (b'{"a": %s}' % (b"9" * 5000), "4300 digits"),
        (b'{"a": %s}' % (b"9" * 50), "must be a whole number"),
        (b"null", "it must be an object; it is None"),
        (b"[1]", "it must be an object"),
    ],
)
def test_a_damaged_file_is_one_error(tmp_path, content, told):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(InputError, match=rf"(?s)x\.json is damaged: .*({told}).* {ADVICE}$"):
        read(tmp_path / "x.json")


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    for name, told in (
        ("pipe", "cannot be read .it is a named pipe"),
        ("zeros", "cannot be read .it is a device"),
        ("folder", "cannot be read .it is a folder"),
        ("loop", "cannot be read .Too many levels"),
        ("nothing", "cannot be read .No such file"),
    ):
        with pytest.raises(InputError, match=f"{name} {told}.*{ADVICE}"):
            read(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"a": 1}\n{"a": 2', "line 2: it has no end"),
        (b'{"a": 1}\n\n', "line 2: it is empty"),
        (b'{"a": 1}\n{"a": "x"}\n', r"line 2: it\['a'\] must be a whole number"),
        (b"\xff\n", "line 1: .*can't decode"),
        ('{"a": 1}\n'.encode("utf-16"), "line 1: "),
    ],
)
def test_a_damaged_line_is_named(tmp_path, content, told):
    (tmp_path / "x.jsonl").write_bytes(content)
    with pytest.raises(InputError, match=rf"x\.jsonl is damaged: {told}"):
        read_json_lines(tmp_path / "x.jsonl", dict[str, int], ADVICE)
    (tmp_path / "x.jsonl").write_text(json.dumps({"a": 1}) + "\n")
    assert read_json_lines(tmp_path / "x.jsonl", dict[str, int], ADVICE) == [{"a": 1}]


def test_a_terabyte_without_a_line_is_not_read(tmp_path):
    with (tmp_path / "x").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InputError, match=r"cannot be read .it has 1\.1 TB, where at most 1\.0 MB"):
        read(tmp_path / "x")
    with pytest.raises(InputError, match=r"a line has more than 16\.8 MB"):
        list(bounded_lines(tmp_path / "x", ""))
