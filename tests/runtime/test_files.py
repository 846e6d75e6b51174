"""Small files: damaged ones are one clear error."""

import json

import pytest

from tcam_jax.config.record import load_config
from tcam_jax.runtime.errors import InputError
from tcam_jax.runtime.files import read_json, write_whole


def test_what_is_written_is_read(tmp_path):
    write_whole(tmp_path / "é.json", json.dumps({"名": [1, None]}))
    assert read_json(tmp_path / "é.json") == {"名": [1, None]}


@pytest.mark.parametrize("content", [b'{"a": ', b"", b"\xff\xfe"])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(InputError, match=r"config\.json is damaged or cannot be read \("):
        load_config(tmp_path)
    with pytest.raises(InputError, match="nothing is damaged or cannot be read .No such file"):
        read_json(tmp_path / "nothing")
