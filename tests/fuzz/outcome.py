"""The property that all tests here share: the right result or one `InputError`, and in time."""

import signal
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from hypothesis import event, settings
from jaxtyping import config

from tcam_jax.runtime.errors import InputError

T = TypeVar("T")

asked: int | None = None
"""The flag --fuzz_examples, see `conftest`."""

_MOST_SECONDS = 10  # for what takes milliseconds, on a machine that does other things, too


class _Hangs(BaseException):  # no `except Exception` of the code under test is to swallow it
    pass


class Refused(NamedTuple):
    """In place of a result: the message of the one `InputError`."""

    message: str


def examples(few: int) -> settings:
    """So many examples, unless the flag asks for others."""
    return settings(max_examples=asked or few)


def of(call: Callable[[], T], refusal: type[Exception] = InputError) -> T | Refused:
    """What `call` returns, or its refusal: an exception of the type `refusal`.

    Any other exception is a fault, and so are a refusal that says nothing or that cannot be
    written, and a call that does not end.
    """

    def hangs(*_: Any) -> None:
        raise _Hangs

    before = signal.signal(signal.SIGALRM, hangs)
    config.update("jaxtyping_disable", True)  # users have no checks of types before their own
    signal.setitimer(signal.ITIMER_REAL, _MOST_SECONDS)
    try:
        result: T | Refused = call()
    except refusal as error:
        result = Refused(str(error))
        assert result.message.strip() and result.message.encode()
    except _Hangs:
        raise AssertionError(f"it did not end within {_MOST_SECONDS} s") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        config.update("jaxtyping_disable", False)
    event("refused" if isinstance(result, Refused) else "used")
    return result
