"""What stands beside figures, so that they can be made again."""

import shlex
import sys
from datetime import date
from pathlib import Path

from tcam_jax.config.record import git_revision


def about() -> dict[str, str]:
    """Return the command that is running, the day, and the commit ("unknown": no checkout)."""
    name = Path(sys.argv[0]).stem
    return {
        "command": shlex.join(["python", "-m", f"launch.{name}", *sys.argv[1:]]),
        "date": date.today().isoformat(),
        "commit": git_revision() or "unknown",
    }
