"""The command ``config migrate``: a configuration of the older tool, rewritten in the new form."""

import os
import sys
from pathlib import Path

from .config import read
from .config_old import in_new_form, is_old, translate


def migrate(path: Path | None) -> int:
    """Rewrite a file, and keep the old one beside it; its comments stay there. Raises ConfigError and OSError."""
    if path is None:
        print("There is no config.yml here; name one with --config.", file=sys.stderr)
        return 1
    source = read(path)
    if not is_old(source):
        print(f"{path} has no keys of the older tool: nothing to do.", file=sys.stderr)
        return 0
    written = in_new_form(translate(source))
    kept = path.with_name(f"{path.name}.old")
    part = path.with_name(f".{path.name}.part")
    part.write_text(written, "utf-8")
    if not kept.exists():
        os.link(path, kept)
    part.replace(path)
    print(f"{path} is written in the new form; the old one is {kept}.", file=sys.stderr)
    return 0
