# Sourced by the other scripts: makes .venv once, installs into it, and puts it in front.
#   source launch/environment.sh [test]         # test: those of tests and manual too
# PYTHON names another interpreter (3.11 to 3.13); VENV another folder.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
VENV="${VENV:-.venv}"

[ -x "$VENV/bin/python" ] || "${PYTHON:-python3}" -m venv "$VENV" || exit 1

VENV="$(cd "$VENV" && pwd)" || exit 1

# Installs unless the file is as it was when that was done: install_once NAME FILE [pip's arguments…]
install_once() {
    local stamp="$VENV/installed-$1"
    cmp -s "$2" "$stamp" && return
    echo "installing $1 into $VENV …"
    # Python compiles what it imports, a small part of it all, and keeps it, see below.
    "$VENV/bin/python" -m pip install --quiet --no-compile "${@:3}" && cp "$2" "$stamp"
}

install_once requirements requirements.txt --requirement requirements.txt || exit 1
# The command `tcam`, of this checkout as it is at each call.
install_once checkout pyproject.toml --no-deps --editable . || exit 1
if [ "${1:-}" = test ]; then
    "$VENV/bin/python" - > "$VENV/test-requirements.txt" <<'PYTHON' || exit 1
import tomllib
with open("pyproject.toml", "rb") as file:
    extras = tomllib.load(file)["project"]["optional-dependencies"]
print(*extras["test"], *extras["docs"], sep="\n")
PYTHON
    install_once tests "$VENV/test-requirements.txt" \
        --requirement "$VENV/test-requirements.txt" || exit 1
fi

export PATH="$VENV/bin:$PATH"
# Container images set it; then each process would compile anew what it imports, for 12 s.
unset PYTHONDONTWRITEBYTECODE
