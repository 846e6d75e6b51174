"""launch.convert from folders of results to other formats."""

from tests.predict.formats.lines import IMAGES, VIDEO, write_lines


def test_folders_of_results_become_one(launch, tmp_path):
    shards = [tmp_path / f"OUT/shard_000{number}_of_0003" for number in range(3)]
    write_lines(shards[0] / "predictions.jsonl", *VIDEO)
    write_lines(shards[2] / "predictions.jsonl", *IMAGES)
    write_lines(shards[0] / "finished.jsonl", {"file": VIDEO[0]["file"], "frames": 4})
    inputs = [f"--input={shards[number]}" for number in (0, 2)]
    done = launch("convert", *inputs, f"--output={tmp_path / 'out'}", "--format=jsonl,csv")
    written = [str(tmp_path / "out" / name) for name in ("predictions.jsonl", "predictions.csv")]
    assert done.stdout == f"5 frames of 3 files: {', '.join(written)}\n"
    missing, lost = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert missing.startswith(f"warning: {shards[1]}: this shard is missing")
    assert lost.startswith(f"warning: {VIDEO[0]['file']}: not all its frames are in {shards[0]};")
