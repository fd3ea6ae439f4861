#!/usr/bin/env bash
# Long recordings without a network: there is nothing to prepare. What cuts them and what tells speech from silence is in
# the packages that are installed, its model included. This checks it, without a network where that can be arranged.
set -euo pipefail

here=$(cd -P -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd)
python=${PYTHON:-$here/.venv/bin/python}

if ! [ -x "$(command -v -- "$python")" ]; then
  printf '%s\n' "There is no $python yet. Run ./run.sh once, which sets everything up, or name a Python: PYTHON=… $0" >&2
  exit 1
fi

# A user namespace lets somebody who is not root unplug it, where the kernel allows that.
unplug=()
for way in "unshare --net" "unshare --map-root-user --net"; do
  # shellcheck disable=SC2086 # two or three words
  if $way true 2>/dev/null; then
    # shellcheck disable=SC2206 # as above
    unplug=($way)
    break
  fi
done
if [ ${#unplug[@]} -eq 0 ]; then
  printf '%s\n' "The network cannot be unplugged for one process here: what follows runs with it." >&2
fi

cd "$here"
env HF_HUB_OFFLINE=1 ${unplug[@]+"${unplug[@]}"} "$python" -m wyoming_voice.rehearsal
