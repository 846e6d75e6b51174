"""Each file is one shard's, and a shard that is missing is named."""

from pathlib import Path

import pytest

from tcam_jax.predict.shards import missing_shards, share_of
from tcam_jax.runtime.errors import InputError


def test_the_shards_are_all_files_once():
    files = [Path(f"{number}.jpg") for number in range(6)]
    shares = [share_of(files, f"{i}/4") for i in range(4)]
    assert sorted(file for share, _ in shares for file in share) == sorted(files)
    assert shares[1][1] == "shard_0001_of_0004"
    assert share_of(files[:2], "3/4")[0] == []
    for wrong in ("4/4", "1", "a/b", "-1/4", "1/0", "1/4/2"):
        with pytest.raises(InputError, match=f"i from 0 to n - 1.*got '{wrong}'"):
            share_of(files, wrong)


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        (["a/shard_0000_of_0002"], ["a/shard_0001_of_0002"]),
        (["a/shard_0001_of_0003", "b"], ["a/shard_0000_of_0003", "a/shard_0002_of_0003"]),
        (["a/shard_0000_of_0002", "b/shard_0001_of_0002"], []),  # copied from two machines
        (
            ["a/shard_0000_of_0002", "b/shard_0001_of_0002", "b/shard_0000_of_0002"],
            ["a/shard_0001_of_0002"],
        ),
        (["a/shard_0000_of_0002", "a/shard_0001_of_0002", "a/shard_0000_of_0001", "c"], []),
    ],
)
def test_shards_that_are_missing(there, missing):
    assert missing_shards(map(Path, there)) == list(map(Path, missing))
