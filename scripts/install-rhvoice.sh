#!/bin/sh
# Installs RHVoice with its Russian and English voices from the distribution. Asks nothing; safe to run again.
# Debian keeps RHVoice in "non-free" because some of its voices are. Where no apt source has that component, one is added
# in a file of its own, for the running release and from the mirror that apt already uses.
set -eu

packages="librhvoice5 rhvoice-russian rhvoice-english"
source_file=/etc/apt/sources.list.d/wyoming-voice-non-free.sources

say() { printf '%s\n' "$*" >&2; }

if ! command -v apt-get >/dev/null; then
    say "This installs Debian packages and there is no apt-get here. Install RHVoice as your system does: https://rhvoice.org"
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    say "Installing RHVoice needs root. Run: sudo ./run.sh engines install rhvoice (or, without it: sudo sh $0)"
    exit 1
fi

available() { [ -n "$(apt-cache madison rhvoice-russian)" ]; }

apt-get update
if ! available; then
    # shellcheck source=/dev/null
    . /etc/os-release
    # The mirror of "main" of this release, and the file that names it (its line number cut off).
    # shellcheck disable=SC2016  # apt expands them
    main=$(apt-get indextargets --format '$(REPO_URI) $(SOURCESENTRY)' \
        'Created-By: Packages' 'Component: main' "Release: ${VERSION_CODENAME:-}" | head -n 1)
    if [ "${ID:-}" != debian ] || [ -z "$main" ]; then
        say "No apt source offers rhvoice-russian, and this is not a Debian release whose mirror could be read from apt's sources."
        say "Add the component that has RHVoice (Debian: non-free, Ubuntu: universe) and run this again."
        exit 1
    fi
    mirror=${main%% *}
    entry=${main#* }
    # apt refuses two sources of one mirror that name different keys, so the key is named as that source names it.
    key=$(awk -v uri="${mirror%/}" 'BEGIN { RS = "" } index($0, uri)' "${entry%:*}" |
        sed -n -e 's/^Signed-By: *\([^ ].*\)$/\1/p' -e 's/^deb .*\[.*signed-by=\([^] ]*\).*$/\1/p' | head -n 1)
    {
        printf '# Added by wyoming-voice for RHVoice; delete this file to be rid of it.\n'
        printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: non-free\n' "$mirror" "$VERSION_CODENAME"
        [ -z "$key" ] || printf 'Signed-By: %s\n' "$key"
    } >"$source_file"
    say "Added $source_file."
    apt-get update
    if ! available; then
        rm -f "$source_file"
        say "The mirror has no rhvoice-russian; $source_file is removed again. See https://rhvoice.org for other ways."
        exit 1
    fi
fi
# shellcheck disable=SC2086  # a list of words
DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $packages
say "RHVoice is installed."
