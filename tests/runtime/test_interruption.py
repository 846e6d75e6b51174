import os
import signal
import subprocess
import sys

import pytest

from tcam_jax.runtime.interruption import (
    Interrupted,
    Interruption,
    end_at_ctrl_c,
    one_line_at_ctrl_c,
)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_seen_at_the_next_safe_point_and_not_before(number):
    reached = []
    with Interruption() as stop, pytest.raises(Interrupted):
        stop.check()
        signal.raise_signal(number)
        signal.raise_signal(signal.SIGTERM)  # a second SIGTERM changes nothing
        reached.append("after the signal")
        stop.check()
    assert reached == ["after the signal"]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_hangup_that_is_ignored_stays_so():
    """`nohup tcam train … &` outlives its terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruption() as stop:
            signal.raise_signal(signal.SIGHUP)
            stop.check()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_second_sigint_does_not_wait_and_the_first_says_so(capfd):
    with Interruption(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
        said = capfd.readouterr().err
        signal.raise_signal(signal.SIGINT)
    assert said.startswith("stopping where nothing is lost") and said.count("\n") == 1
    assert capfd.readouterr().err == ""


def test_ctrl_c_where_nobody_heeds_signals_is_one_line(capsys):
    with pytest.raises(SystemExit) as end, one_line_at_ctrl_c():
        signal.raise_signal(signal.SIGINT)
    assert end.value.code == 130
    assert capsys.readouterr().err == "stopped from the keyboard\n"


def test_between_items_and_by_agreement():
    seen = []
    with Interruption() as stop, pytest.raises(Interrupted):
        for item in stop.between(range(9)):
            seen.append(item)
            if item == 2:
                signal.raise_signal(signal.SIGTERM)
    assert seen == [0, 1, 2]
    stop = Interruption()
    stop.agree_by(lambda here: True)  # another process was signalled
    with pytest.raises(Interrupted):
        stop.check()


def test_it_costs_no_heavy_import():
    program = (
        "import sys, tcam_jax.runtime.interruption; assert not {'jax', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_imports_cannot_swallow_ctrl_c(monkeypatch, capfd):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    try:
        end_at_ctrl_c()
        signal.raise_signal(signal.SIGINT)  # nothing is raised that a module could catch
        assert ended == [130] and capfd.readouterr().err == "stopped from the keyboard\n"
        with pytest.raises(SystemExit, match="130"), one_line_at_ctrl_c():
            signal.raise_signal(signal.SIGINT)
        assert ended == [130]
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a command in the background
        end_at_ctrl_c()
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
