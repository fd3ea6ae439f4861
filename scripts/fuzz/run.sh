#!/bin/sh
# Fuzz every target of tests/fuzz/targets.py with atheris, which sees the branches that an input takes.
#   scripts/fuzz/run.sh SECONDS [TARGET…]     SECONDS for all of them together; 0 when nothing was found
# What it finds is kept in build/fuzz: crash-* there is an input for FOUND of tests/fuzz/test_targets.py.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
seconds=${1:?"usage: scripts/fuzz/run.sh SECONDS [TARGET…]"}
shift
python=${PYTHON:-$here/.venv/bin/python}
folder=$here/build/fuzz
mkdir -p "$folder"
if ! PYTHONPATH=$folder/packages "$python" -c 'import atheris' 2>/dev/null; then
  # A package of its own: it has wheels for some Pythons only, and nobody else needs it.
  "$python" -m pip install --quiet --target "$folder/packages" 'atheris>=3,<4' ||
    uv pip install --quiet --python "$python" --target "$folder/packages" 'atheris>=3,<4'
fi
export PYTHONPATH="$folder/packages:$here${PYTHONPATH:+:$PYTHONPATH}"
exec "$python" "$here/scripts/fuzz/campaign.py" "$folder" "$seconds" "$@"
