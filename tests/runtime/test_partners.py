"""A lost process is one line and a status, whatever JAX's client dumps; other words pass."""

import subprocess
import sys

import pytest

from tcam_jax.runtime import partners

# As jaxlib 0.10.2 writes them, of a partner that was stopped.
DUMP = """\
E1130 00:31:33.939142   17796 coordination_service.cc:1549] [1] Use error polling to propagate
1
The tasks have crashed. Check the task logs for an earlier error
F1130 00:31:33.939629   17807 client.h:80] Terminating process because the JAX distributed service \
detected fatal errors. This most likely indicates that another task died
*** Check failure stack trace: ***
    @     0x7f15c4240634  absl::lts_20260107::log_internal::LogMessage::SendToLog()
"""
PROGRAM = """
import ctypes, os, sys, time
from tcam_jax.runtime import partners
from tcam_jax.runtime.streams import keep_streams
keep_streams()
partners.heed_losses()
os.write(2, b"a library's warning\\n")
print("one of ours", file=sys.stderr)
os.write(2, sys.argv[1].encode())
if "F1130" in sys.argv[1]:
    ctypes.CDLL(None).abort()
time.sleep(0.3)
"""


@pytest.mark.parametrize(("written", "status"), [(DUMP, partners.STATUS), ("W1130 a half", 0)])
def test_a_dump_is_one_line_and_a_status(written, status):
    command = [sys.executable, "-c", PROGRAM, written + "\n" * (not status)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == status
    lines = sorted(done.stderr.splitlines())
    last = written if not status else partners._MESSAGE.rstrip()
    assert lines == sorted(["a library's warning", "one of ours", last])


@pytest.mark.parametrize(
    ("error", "is_loss"),
    [
        (
            ValueError(
                "UNKNOWN: Gloo AllGather failed: [external/gloo/gloo/transport/tcp/pair.cc:547] "
                "Connection closed by peer [127.0.0.1]:64696"
            ),
            True,
        ),
        (
            RuntimeError("DEADLINE_EXCEEDED: … [type.googleapis.com/CoordinationServiceError='']"),
            True,
        ),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes"), False),
        (ValueError("Incompatible shapes for broadcasting: (2,) and (3,)"), False),
        (KeyError("Gloo AllGather failed"), False),
    ],
)
def test_what_counts_as_one(error, is_loss):
    assert partners.is_loss(error) == is_loss
