"""When JAX traced and compiled, by its own events: "/jax/core/compile/…", from all threads."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax

_DURATIONS = "/jax/core/compile/"
_PROGRAM = "/jax/core/compile/backend_compile_duration"
_FROM_CACHE = "/jax/compilation_cache/cache_hits"


class Compilations:
    """What was traced and compiled while it was `listening`; times are `time.monotonic`'s."""

    def __init__(self) -> None:
        self._spans: list[tuple[float, float]] = []
        self._programs: list[float] = []
        self._from_cache: list[float] = []

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen while inside."""
        jax.monitoring.register_event_duration_secs_listener(self._lasted)
        jax.monitoring.register_event_listener(self._happened)
        try:
            yield
        finally:
            jax.monitoring.unregister_event_duration_listener(self._lasted)
            jax.monitoring.unregister_event_listener(self._happened)

    def between(self, begin: float, end: float) -> dict[str, float]:
        """Return what there was from `begin` to `end`.

        Returns:
          "compile_s": seconds in which something was traced or compiled, or a compiled program was
          read; "programs": how many were needed; "from_cache": how many of them were read.
        """
        seconds, until = 0.0, begin
        for start, stop in sorted(self._spans):  # one may lie in another: traces do
            start, stop = max(start, until), min(stop, end)
            if stop > start:
                seconds, until = seconds + stop - start, stop
        return {
            "compile_s": seconds,
            "programs": sum(begin <= moment < end for moment in self._programs),
            "from_cache": sum(begin <= moment < end for moment in self._from_cache),
        }

    def _lasted(self, event: str, seconds: float, **_: Any) -> None:
        if not event.startswith(_DURATIONS):
            return
        now = time.monotonic()
        self._spans.append((now - seconds, now))
        if event == _PROGRAM:
            self._programs.append(now)

    def _happened(self, event: str, **_: Any) -> None:
        if event == _FROM_CACHE:
            self._from_cache.append(time.monotonic())
