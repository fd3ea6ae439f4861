#!/bin/sh
# Makes a folder that Home Assistant installs as a local add-on: the add-on with the committed code of this checkout inside.
# Usage: scripts/local-addon.sh FOLDER     (FOLDER/wyoming_voice is made; copy it into Home Assistant's folder "addons")
set -eu

if [ "$#" -ne 1 ]; then
    printf 'Usage: %s FOLDER\nFOLDER/wyoming_voice is made; copy it into the folder "addons" of Home Assistant.\n' "$0" >&2
    exit 2
fi
here=$(cd -P -- "$(dirname -- "$0")/.." && pwd)
target=$1/wyoming_voice

if ! git -C "$here" rev-parse --verify --quiet HEAD >/dev/null; then
    printf '%s is no git checkout: the add-on is made of what is committed.\n' "$here" >&2
    exit 1
fi
rm -rf -- "$target"
mkdir -p -- "$target"
git -C "$here" archive HEAD addon | tar -x -C "$target" --strip-components=1
# An archive, not a folder: the Supervisor looks for config.yaml in every folder below.
git -C "$here" archive --prefix=wyoming-voice/ --output="$target/source.tar.gz" HEAD
printf 'Made %s. Copy it into the folder "addons" of Home Assistant; docs/home-assistant.md says how to go on.\n' "$target" >&2
