"""Thin entry points: they parse the command line and call the library."""

import os
import sys

# XLA's CPU backend asks the C library for a step's memory anew each time. In pages of 4 KiB,
# getting them costs an eighth of a training step of ResNet50 at 224 px (docs/performance.md).
_HUGE_PAGES = "glibc.malloc.hugetlb"


def _start_again_with_huge_pages() -> None:
    """Replace this process by the same command, unless GLIBC_TUNABLES says what pages to use.

    glibc reads that variable only when a process starts. Where huge pages are not to be had, it
    changes nothing.
    """
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    if sys.platform != "linux" or _HUGE_PAGES in tunables:
        return
    os.environ["GLIBC_TUNABLES"] = ":".join(filter(None, (tunables, f"{_HUGE_PAGES}=1")))
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


# Python calls its script so while it looks for `launch.NAME` of `python -m launch.NAME`: whoever
# imports this package is left alone.
if sys.argv[:1] == ["-m"]:
    _start_again_with_huge_pages()
