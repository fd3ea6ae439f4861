"""Who may import whom: the contracts of pyproject.toml, as ``./run.sh lint`` checks them."""

import subprocess
import sys

from .conftest import ROOT


def test_every_module_imports_only_what_it_may() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " kept, 0 broken" in done.stdout
