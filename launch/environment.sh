# Sourced by the other scripts: makes .venv once, installs into it, and puts it in front.
#   source launch/environment.sh [extra]        # extra: "test" adds the tests' dependencies
# PYTHON names another interpreter (3.11 to 3.13); VENV another folder.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
VENV="${VENV:-.venv}"
extra="${1:-}"

[ -x "$VENV/bin/python" ] || "${PYTHON:-python3}" -m venv "$VENV" || exit 1
wanted="$(cat requirements.txt pyproject.toml | cksum) $extra"
# One stamp per extra: an environment for the tests serves the demo too.
if [ "$wanted" != "$(cat "$VENV/installed${extra:+-$extra}" 2>/dev/null)" ]; then
    echo "installing into $VENV (about a minute) …"
    "$VENV/bin/python" -m pip install --quiet --upgrade pip || exit 1
    if [ "$extra" = test ] && ! "$VENV/bin/python" -c 'import torch' 2>/dev/null; then
        # The CPU build where there is one; the tests use torch as an oracle only.
        "$VENV/bin/python" -m pip install --quiet "torch==2.13.0" || exit 1
    fi
    "$VENV/bin/python" -m pip install --quiet --editable ".${extra:+[$extra]}" || exit 1
    echo "$wanted" > "$VENV/installed${extra:+-$extra}"
fi
export PATH="$PWD/$VENV/bin:$PATH"
export TF_CPP_MIN_LOG_LEVEL="${TF_CPP_MIN_LOG_LEVEL:-2}"
