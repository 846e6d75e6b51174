#!/usr/bin/env bash
# Environment, lint, all tests. Arguments go to pytest: bash launch/test.sh tests/losses -k crf
# Two processes: each waits for a compiler of one thread most of its time. -n 0 for one. Files stay
# in their order: by the number of tests in them, the longest would come last.
set -euo pipefail
source "$(dirname "$0")/environment.sh" test

ruff check .
ruff format --check .
mypy
python -m pytest -n 2 --dist loadfile --no-loadscope-reorder "$@"
