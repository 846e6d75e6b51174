"""A whole run is measured at its smallest: nothing is left out, and nothing is counted twice."""

import json
import time

import pytest

from configs import youtube_objects
from tcam_jax.benchmark import generated_objects, run_tables, small_network
from tcam_jax.benchmark.compilations import Compilations
from tcam_jax.benchmark.generated_objects import Counts
from tcam_jax.benchmark.run_time import measure
from tcam_jax.benchmark.time_shares import BESIDE, WAITS, epoch_shares, projected_s, stage_shares
from tcam_jax.benchmark.utilisation import Utilisation
from tcam_jax.models.encoders.registry import ENCODERS
from tcam_jax.runtime.errors import InputError


def _line(number, /, **seconds):
    return {"step": number, **{f"seconds_{name}": value for name, value in seconds.items()}}


# Three epochs of 10 steps. The first line has what comes once.
LINES = [
    _line(10, data=9.0, step=9.0, validation=9.0, save=9.0),
    _line(20, data=1.0, step=2.0, validation=4.0, save=0.5),
    _line(30, data=1.5, step=2.5, validation=3.0, save=1.0, validation_beside=5.0),
]


def test_shares_of_a_stage_by_hand():
    shares = stage_shares(LINES, train_s=60.0)
    assert shares == {
        "data": 11.5,
        "step": 13.5,
        "validation": 16.0,
        "save": 10.5,
        "end": 8.5,
        "validation_beside": 5.0,
        "save_beside": 0.0,
    }


def test_an_epoch_by_hand():
    # From step 20, the first after the middle of the second epoch: one epoch's end, 10 steps.
    found = epoch_shares(LINES, steps_per_epoch=10, epochs=3)
    assert found["data"] == 1.5 and found["step"] == 2.5
    assert found["validation"] == 3.0 and found["save"] == 1.0
    assert found["validation_beside"] == 5.0 and found["save_beside"] == 0.0
    assert found["whole"] == 8.0 and found["outside"] == 5.5
    known = epoch_shares(LINES, steps_per_epoch=10, epochs=3, step_s=0.2)
    assert known["outside"] == 6.0 and known["idle"] == 0.75
    # Of two epochs, from step 10: what comes once is in its line.
    assert epoch_shares(LINES[:2], steps_per_epoch=10, epochs=2)["whole"] == 7.5
    assert epoch_shares(LINES[:1], steps_per_epoch=10, epochs=1) is None
    assert projected_s(100.0, {"classifier": 8.0, "tcam": 2.0}, measured=3, wanted=100) == 1070.0


def test_compilations_within_one_another_count_once():
    found = Compilations()
    now = time.monotonic()
    found._lasted("/jax/core/compile/jaxpr_trace_duration", 0.2)  # of a function of the next one
    found._lasted("/jax/core/compile/jaxpr_trace_duration", 0.5)
    found._lasted("/jax/core/compile/backend_compile_duration", 0.3)
    found._lasted("/jax/something/else", 99.0)
    between = found.between(now - 10, now + 10)
    assert between["compile_s"] == pytest.approx(0.5, abs=0.05)
    assert between["programs"] == 1 and between["from_cache"] == 0
    assert found.between(now + 10, now + 20)["compile_s"] == 0.0


def test_utilisation_is_what_the_device_says(tmp_path, monkeypatch):
    told = Utilisation()
    monkeypatch.setenv("PATH", str(tmp_path))
    with told.watching():
        pass
    assert told.between(0.0, time.monotonic()) is None
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 20\necho '[N/A]'\necho 60\nexec /bin/sleep 60\n")
    program.chmod(0o755)
    with told.watching():
        end = time.monotonic() + 10
        while len(told._samples) < 2 and time.monotonic() < end:
            time.sleep(0.01)
    assert told.between(0.0, time.monotonic()) == 40.0


@pytest.mark.slow
def test_a_whole_run(tmp_path, monkeypatch):
    monkeypatch.setitem(ENCODERS, small_network.NAME, None)  # taken out again
    monkeypatch.setattr(generated_objects, "FRAME_SIZE", (64, 48))
    config = youtube_objects.get_config("v1.0")
    config.dataset.data_dir = str(tmp_path / "data")
    config.dataset.resize, config.dataset.crop = 36, 32
    config.classifier.batch_size = config.tcam.batch_size = config.eval.batch_size = 8
    small_network.scale_down(config)
    config.model.encoder_options.ballast = 1000
    counts = Counts(shots=20, validation=10, test=10)
    generated_objects.write_dataset(tmp_path / "data", "v1.0", counts)
    assert not generated_objects.prepared(tmp_path / "data", "v1.0", counts)
    with pytest.raises(InputError, match="holds another dataset"):
        generated_objects.prepared(tmp_path / "data", "v1.0", Counts(21, 10, 10))

    figures = measure(config, 2, tmp_path / "run", time.monotonic(), 5.0, evaluation=False)
    assert sum(part["seconds"] for part in figures["parts"].values()) == pytest.approx(
        figures["wall_s"]
    )
    assert figures["parts"]["between"]["seconds"] < 0.2 * figures["wall_s"]
    for name, stage in figures["stages"].items():
        trained = figures["parts"][f"{name}: trained"]
        seconds, epoch = stage["seconds"], stage["epoch"]
        parts = ("step", "end", *WAITS)
        assert sum(seconds[part] for part in parts) == pytest.approx(trained["seconds"])
        assert min(seconds[part] for part in parts) >= 0 and {*seconds} == {*parts, *BESIDE}
        assert stage["steps_per_epoch"] == 3  # 20 shots in batches of 8
        assert epoch["whole"] >= 0.015 and 0 <= epoch["idle"] <= 1
        assert trained["programs"] > 0 and trained["compile_s"] > 0
        validation = stage["validation"]
        assert {*validation} == {"read", "forward", "boxes"}
        assert validation["read"]["ms"] > 0 and validation["forward"]["processor_ms"] > 0
        metrics = (tmp_path / "run" / name / "metrics.jsonl").read_text().splitlines()
        losses = [json.loads(line)["loss"] for line in metrics if "loss" in line]
        assert losses == [1.0, 1.0]  # a null step's
    of_machine = {"cores": 2, "date": "today", "dataset": "v1.0", "network": "small"}
    written = figures | of_machine | {"step": "steps that wait 5 ms", "epochs": 2}
    run_tables.write(written, tmp_path / "out")
    assert json.loads((tmp_path / "out/run.json").read_text()) == written
    table = (tmp_path / "out/run.md").read_text()
    assert "| waiting for validation |" in table and "100 + 100 epochs" in table
