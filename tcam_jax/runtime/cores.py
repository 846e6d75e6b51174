"""How many cores this process may use."""

import os


def usable_cores() -> int:
    """Return the number of cores this process may use; where the system does not say, all."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
