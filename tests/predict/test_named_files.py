"""Globs of loops of links; what else a path may lead to: test_inputs.py."""

import pytest

from tcam_jax.predict.named_files import find_named
from tcam_jax.runtime.errors import InputError
from tests.data.test_folder_walk import make


def test_a_glob_goes_round_no_loops_of_links(tmp_path):
    """Python's own would find each file some 3^40 times."""
    make(tmp_path, "a.png", "b/z.png", "film.avi")
    before = find_named(f"{tmp_path}/**/*").files
    assert len(before) == 3
    for name in ("a", "b", "c"):
        (tmp_path / f"to the top {name}").symlink_to(tmp_path)
    assert find_named(f"{tmp_path}/**/*").files == before == find_named(f"{tmp_path}/**").files
    assert [file.name for file in find_named(f"{tmp_path}/**/z*").files] == ["z.png"]
    with pytest.raises(InputError, match="must match images or videos"):
        find_named(f"{tmp_path}/**/nothing.*")
