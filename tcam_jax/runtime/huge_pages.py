"""Memory in huge pages for commands on Linux: a training step on a CPU gains 5 to 15 %."""

import os
import sys

# XLA's CPU backend asks the C library for a step's memory anew each time. In pages of 4 KiB,
# getting them costs an eighth of a training step of ResNet50 at 224 px (docs/performance.md).
_HUGE_PAGES = "glibc.malloc.hugetlb"


def start_again_with_huge_pages() -> None:
    """Replace this process by the same command, unless GLIBC_TUNABLES says what pages to use.

    glibc reads that variable only when a process starts. Where huge pages are not to be had, or the
    C library is another one, it changes nothing.
    """
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    if sys.platform != "linux" or _HUGE_PAGES in tunables:
        return
    os.environ["GLIBC_TUNABLES"] = ":".join(filter(None, (tunables, f"{_HUGE_PAGES}=1")))
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
