"""Write the exact versions into the requirements of engines: ``python scripts/pin_engines.py [NAME …]``.

What stands in a file before "What these bring along" is written by hand; the rest is what uv (of the group ``test``)
finds for Python 3.11 and later on any machine, near to constraints.txt. A package that ends in ``python_version < "3"``
is asked for by another one and never used: it is left out.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import uv

_ROOT: Final = Path(__file__).resolve().parent.parent
_FILES: Final = _ROOT / "wyoming_voice" / "engines" / "requirements"
_BROUGHT: Final = "# What these bring along:\n"
_ELSEWHERE: Final = re.compile(r"(cuda|nvidia)-|triton==|.*sys_platform == '(emscripten|win32)'")
"""What torch brings for a GPU, in versions of its own choice; and what no Linux has."""


def pin(file: Path) -> str:
    """Return the file's new text."""
    head = file.read_text("utf-8").partition(_BROUGHT)[0]
    asked = {line.partition(";")[0].partition("==")[0].strip() for line in head.splitlines()}
    with tempfile.TemporaryDirectory() as folder:
        wanted, found = Path(folder, "wanted.in"), Path(folder, "found.txt")
        wanted.write_text(head, "utf-8")
        found.write_text((_ROOT / "constraints.txt").read_text("utf-8"), "utf-8")  # uv keeps to these where it can
        subprocess.run(
            [
                *(uv.find_uv_bin(), "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
                *("--fork-strategy", "fewest", "--no-header", "--no-annotate", "--no-config"),
                *(str(wanted), "--override", str(wanted), "--output-file", str(found)),
            ],
            check=True,
        )
        lines = found.read_text("utf-8").splitlines()
    brought = [line for line in lines if line.partition("==")[0] not in asked and not _ELSEWHERE.match(line)]
    return "\n".join([head + _BROUGHT.rstrip(), *brought, ""]) if brought else head


def main() -> None:
    """Pin the named files, or all."""
    names = sys.argv[1:] or sorted(file.stem for file in _FILES.glob("*.txt"))
    for name in names:
        file = _FILES / f"{name}.txt"
        file.write_text(pin(file), "utf-8")


if __name__ == "__main__":
    main()
