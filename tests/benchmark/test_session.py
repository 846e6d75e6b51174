import json

from tcam_jax.benchmark.session import Part, run_command, run_parts


def test_parts_run_until_the_time_is_up(tmp_path):
    now = [0.0]

    def run(command, log, seconds):
        assert log == tmp_path / f"{command[0]}.log"
        now[0] += min(seconds, int(command[1]))
        written = json.loads((tmp_path / "session.json").read_text()) if now[0] > 70 else {}
        assert len(written.get("parts", ())) == (now[0] > 70)  # after each part
        return "done" if seconds > int(command[1]) else f"ended after {seconds:.0f} s"

    parts = [
        Part(name, [name, seconds]) for name, seconds in (("a", "70"), ("b", "500"), ("c", "1"))
    ]
    rows = run_parts(parts, tmp_path, 100.0, {"device": "1 x none"}, run, lambda: now[0])
    outcomes = ["done", "ended after 30 s", "left out: no time"]
    assert [row["outcome"] for row in rows] == outcomes
    assert [row["seconds"] for row in rows] == [70, 30, 0]
    assert json.loads((tmp_path / "session.json").read_text()) == {
        "device": "1 x none",
        "parts": rows,
    }
    assert rows[1]["command"] == "b 500"


def test_a_command_that_fails_or_takes_too_long(tmp_path):
    log = tmp_path / "x.log"
    assert run_command(["sh", "-c", "echo said"], log, 60.0) == "done"
    assert log.read_text() == "said\n"
    assert run_command(["sh", "-c", "exit 3"], log, 60.0) == "failed (3), see x.log"
    assert run_command(["sh", "-c", "sleep 60"], log, 0.1) == "ended after 0 s"
