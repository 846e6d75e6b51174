"""launch.convert from folders of results to other formats."""

from tests.predict.formats.lines import IMAGES, VIDEO, write_lines


def test_folders_of_results_become_one(launch, tmp_path):
    write_lines(tmp_path / "a/predictions.jsonl", *VIDEO)
    write_lines(tmp_path / "b/predictions.jsonl", *IMAGES)
    inputs = [f"--input={tmp_path / name}" for name in "ab"]
    done = launch("convert", *inputs, f"--output={tmp_path / 'out'}", "--format=jsonl,csv")
    written = [str(tmp_path / "out" / name) for name in ("predictions.jsonl", "predictions.csv")]
    assert done.stdout == f"5 frames of 3 files: {', '.join(written)}\n"
