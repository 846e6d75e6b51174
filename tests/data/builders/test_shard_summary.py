"""The summary of a finished shard: as it was written, or none, and the shard is made again."""

import json
import os

import pytest

from tcam_jax.data.builders.findings import Finding
from tcam_jax.data.builders.shard_summary import ShardSummary, ShotSummary, read_summary
from tests.data.builders.hand_made import shot

SHOTS = [shot("a/u/0", [b"x"]), shot("b/w/é", [b"y"])]
SUMMARY = ShardSummary("train", 9, findings=[Finding("not_jpeg", "b/w/é/\udce9.png")])
SUMMARY.shots += [ShotSummary("a", "u", "0", [0, 1]), ShotSummary("b", "w", "é", [2])]
SUMMARY.sizes["32x24"] += 3


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"split": "test"},
        {"num_bytes": -1},
        {"shots": [["a", "u", "0"]]},
        {"shots": [["a", "u", "0", ["1"]]]},
        {"shots": [["a", "u", "1", [1]]]},  # of another shard
        {"sizes": {"32x24": None}},
        {"findings": [["no_such", "b", ""]]},
        {"findings": "x"},
    ],
)
def test_only_what_was_written_is_taken(tmp_path, changed):
    path = tmp_path / "train-00000.json"
    path.write_text(json.dumps(vars(SUMMARY) | changed))
    assert read_summary(path, "train", SHOTS) == (None if changed else SUMMARY)


@pytest.mark.parametrize("content", ["", "{}", "[]", "[" * 10**5, '{"split": "tr', "\0" * 9])
def test_a_damaged_one_is_none(tmp_path, content):
    path = tmp_path / "train-00000.json"
    path.write_text(content)
    assert read_summary(path, "train", SHOTS) is None
    path.unlink()
    os.mkfifo(path)
    assert read_summary(path, "train", SHOTS) is None
