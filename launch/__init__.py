"""Entry points of a checkout: `python -m launch.NAME` is `tcam NAME`; benchmarks; scripts."""

import sys

from tcam_jax.runtime.huge_pages import start_again_with_huge_pages
from tcam_jax.runtime.interruption import end_at_ctrl_c

# Python calls its script so while it looks for `launch.NAME` of `python -m launch.NAME`: whoever
# imports this package is left alone.
if sys.argv[:1] == ["-m"]:
    end_at_ctrl_c()
    start_again_with_huge_pages()
