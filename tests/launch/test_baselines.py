import pytest

from tcam_jax.data.records import open_split
from tcam_jax.data.truth import read_truth


@pytest.mark.slow
def test_baselines_of_a_dataset_with_boxes(shapes_data, launch):
    lines = launch(
        "baselines", "--config=configs/demo.py", f"--data_dir={shapes_data}"
    ).stdout.splitlines()
    truth = read_truth(open_split(shapes_data, "moving_shapes", "default", "test"))
    assert lines[0].startswith(f"moving_shapes/default test: {len(truth.ids)} frames with boxes")
    # Ten classes of one frame each: a box as large as half the frame is hit by the whole of it.
    areas = [(b[2] - b[0] + 1) * (b[3] - b[1] + 1) / 128**2 for (b,) in truth.boxes]
    assert f"{100 * sum(areas) / len(areas):.1f} % of it" in lines[1]
    rows = {line.split(maxsplit=1)[1]: float(line.split()[0]) for line in lines[2:]}
    assert [name.split(",")[0] for name in rows] == [
        "centre box",
        "whole frame",
        "frame difference",
    ]
    assert rows["whole frame"] == 100 * sum(area >= 0.5 for area in areas) / len(areas)
    assert all(0 <= score <= 100 for score in rows.values())
