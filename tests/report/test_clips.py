"""Clips: which shots, and that they move."""

import base64
import io

import numpy as np
from PIL import Image

from tcam_jax.data.records import open_split
from tcam_jax.data.shot_table import Row, ShotTable
from tcam_jax.evaluate.maps import TCAM_METHOD
from tcam_jax.report import clips
from tcam_jax.report.clips import FRAMES, choose_shots, clip
from tcam_jax.report.pictures import moving
from tcam_jax.report.sections import clips_section


def test_the_longest_shots_of_different_classes():
    lengths, labels = [3, 50, 8, 9, 5, 6, 7], [0, 1, 1, 2, 3, 4, 5]
    rows = [
        Row(f"video {shot}", f"shot {shot}", i, label, has_box=False)
        for shot, (length, label) in enumerate(zip(lengths, labels, strict=True))
        for i in range(length)
    ]
    shots = choose_shots(ShotTable.from_rows(rows))
    assert [shot.start for shot in shots] == [3, 61, 81, 75]
    assert [len(shot) for shot in shots] == [FRAMES, 9, 7, 6]


def test_a_clip_of_stored_frames_moves(shapes_data):
    split = open_split(shapes_data, "moving_shapes", "default", "train")

    def maps(shown, labels):
        assert len(set(labels)) == 1 and shown.split is split
        return [{TCAM_METHOD: np.eye(16, k=record, dtype=np.uint8)} for record in shown.records]

    found = clip(split, range(0, 2), maps, "tcam", 0.5)
    kind, _, text = found.uri.partition(";base64,")
    picture = Image.open(io.BytesIO(base64.b64decode(text)))
    assert kind == "data:image/webp" and picture.n_frames == 2
    assert picture.size == (found.width, found.height)
    assert "2 frames" in found.caption and split.class_names[0] in found.caption


def test_the_section_is_of_the_first_split_with_shots_long_enough(shapes_data, monkeypatch):
    splits = {
        name: open_split(shapes_data, "moving_shapes", "default", name)
        for name in ("test", "validation")
    }

    def maps(shown, labels):
        return [{"layercam": np.eye(16, dtype=np.uint8)} for _ in shown.images]

    assert clips_section(splits, maps, "layercam", None) is None  # its shots are too short
    monkeypatch.setattr(clips, "FEWEST", 1)
    (group,) = clips_section(splits, maps, "layercam", None).groups
    assert group.text == "Frames of the test split: not trained on." and group.figures


def test_every_picture_has_its_time():
    pictures = [np.full((20, 30, 3), 100 * i, np.uint8) for i in range(3)]
    uri = moving(pictures, 0.2, "a", "b").uri
    picture = Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    for i in range(3):
        picture.seek(i)
        picture.load()
        assert picture.info["duration"] == 200
