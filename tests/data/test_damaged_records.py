"""Training goes on without damaged records, and says so."""

import itertools
import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from tcam_jax.data.bad_records import MOST_BAD_RECORDS
from tcam_jax.data.records import Split, open_split
from tcam_jax.data.sampler import redraw_target, window_indices
from tcam_jax.data.windows import training_batches
from tests.data.builders.hand_made import hand_made, jpeg, shot
from tests.data.test_windows import assert_equal_batches, replace_image

SHOTS, FRAMES = 4, 5
SETTINGS = {"seed": 3, "batch_size": 4, "n": 1, "mode": "before", "resize_size": 32}


def damaged_data(
    folder: Path, records: Iterable[int], shots: int = SHOTS, height: int = 24
) -> Split:
    """Shots of 5 different frames, in two classes; the images of some records are cut off.

    Frames of height 32 need no resizing: they are decoded in their places of the batch.
    """
    made = [
        shot(f"{'ab'[s % 2]}/v/{s}", [jpeg(FRAMES * s + f, 32, height) for f in range(FRAMES)])
        for s in range(shots)
    ]
    hand_made(folder, lambda: {"train": made}).download_and_prepare()
    for record in records:
        replace_image(folder / "video_folder/hand/1.0.0", record, jpeg(record, 32, height)[:-200])
    return open_split(folder, "video_folder", "hand", "train")


def batches(split: Split, num_steps: int, first_step: int = 0, **settings):
    return list(
        training_batches(split, first_step=first_step, num_steps=num_steps, **SETTINGS | settings)
    )


@pytest.fixture(scope="module")
def intact(tmp_path_factory) -> Split:
    return damaged_data(tmp_path_factory.mktemp("intact"), [])


def pictures(split: Split) -> np.ndarray:
    """Every record as the pipeline gives it, `[records, 32, 32, 3]`."""
    one = batches(split, 60, n=0, batch_size=SHOTS)
    found = {}
    for step, batch in enumerate(one):
        records, _ = window_indices(
            split.table, seed=3, step=step, batch_size=SHOTS, n=0, mode="before"
        )
        for record, frame in zip(records[:, 0], batch["frames"][:, 0], strict=True):
            found[int(record)] = frame
    return np.stack([found[record] for record in range(split.table.num_records)])


@pytest.mark.parametrize("height", [24, 32])
def test_windows_without_the_damaged_record_stay_as_they_are_and_the_others_are_mended(
    tmp_path, caplog, height
):
    bad, steps = 7, 30
    intact = damaged_data(tmp_path / "intact", [], height=height)
    split = damaged_data(tmp_path / "damaged", [bad], height=height)
    whole = pictures(intact)
    met = {"neighbour": 0, "target": 0}
    with caplog.at_level(logging.WARNING):
        found = batches(split, steps)
    for step, (one, clean) in enumerate(zip(found, batches(intact, steps), strict=True)):
        records, valid = window_indices(
            intact.table, seed=3, step=step, batch_size=4, n=1, mode="before"
        )
        for row in range(4):
            records_of_row, valid_of_row = records[row], valid[row]
            if records_of_row[1] == bad:
                met["target"] += 1
                target = bad
                for attempt in itertools.count(1):
                    target = redraw_target(
                        intact.table, seed=3, step=step, slot=row, attempt=attempt
                    )
                    if target != bad:
                        break
                first = int(intact.table.start[intact.table.shot[target]])
                valid_of_row = np.array([target > first and target - 1 != bad, True])
                records_of_row = np.array([target - 1 if valid_of_row[0] else target, target])
            elif bad in records_of_row:
                met["neighbour"] += 1
                valid_of_row = np.array([False, True])
                records_of_row = np.repeat(records_of_row[1], 2)
            else:
                for key in clean:
                    np.testing.assert_array_equal(one[key][row], clean[key][row])
            np.testing.assert_array_equal(one["valid"][row], valid_of_row)
            np.testing.assert_array_equal(one["frames"][row], whole[records_of_row])
            assert one["label"][row] == intact.table.label[records_of_row[1]]
    assert min(met.values()) > 2, "the damaged record was met in both places"
    # Named once, though it was met many times.
    (told,) = [r.getMessage() for r in caplog.records if "bad record" in r.getMessage()]
    assert "(1 so far): record 7 of video_folder/hand train" in told
    assert "b/v/1/2.jpg is no decodable JPEG file" in told


@pytest.mark.parametrize("height", [24, 32])
def test_a_batch_remains_a_function_of_seed_and_step_on_every_host(tmp_path, height):
    split = damaged_data(tmp_path, [2, 7, 11, 12], height=height)
    whole = batches(split, 12)
    for one, later in zip(whole[5:], batches(split, 7, first_step=5), strict=True):
        assert_equal_batches(one, later)
    for rows in (slice(0, 1), slice(1, 4)):
        for one, part in zip(whole, batches(split, 12, rows=rows), strict=True):
            assert_equal_batches(part, {key: value[rows] for key, value in one.items()})


def test_a_flipped_bit_in_a_record_file_does_not_stop_training(tmp_path, caplog):
    damaged_data(tmp_path, [])
    (path,) = (tmp_path / "video_folder/hand/1.0.0").glob("*-train.array_record*")
    content = bytearray(path.read_bytes())
    content[10_000] ^= 1  # among the 20 records of about 1.5 kB with which the file begins
    path.write_bytes(content)
    split = open_split(tmp_path, "video_folder", "hand", "train")
    with caplog.at_level(logging.WARNING):
        assert len(batches(split, 20)) == 20
    told = [r.getMessage() for r in caplog.records if "bad record" in r.getMessage()]
    assert len(told) == 1 and "cannot be read" in told[0]


def test_a_dataset_with_too_many_damaged_records_stops_the_run(tmp_path):
    split = damaged_data(tmp_path, range(MOST_BAD_RECORDS + 4), shots=12)
    message = f"more than {MOST_BAD_RECORDS} records of video_folder/hand train could not be used"
    with pytest.raises(ValueError, match=message):
        batches(split, 400)


def test_a_dataset_of_damaged_records_alone_stops_the_run(tmp_path):
    split = damaged_data(tmp_path, range(10), shots=2)
    with pytest.raises(ValueError, match="16 redraws in a row .* met a damaged record"):
        batches(split, 1)


def test_redrawn_targets_are_uniform_over_shots_and_differ_from_draw_to_draw(intact):
    draws = np.array(
        [
            redraw_target(intact.table, seed=1, step=step, slot=slot, attempt=attempt)
            for step in range(40)
            for slot in range(5)
            for attempt in (1, 2)
        ]
    )
    counts = np.bincount(intact.table.shot[draws], minlength=SHOTS)
    # 400 draws: 100 a shot, standard deviation 8.7.
    assert np.abs(counts - 100).max() < 4 * 8.7
    assert len(np.unique(draws)) == intact.table.num_records
    assert (draws[::2] != draws[1::2]).mean() > 0.8
