from dataclasses import replace

import numpy as np
import pytest

from tcam_jax.data.shot_table import Row, ShotTable, load_table, save_tables
from tcam_jax.runtime.errors import InputError

ROWS = [
    Row("v0", "v0/a", 0, 1, False),
    Row("v0", "v0/a", 1, 1, True),
    Row("v0", "v0/b", 0, 1, False),
    Row("v1", "v1/a", 0, 0, True),
    Row("v1", "v1/a", 1, 0, True),
    Row("v1", "v1/a", 2, 0, False),
]


def test_from_rows_numbers_videos_and_shots():
    table = ShotTable.from_rows(ROWS)
    assert (table.num_records, table.num_shots) == (6, 3)
    assert table.video.tolist() == [0, 0, 0, 1, 1, 1]
    assert table.shot.tolist() == [0, 0, 1, 2, 2, 2]
    assert table.index_in_shot.tolist() == [0, 1, 0, 0, 1, 2]
    assert table.label.tolist() == [1, 1, 1, 0, 0, 0]
    assert table.has_box.tolist() == [False, True, False, True, True, False]
    assert table.start.tolist() == [0, 2, 3]
    assert table.stop.tolist() == [2, 3, 6]


def test_round_trip_of_two_splits_keeps_values_and_dtypes(tmp_path):
    tables = {"train": ShotTable.from_rows(ROWS), "test": ShotTable.from_rows(ROWS[3:])}
    save_tables(tmp_path / "index.npz", tables)
    dtypes = {"has_box": bool, "start": np.int64, "stop": np.int64}
    for split, table in tables.items():
        loaded = load_table(tmp_path / "index.npz", split)
        for key in ("video", "shot", "index_in_shot", "label", "has_box", "start", "stop"):
            assert getattr(loaded, key).dtype == dtypes.get(key, np.int32), key
            np.testing.assert_array_equal(getattr(loaded, key), getattr(table, key))


def test_the_shots_of_a_class_can_be_left_out():
    whole = ShotTable.from_rows(ROWS)
    for label in (0, 1):
        left = whole.without(label)
        shots = [(left.start[s], left.stop[s]) for s in range(left.num_shots)]
        kept = [s for s in range(whole.num_shots) if whole.label[whole.start[s]] != label]
        assert shots == [(whole.start[s], whole.stop[s]) for s in kept]
        for number, (start, stop) in enumerate(shots):
            assert (left.shot[start:stop] == number).all()
        assert left.num_records == whole.num_records
    with pytest.raises(ValueError, match="there are none"):
        whole.without(0).without(1)


def test_the_middle_of_every_shot_alone():
    lengths = (1, 2, 3, 4, 5, 10)
    whole = ShotTable.from_rows(
        Row("v", f"s{shot}", index, 0, False)
        for shot, length in enumerate(lengths)
        for index in range(length)
    )
    middle = whole.middle(0.6)
    places = [
        (int(middle.start[s] - whole.start[s]), int(middle.stop[s] - whole.start[s]))
        for s in range(whole.num_shots)
    ]
    assert places == [(0, 1), (0, 2), (1, 3), (1, 4), (1, 4), (2, 8)]
    assert middle.num_records == whole.num_records
    np.testing.assert_array_equal(middle.shot, whole.shot)
    for share, kept in ((1e-9, 1), (1.0, 10)):
        table = whole.middle(share)
        assert table.stop[-1] - table.start[-1] == kept


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS[:2] + ROWS[3:] + ROWS[:1], "contiguous, but shot 'v0/a' comes again at record 5"),
        ([ROWS[0], ROWS[1]._replace(index_in_shot=2)], "expected index_in_shot 1 at record 1"),
        ([ROWS[1]], "expected index_in_shot 0 at record 0"),
        ([ROWS[0], ROWS[1]._replace(label=0)], "expected one label and one video in shot 'v0/a'"),
        ([ROWS[0], ROWS[1]._replace(video="v9")], "expected one label and one video"),
        ([], "at least one record"),
    ],
)
def test_from_rows_refuses(rows, message):
    with pytest.raises(ValueError, match=message):
        ShotTable.from_rows(rows)


def test_load_refuses_missing_unknown_and_damaged(tmp_path):
    path = tmp_path / "index.npz"
    with pytest.raises(ValueError, match=r"does not exist; run `tcam prepare"):
        load_table(path, "train")
    save_tables(path, {"train": ShotTable.from_rows(ROWS), "test": ShotTable.from_rows(ROWS)})
    with pytest.raises(ValueError, match="unknown split 'val'; .* has the splits test, train"):
        load_table(path, "val")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match="damaged"):
        load_table(path, "train")


def _damaged_tables():
    whole = ShotTable.from_rows(ROWS)
    yield "label is float64", replace(whole, label=whole.label.astype(float))
    yield r"has_box is bool \[5\]", replace(whole, has_box=whole.has_box[:-1])
    yield "its shots do not follow", replace(whole, stop=whole.stop + 1)
    yield "it has no shots, or empty", replace(whole, start=whole.start + 1)
    yield "it has no shots, or empty", replace(whole, stop=whole.start)
    yield "not numbered shot by shot", replace(whole, shot=whole.shot[::-1].copy())
    yield "not numbered shot by shot", replace(whole, index_in_shot=whole.index_in_shot + 1)
    yield "more than one label", replace(whole, label=np.arange(6, dtype=np.int32))
    yield "more than one label", replace(whole, label=whole.label - 9)
    yield "more than one video", replace(whole, video=np.arange(6, dtype=np.int32))


@pytest.mark.parametrize(("told", "table"), [*_damaged_tables()])
def test_a_table_that_cannot_be_is_refused(tmp_path, told, table):
    save_tables(tmp_path / "index.npz", {"train": table})
    with pytest.raises(InputError, match=rf"index\.npz is damaged .*{told}.*tcam prepare"):
        load_table(tmp_path / "index.npz", "train")


def test_a_table_that_would_run_code_or_fill_the_memory_is_refused(tmp_path):
    path = tmp_path / "index.npz"
    np.savez(path, **{"train/video": np.array([{}], object)})
    with pytest.raises(InputError, match="is damaged .*allow_pickle"):
        load_table(path, "train")
    np.savez_compressed(path, **{"train/label": np.zeros(10**6, np.int32)})
    with pytest.raises(InputError, match="is damaged .it has 4.0 MB, where at most"):
        load_table(path, "train")
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "one.npy").rename(path)
    with pytest.raises(InputError, match="is damaged"):
        load_table(path, "train")
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match="is damaged .it is a folder, where a file should be"):
        load_table(path, "train")
