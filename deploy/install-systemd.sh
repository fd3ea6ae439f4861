#!/usr/bin/env bash
# Installs Wyoming Voice as a systemd service. Safe to run again: that is how it is updated.
#
#   sudo deploy/install-systemd.sh     for the machine: /opt/wyoming-voice, /etc/wyoming-voice, /var/lib/wyoming-voice
#   deploy/install-systemd.sh --user   for you alone, from this checkout; also for WSL (needs systemd=true in /etc/wsl.conf)
#
#   --python PYTHON   do not make /opt/wyoming-voice; wyoming-voice is installed for this Python already
#   DESTDIR=FOLDER    put the files below this folder and touch nothing else (for packages and tests)
set -euo pipefail

here=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
root=${DESTDIR:-}
root=${root%/}
user=no
python=

note() { printf '%s\n' "$*" >&2; }
fail() {
  note "install-systemd.sh: $*"
  exit 1
}

# fill TEMPLATE TARGET NAME=VALUE…: copy a unit with its paths put in.
fill() {
  local text pair template=$1 target=$2
  shift 2
  text=$(<"$template")
  for pair in "$@"; do
    text=${text//"@${pair%%=*}@"/"${pair#*=}"} # in quotes: since bash 5.2 a bare & would mean what was found
  done
  mkdir -p -- "$(dirname -- "$target")"
  printf '%s\n' "$text" >"$target"
  chmod 644 -- "$target"
  note "Wrote $target"
}

install_for_user() {
  case $here in *[[:space:]%\\\"\']*) fail "systemd cannot start from a folder with such a name: $here. Move the checkout." ;; esac
  local units=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user
  fill "$here/deploy/wyoming-voice-user.service" "$root$units/wyoming-voice.service" "checkout=$here"
  [ -z "$root" ] || return 0
  systemctl --user daemon-reload ||
    fail "there is no systemd for users here. WSL: write [boot] and systemd=true into /etc/wsl.conf, then run: wsl --shutdown"
  systemctl --user enable wyoming-voice
  systemctl --user restart wyoming-voice
  loginctl enable-linger "$(id -un)" || note "Without lingering it ends when you log out: sudo loginctl enable-linger $(id -un)"
  note "Running. Its log: journalctl --user -u wyoming-voice -f"
}

make_environment() {
  [ -z "$root" ] || fail "with DESTDIR, name a Python: --python PYTHON"
  local found
  for found in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
    if [ -n "$found" ] && "$found" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      note "Installing into /opt/wyoming-voice with $("$found" --version) …"
      "$found" -m venv --upgrade-deps /opt/wyoming-voice
      /opt/wyoming-voice/bin/python -m pip install --quiet --upgrade --force-reinstall --no-deps -c "$here/constraints.txt" "$here"
      /opt/wyoming-voice/bin/python -m pip install --quiet -c "$here/constraints.txt" "${here}[light]"
      python=/opt/wyoming-voice/bin/python
      return
    fi
  done
  fail "Python 3.11 or newer with venv is needed. Debian, Ubuntu: sudo apt install python3-venv"
}

install_for_machine() {
  [ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail "needs root: sudo $0 (or, for you alone: $0 --user)"
  [ -n "$python" ] || make_environment
  local etc=/etc/wyoming-voice share=/usr/local/share/doc/wyoming-voice
  mkdir -p -- "$root$etc" "$root$share"
  cp -- "$here/README.md" "$root$share/"
  if [ -e "$root$etc/config.yml" ]; then
    note "Kept $root$etc/config.yml"
  else
    install -m 644 -- "$here/config.yml" "$root$etc/config.yml"
    note "Wrote $root$etc/config.yml"
  fi
  [ -e "$root$etc/secrets" ] || install -m 600 /dev/null "$root$etc/secrets"
  fill "$here/deploy/wyoming-voice.service" "$root/etc/systemd/system/wyoming-voice.service" \
    "python=$python" "config=$etc/config.yml" "secrets=$etc/secrets" "share=$share" \
    "state=/var/lib/wyoming-voice" "cache=/var/cache/wyoming-voice"
  mkdir -p -- "$root/usr/lib/sysusers.d"
  printf 'u wyoming-voice - "Wyoming Voice" /var/lib/wyoming-voice\n' >"$root/usr/lib/sysusers.d/wyoming-voice.conf"
  [ -z "$root" ] || return 0
  systemd-sysusers wyoming-voice.conf
  systemctl daemon-reload
  systemctl enable wyoming-voice
  systemctl restart wyoming-voice
  note "Running. Its log: journalctl -u wyoming-voice -f. Settings: $etc/config.yml, then: systemctl restart wyoming-voice"
  note "An engine: sudo -u wyoming-voice WYOMING_VOICE__DATA_DIR=/var/lib/wyoming-voice $python -m wyoming_voice engines install NAME"
}

while [ "$#" -gt 0 ]; do
  case $1 in
    --user) user=yes ;;
    --python)
      [ "$#" -gt 1 ] || fail "--python needs the path of a Python"
      python=$2
      shift
      ;;
    -h | --help)
      sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *) fail "unknown option $1; see --help" ;;
  esac
  shift
done

if [ "$user" = yes ]; then
  install_for_user
else
  install_for_machine
fi
