"""Small files are whole or not there."""

import json

from tcam_jax.runtime.files import write_whole
from tcam_jax.runtime.json_files import read_json


def test_what_is_written_is_read(tmp_path):
    write_whole(tmp_path / "é.json", json.dumps({"名": [1, None]}))
    assert read_json(tmp_path / "é.json", dict[str, list[int | None]], "") == {"名": [1, None]}
