"""A process that has lost another one ends with one line, not with the stack dump of JAX's client.

JAX's client notices that a process is silent, or that process 0 is gone, in a thread of C++, which
logs "Terminating process because the JAX distributed service detected fatal errors", the stack, and
aborts. A callback that it offers takes no Python function (std::bad_cast in jaxlib 0.10.2). So what
libraries write to standard error comes by here: after that line the process ends at once, with
a line of ours, while the thread that would abort it sleeps.
"""

import ctypes
import os
import re
import select
import signal
import sys
import threading
from typing import NoReturn

from tcam_jax.runtime.streams import lasting_errors

STATUS = 4
_MESSAGE = (
    "error: another process of this training ended, was stopped, or cannot be reached (or not all "
    "of them began in time): its own output says why. Start all of them again by the same command: "
    "it goes on from the last checkpoint.\n"
)
_FATAL = re.compile(rb"distributed service detected fatal errors")
# What the client logs, over several lines, before it comes to that.
_BEFORE = re.compile(rb"^E\d{4} .*coordination_service\w*\.cc:")
# As collective operations word it: of Gloo on CPUs, NCCL on GPUs, and JAX's own barriers.
_LOST = re.compile(
    r"Gloo \w+ failed|Connection (closed|reset) by peer|NCCL.*(remote|socket|connection)"
    r"|coordination ?service|stopped sending heartbeats|CoordinationServiceError",
    re.IGNORECASE,
)
_HELD_FOR = 2.0  # seconds until lines that may be the beginning of the end are passed on
_ended = threading.Lock()  # for good, by the first thread that ends the process


def heed_losses() -> None:
    """From now on a lost process ends this one with `STATUS` and one line; call it once."""
    reader, writer = os.pipe()
    errors = os.dup(2)
    os.dup2(writer, 2)
    os.close(writer)
    sys.stderr = lasting_errors(errors)
    # `sleep` gets the signal's number, six seconds: for `_pass_on` to end the process. Should it
    # fail to, the process aborts then.
    library = ctypes.CDLL(None)
    library.signal.argtypes, library.signal.restype = [ctypes.c_int, ctypes.c_void_p], None
    library.signal(signal.SIGABRT, ctypes.cast(library.sleep, ctypes.c_void_p))
    threading.Thread(target=_pass_on, args=(reader, errors), daemon=True).start()


def is_loss(error: BaseException) -> bool:
    """Tell whether `error` came of another process that is gone or silent."""
    return isinstance(error, ValueError | RuntimeError) and bool(_LOST.search(str(error)))


def end() -> NoReturn:
    """End this process, which has lost another one."""
    _ended.acquire()
    sys.stderr.write(_MESSAGE)
    sys.stderr.flush()
    os._exit(STATUS)


def _pass_on(reader: int, errors: int) -> None:
    """Pass on what libraries write to the descriptor `errors`, up to the line that says the end."""
    rest, held = b"", b""
    while True:
        if not select.select([reader], [], [], _HELD_FOR if held else None)[0]:
            os.write(errors, held)
            held = b""
            continue
        read = os.read(reader, 2**16)
        *lines, rest = (rest + read).split(b"\n")
        for line in lines:
            if _FATAL.search(line):
                end()
            if held or _BEFORE.match(line):
                held += line + b"\n"
            else:
                os.write(errors, line + b"\n")
        if not read:
            os.write(errors, held + rest)
            return
