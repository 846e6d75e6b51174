"""What moves, in the batches of the pipeline, against a direct reading of the frames."""

import numpy as np
import pytest

from tcam_jax.data.bad_records import BadRecords
from tcam_jax.data.batch_frames import Frames
from tcam_jax.data.decode import decode_into, decode_jpeg, resize
from tcam_jax.data.frame_motion import motion_of_records
from tcam_jax.data.optical_flow import grey, motion_map, window_flow
from tcam_jax.data.sampler import window_indices
from tcam_jax.data.windows import frame_batches
from tests.data.test_damaged_records import FRAMES, SETTINGS, batches, damaged_data

SIZE = SETTINGS["resize_size"]


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    return damaged_data(tmp_path_factory.mktemp("intact"), [])


def frame(split, record):
    return grey(resize(decode_jpeg(split.read_jpeg(record)), SIZE))


def expected_motion(split, record, without=()):
    start = record // FRAMES * FRAMES
    near = [record + away for away in (-2, -1, 1, 2)]
    others = [other for other in near if start <= other < start + FRAMES and other not in without]
    return motion_map(frame(split, record), [frame(split, other) for other in others])


@pytest.mark.parametrize("labelled", ["target", "all"])
def test_batches_have_the_motion_of_labelled_frames(intact, labelled):
    (batch,) = batches(intact, 1, motion_of=labelled)
    settings = {name: SETTINGS[name] for name in ("seed", "batch_size", "n", "mode")}
    records, _ = window_indices(intact.table, step=0, **settings)
    shown = records if labelled == "all" else records[:, -1:]
    assert batch["motion"].shape == (*shown.shape, SIZE // 4, SIZE // 4)
    for place in np.ndindex(*shown.shape):
        np.testing.assert_array_equal(
            batch["motion"][place], expected_motion(intact, int(shown[place]))
        )


def test_frames_to_evaluate_have_their_motion_and_so_has_what_fills_up(intact):
    records = [0, 2, 5, 1]
    whole = list(frame_batches(intact, records=records, batch_size=3, size=SIZE, motion=True))
    shown = np.concatenate([batch["motion"] for batch in whole])
    for found, record in zip(shown, [*records, 1, 1], strict=True):
        np.testing.assert_array_equal(found, expected_motion(intact, record))
    (part, _) = frame_batches(
        intact, records=records, batch_size=3, size=SIZE, rows=slice(1, 2), motion=True
    )
    np.testing.assert_array_equal(part["motion"], whole[0]["motion"][1:2])
    assert "motion" not in next(frame_batches(intact, records=records, batch_size=3, size=SIZE))


def test_batches_have_the_flow_of_their_windows(intact):
    (batch,) = batches(intact, 1, flow=True, mode="before_after")
    expected = window_flow(batch["frames"], batch["valid"], target=1)
    np.testing.assert_array_equal(batch["flow"], expected)
    assert expected.any()


def test_damaged_neighbours_are_left_out(tmp_path):
    damaged = [3, 7]
    split = damaged_data(tmp_path, damaged)
    bad = BadRecords(split)
    frames = Frames(split, (1,), SIZE, decode_into)
    found = motion_of_records(split.table, np.array([2, 3, 6]), SIZE, frames.frame, bad)
    np.testing.assert_array_equal(found[0], expected_motion(split, 2, without=damaged))
    assert not found[1].any()
    np.testing.assert_array_equal(found[2], expected_motion(split, 6, without=damaged))
    assert all(record in bad for record in damaged)
