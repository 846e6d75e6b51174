"""Files of one prediction, shared out among several processes: whose are whose, who is missing."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from tcam_jax.runtime.errors import InputError

FOLDERS = "shard_*_of_*"
"""A glob of the folders of shards."""


def share_of(files: Sequence[Path], shard: str) -> tuple[list[Path], str]:
    """Return the files of one shard, every n-th, and the name of the folder of its results.

    Args:
      files: of all shards.
      shard: "i/n", i from 0.

    Raises:
      InputError: `shard` is none.
    """
    number, _, count = shard.partition("/")
    if not (number.isdecimal() and count.isdecimal() and int(number) < int(count)):
        raise InputError(f"--shard must be i/n, i from 0 to n - 1, such as 0/16; got {shard!r}.")
    return list(files[int(number) :: int(count)]), _folder(int(number), int(count))


def missing_shards(folders: Iterable[Path]) -> list[Path]:
    """Return the folders of shards that would make those of `folders` whole.

    Those that lie beside each other belong together; so do all of one number of shards, wherever
    they lie, where each is there once.
    """
    found: dict[int, dict[Path, list[int]]] = defaultdict(lambda: defaultdict(list))
    for folder in folders:
        if name := re.fullmatch(r"shard_(\d{4,})_of_(\d{4,})", folder.name):
            found[int(name[2])][folder.parent].append(int(name[1]))
    missing = []
    for count, places in found.items():
        everywhere = sorted(number for numbers in places.values() for number in numbers)
        if everywhere == list(range(count)):
            continue
        for place, numbers in places.items():
            missing += [place / _folder(n, count) for n in range(count) if n not in numbers]
    return missing


def _folder(number: int, count: int) -> str:
    return f"shard_{number:04d}_of_{count:04d}"
