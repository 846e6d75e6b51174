"""Numbers and times of frames, from what packets promise and what decoders give."""

import numpy as np
import pytest

from tcam_jax.data.video_timeline import Gap, Timeline


def run(line: Timeline, packets: list, frames: list) -> list[tuple[int, float]]:
    """What is shown; of packets, ("bad", time) is no whole one."""
    for packet in packets:
        bad = isinstance(packet, tuple)
        line.sent(packet[1] if bad else packet, whole=not bad)
    found = [line.shown(time) for time in frames]
    line.finish()
    return found


@pytest.mark.parametrize("unordered", [False, True])
@pytest.mark.parametrize(
    "packets",
    [
        [0.0, 1.0, 2.0, 3.0],
        [0.0, 3.0, 1.0, 2.0, 6.0, 4.0, 5.0],  # frames that refer to later ones
        [5.0, 9.0, 5.5, 20.0, 11.0],  # a variable rate
    ],
)
def test_sound_times_are_those_of_display(packets, unordered):
    line = Timeline(1.0, unordered)
    found = run(line, packets, sorted(packets))
    assert found == list(enumerate(sorted(packets))) and line.gaps == []


def test_without_times_of_display_they_are_in_order():
    # x264 with 2 B-frames in AVI, as PyAV reads it: both only know the order of the file.
    times = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    found = run(Timeline(1.0, unordered=True), times, [1.0, 3.0, 4.0, 2.0, 6.0, 5.0])
    assert found == list(enumerate(times))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([None, None, None], [0, 0.5, 1]),  # no times at all
        ([0.0, 0.5, 0.25, 1.5], [0, 0.5, 1, 1.5]),  # a wrong one
        ([7.0, 8.0, 1.0, 2.0, 3.0], [7, 8, 9, 10, 11]),  # two files joined
    ],
)
def test_times_grow(given, expected):
    line = Timeline(0.5)
    found = [line.shown(time) for time in given]
    assert found == list(enumerate(expected)) and line.gaps == []


def test_packets_that_show_nothing_are_no_frames():
    # VP8 stores frames that are only referred to.
    line = Timeline(1.0)
    found = run(line, [0.0, 1.0, 1.9, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0])
    assert [number for number, _ in found] == [0, 1, 2, 3] and line.gaps == []


@pytest.mark.parametrize(
    ("packets", "frames", "numbers", "gaps"),
    [
        ([0.0, 1.0, ("bad", 2.0), 3.0], [0.0, 1.0, 3.0], [0, 1, 3], [Gap(1, 2, 2.0)]),
        # A decoder that leaves out what refers to what is damaged, without a word.
        ([0.0, ("bad", 1.0), 2.0, 3.0, 4.0], [0.0, 4.0], [0, 4], [Gap(3, 1, 1.0)]),
        ([("bad", 0.0), 1.0, 2.0], [1.0, 2.0], [1, 2], [Gap(1, 0, 0.0)]),
        ([0.0, ("bad", 1.0), 2.0], [0.0], [0], [Gap(2, 1, 1.0)]),  # to the end
        (
            [0.0, ("bad", 1.0), 2.0, ("bad", 3.0), 4.0],
            [0.0, 2.0, 4.0],
            [0, 2, 4],
            [Gap(1, 1, 1.0), Gap(1, 3, 3.0)],
        ),
    ],
)
def test_damaged_packets_keep_their_numbers(packets, frames, numbers, gaps):
    line = Timeline(1.0)
    assert [number for number, _ in run(line, packets, frames)] == numbers and line.gaps == gaps


def test_after_a_hole_frames_are_counted_by_time():
    line = Timeline(1.0)
    for time in (0.0, 40.0, 80.0):  # the file's rate is not what it says
        line.sent(time)
        line.shown(time)
    line.hole(240.0)
    line.sent(240.0)
    assert line.shown(240.0) == (6, 240.0) and line.gaps == [Gap(3, 3, 120.0)]
    assert line.shown(400.0) == (7, 400.0)  # no hole: a variable rate


def test_codecs_of_one_rate_have_gaps_by_their_times():
    line = Timeline(40.0, fixed_rate=True)
    film = [0.0, 40.0, 100.0, 140.0, 200.0]  # 24 pictures a second, stored as 30
    assert [line.shown(time)[0] for time in film] == [0, 1, 2, 3, 4]
    assert line.shown(320.0) == (7, 320.0) and line.gaps == [Gap(2, 5, 240.0)]
    assert line.shown(1e9)[0] == 8  # another clock


def test_gaps_are_not_counted_twice():
    line = Timeline(1.0, fixed_rate=True)
    found = run(line, [0.0, ("bad", 1.0), ("bad", 2.0), 3.0], [0.0, 3.0])
    np.testing.assert_array_equal(found, [(0, 0), (3, 3)])
    assert line.gaps == [Gap(2, 1, 1.0)]
