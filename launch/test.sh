#!/usr/bin/env bash
# Environment, lint, types, the manual, tests.
#   bash launch/test.sh                        # all of it, as CI runs it
#   bash launch/test.sh --fast                 # at each commit: without the tests marked `slow`
#   bash launch/test.sh tests/losses -k crf    # arguments go to pytest
# Two processes: each waits for a compiler of one thread most of its time. -n 0 for one. Files stay
# in their order: by the number of tests in them, the longest would come last. Types and the manual
# are looked at beside the first tests, for a minute in which one core would be idle.
set -euo pipefail
source "$(dirname "$0")/environment.sh" test

tier=()
if [ "${1:-}" = --fast ]; then
    tier=(-m "not slow")
    shift
fi
ruff check .
ruff format --check .
made="$(mktemp -d)"
beside() {
    mypy
    NO_MKDOCS_2_WARNING=1 mkdocs build --strict --site-dir "$made/site" # --quiet finds no dead link
}
(beside) > "$made/told" 2>&1 &
others=$!
trap 'kill "$others" 2> /dev/null || true; rm -r "$made"' EXIT
status=0
python -m pytest -n 2 --dist loadfile --no-loadscope-reorder ${tier[@]+"${tier[@]}"} "$@" || status=$?
wait "$others" || status=$?
cat "$made/told"
exit "$status"
