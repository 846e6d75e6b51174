#!/usr/bin/env bash
# Environment, lint, all tests. Arguments go to pytest: bash launch/test.sh tests/losses -k crf
set -euo pipefail
source "$(dirname "$0")/environment.sh" test

ruff check .
ruff format --check .
python -m pytest "$@"
