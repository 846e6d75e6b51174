"""Seed maps beside the frames of a batch, and folders in which some are missing."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tcam_jax.data.decode import decode_jpeg, resize
from tcam_jax.data.records import Split, open_split
from tcam_jax.data.sampler import window_indices
from tcam_jax.data.seed_check import check_seed_files
from tcam_jax.data.seed_files import SeedFiles
from tcam_jax.data.window_frames import target_position
from tcam_jax.data.windows import training_batches
from tcam_jax.runtime.errors import InputError
from tests.data.builders.hand_made import hand_made, jpeg, shot
from tests.data.test_damaged_records import SETTINGS, damaged_data, pictures
from tests.data.test_windows import assert_equal_batches

SIZE = SETTINGS["resize_size"]


def map_of(record: int) -> np.ndarray:
    """Another one for every record; every third is not of the size of a batch."""
    shape = (SIZE, SIZE) if record % 3 else (11, 50)
    return np.random.default_rng(record).random(shape, np.float32)


def expected_map(record: int) -> np.ndarray:
    image = Image.fromarray(map_of(record)).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    return np.asarray(image)


def write_maps(folder: Path, split: Split) -> list[Path]:
    """A .npy for every record, by record number."""
    files = []
    for record, example in enumerate(split.read(range(split.table.num_records))):
        file = (folder / example["frame_id"]).with_suffix(".npy")
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, map_of(record))
        files.append(file)
    return files


@pytest.fixture(scope="module")
def intact(tmp_path_factory) -> Split:
    return damaged_data(tmp_path_factory.mktemp("intact"), [])


@pytest.fixture
def seeds(intact, tmp_path) -> tuple[Path, list[Path]]:
    return tmp_path, write_maps(tmp_path, intact)


def batches(split: Split, seed_dir: Path | None, num_steps: int, first_step: int = 0, **settings):
    return training_batches(
        split,
        first_step=first_step,
        num_steps=num_steps,
        seed_dir=seed_dir,
        **SETTINGS | settings,
    )


@pytest.mark.parametrize(
    ("n", "mode"), [(0, "before"), (2, "before"), (3, "after"), (1, "before_after")]
)
def test_every_slot_has_the_map_of_its_frame(intact, seeds, n, mode):
    clipped = 0
    for step, batch in enumerate(batches(intact, seeds[0], 8, n=n, mode=mode)):
        records, valid = window_indices(
            intact.table, seed=SETTINGS["seed"], step=step, batch_size=4, n=n, mode=mode
        )
        maps, target = batch["seed_maps"], target_position(n, mode)
        assert (maps.shape, maps.dtype) == ((*records.shape, SIZE, SIZE), np.float32)
        for place in np.ndindex(records.shape):
            np.testing.assert_array_equal(maps[place], expected_map(int(records[place])))
            if not valid[place]:
                np.testing.assert_array_equal(maps[place], maps[place[0], target])
                clipped += 1
    assert clipped or n == 0


@pytest.mark.parametrize(("n", "mode"), [(2, "before"), (1, "before_after")])
def test_every_slot_has_the_source_of_its_frame(intact, n, mode):
    clipped = 0
    for step, batch in enumerate(batches(intact, None, 6, n=n, mode=mode, source_size=21)):
        records, valid = window_indices(
            intact.table, seed=SETTINGS["seed"], step=step, batch_size=4, n=n, mode=mode
        )
        for place in np.ndindex(records.shape):
            pixels = decode_jpeg(intact.read_jpeg(int(records[place])))
            assert pixels.shape[0] not in (21, SIZE)
            np.testing.assert_array_equal(batch["sources"][place], resize(pixels, 21))
            np.testing.assert_array_equal(batch["frames"][place], resize(pixels, SIZE))
            clipped += not valid[place]
    assert clipped


def test_the_rest_of_a_batch_does_not_change(intact, seeds):
    with_maps = list(batches(intact, seeds[0], 5, source_size=21))
    for one, plain in zip(with_maps, batches(intact, None, 5), strict=True):
        assert plain.keys() == {"frames", "valid", "label", "slot"}
        assert_equal_batches({key: one[key] for key in plain}, plain)


@pytest.mark.parametrize("bad", [[], [2, 7, 11, 12]])
def test_a_batch_is_a_function_of_seed_and_step_on_every_host(intact, seeds, tmp_path, bad):
    split = damaged_data(tmp_path / "data", bad)
    whole = list(batches(split, seeds[0], 9))
    for one, later in zip(whole[5:], batches(split, seeds[0], 4, first_step=5), strict=True):
        assert_equal_batches(one, later)
    part = next(batches(split, seeds[0], 1, first_step=3, rows=slice(1, 3)))
    assert_equal_batches(part, {key: value[1:3] for key, value in whole[3].items()})


def test_in_the_place_of_a_damaged_neighbour_is_the_targets_map(intact, seeds, tmp_path):
    bad, met = 7, 0
    folder, files = seeds
    files[bad].write_bytes(b"")  # the map of a frame that cannot be seen is not read
    split = damaged_data(tmp_path / "data", [bad])
    record_of = {frame.tobytes(): record for record, frame in enumerate(pictures(intact))}
    for step, batch in enumerate(batches(split, folder, 30)):
        records, _ = window_indices(
            intact.table, seed=SETTINGS["seed"], step=step, batch_size=4, n=1, mode="before"
        )
        for row in np.flatnonzero((records[:, 0] == bad) & (records[:, 1] != bad)):
            met += 1
            np.testing.assert_array_equal(batch["valid"][row], [False, True])
            for place in (0, 1):
                np.testing.assert_array_equal(
                    batch["seed_maps"][row, place], expected_map(int(records[row, 1]))
                )
        # Windows of a damaged target are drawn again; their maps too are those of their frames.
        frames = batch["frames"].reshape(-1, SIZE, SIZE, 3)
        maps = batch["seed_maps"].reshape(-1, SIZE, SIZE)
        for frame, found in zip(frames, maps, strict=True):
            np.testing.assert_array_equal(found, expected_map(record_of[frame.tobytes()]))
    assert met > 2


def test_a_wrong_map_stops_training_when_its_batch_comes(intact, seeds):
    folder, files = seeds
    np.save(files[8], np.full((4, 4), np.nan))
    with pytest.raises(InputError, match=rf"seed map {re.escape(str(files[8]))}: .* NaN"):
        list(batches(intact, folder, 20))


def test_a_map_that_goes_away_stops_training_when_its_batch_comes(intact, seeds):
    folder, files = seeds
    stream = batches(intact, folder, 60)
    next(stream)
    files[8].unlink()
    with pytest.raises(InputError, match=rf"at {re.escape(str(files[8]))} \(or \.png\), got no"):
        list(stream)


def refused(split: Split, folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        batches(split, folder, 1)
    return str(caught.value)


def test_missing_maps_are_counted_and_three_named_before_the_first_batch(intact, seeds):
    folder, files = seeds
    for record in (3, 6, 7, 18):
        files[record].unlink()
    message = refused(intact, folder)
    assert str(folder) in message and "video_folder/hand train" in message
    assert (
        "at least 4 of 20 have none, the first: a/v/0/3.jpg, b/v/1/1.jpg, b/v/1/2.jpg;" in message
    )


def test_a_missing_shot_and_a_missing_first_frame(intact, seeds):
    folder, files = seeds
    for file in files[5:10]:
        file.unlink()
    files[15].unlink()
    np.save(files[15].with_name("unknown.npy"), map_of(0))  # the number of files is right
    message = refused(intact, folder)
    assert (
        "at least 6 of 20 have none, the first: b/v/1/0.jpg, b/v/1/1.jpg, b/v/1/2.jpg;" in message
    )


def test_an_empty_folder_and_no_folder(intact, tmp_path):
    message = refused(intact, tmp_path)
    assert "at least 20 of 20 have none, the first: a/v/0/0.jpg, a/v/0/1.jpg" in message
    assert "got nothing there" in refused(intact, tmp_path / "other")


def test_two_maps_of_a_frame_are_refused_before_the_first_batch(intact, seeds):
    folder, files = seeds
    Image.new("L", (4, 4)).save(files[8].with_suffix(".png"))
    assert f"got both {files[8]} and 3.png" in refused(intact, folder)


def test_frames_of_one_folder_may_be_in_several_shots(tmp_path):
    # As for a video file: "class/video.mp4/000000.jpg", cut into shots that are no folders.
    whole = shot("a/tom.mp4/s", [jpeg(number) for number in range(6)])
    frames = [frame._replace(frame_id=f"a/tom.mp4/{i:06d}.jpg") for i, frame in enumerate(whole[4])]
    shots = [
        whole._replace(shot=f"shot-{k}", num_frames=3, frames=frames[3 * k : 3 * k + 3])
        for k in range(2)
    ]
    hand_made(tmp_path / "data", lambda: {"train": shots}, classes=("a",)).download_and_prepare()
    split = open_split(tmp_path / "data", "video_folder", "hand", "train")
    files = write_maps(tmp_path / "maps", split)
    assert files[5] == tmp_path / "maps/a/tom.mp4/000005.npy"
    for step, batch in enumerate(batches(split, tmp_path / "maps", 3)):
        records, _ = window_indices(
            split.table, seed=SETTINGS["seed"], step=step, batch_size=4, n=1, mode="before"
        )
        for place in np.ndindex(records.shape):
            found = batch["seed_maps"][place]
            np.testing.assert_array_equal(found, expected_map(int(records[place])))
    files[4].unlink()
    assert "at least 1 of 6 have none, the first: a/tom.mp4/000004.jpg;" in refused(
        split, tmp_path / "maps"
    )


def test_frames_of_one_name_share_a_map(tmp_path):
    one = shot("a/v/s", [jpeg(number) for number in range(2)])
    first, second = one.frames
    one = one._replace(frames=[first, second._replace(frame_id="a/v/s/0.jpeg")])
    hand_made(tmp_path / "data", lambda: {"train": [one]}, classes=("a",)).download_and_prepare()
    split = open_split(tmp_path / "data", "video_folder", "hand", "train")
    write_maps(tmp_path / "maps", split)
    check_seed_files(SeedFiles(tmp_path / "maps"), split)


def test_a_shot_of_damaged_records_alone_is_passed_over(tmp_path, monkeypatch):
    split = damaged_data(tmp_path / "data", [])
    write_maps(tmp_path / "maps", split)
    read = Split.read_frame_id

    def broken(self, record):
        if record in range(5, 10):
            raise self.damaged(record, "cannot be read")
        return read(self, record)

    for file in (tmp_path / "maps/b/v/1").iterdir():
        file.unlink()
    monkeypatch.setattr(Split, "read_frame_id", broken)
    check_seed_files(SeedFiles(tmp_path / "maps"), split)


def test_maps_made_in_a_wrong_way_are_seen_before_the_first_batch(intact, seeds, caplog):
    folder, files = seeds
    good = np.load(files[5])
    np.save(files[5], np.stack([good] * 3))  # the first of a shot
    assert f"seed map {files[5]}: expected two dimensions" in refused(intact, folder)
    np.save(files[5], good)
    for file in files:
        if file != files[10]:
            np.save(file, np.full((4, 4), 0.3, np.float32))
    next(batches(intact, folder, 1))  # an object may fill a frame
    assert caplog.messages == []
    np.save(files[10], np.zeros((4, 4), np.float32))
    next(batches(intact, folder, 1))
    (told,) = caplog.messages
    assert "one value all over, in each of the 4 that" in told


def test_the_check_reads_one_record_of_each_shot(intact, seeds, monkeypatch):
    read, asked = Split.read_frame_id, []
    monkeypatch.setattr(
        Split, "read_frame_id", lambda self, record: asked.append(record) or read(self, record)
    )
    check_seed_files(SeedFiles(seeds[0]), intact)
    assert asked == intact.table.start.tolist()
