#!/usr/bin/env bash
# The lowest versions that pyproject.toml allows, in an environment of their own (.venv-lowest,
# 4 GB), and the tests of each commit with them. A bound that fails is raised.
#   bash launch/lowest_versions.sh                  # as launch/test.sh --fast
#   bash launch/lowest_versions.sh tests/data -x    # arguments go to pytest
# What no test installs, the extra `onnx`, is not tried.
set -euo pipefail
cd "$(dirname "$0")/.."
VENV="${VENV:-.venv-lowest}"
[ -x "$VENV/bin/python" ] || "${PYTHON:-python3}" -m venv "$VENV"

VENV="$(cd "$VENV" && pwd)"

# A bound is a release: a lower one that was never made, or was withdrawn, ends the installation.
export PIP_CONSTRAINT="$VENV/lowest.txt"
"$VENV/bin/python" - > "$PIP_CONSTRAINT" <<'PYTHON'
import re
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
extras = project["optional-dependencies"]
for line in sorted({*project["dependencies"], *(line for lines in extras.values() for line in lines)}):
    name, lowest, marker = re.fullmatch(
        r"([\w.-]+)(?:\[[\w,]+\])?[>=]=([\w.]+)(?:,<[\w.]+)?(;.*)?", line
    ).groups()
    print(f"{name}=={lowest}{marker or ''}")
PYTHON

source launch/environment.sh test
python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow" "$@"
