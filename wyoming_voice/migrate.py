"""The command ``config migrate``: a configuration of the older tool, rewritten in the new form."""

import shutil
import sys
from itertools import count
from pathlib import Path

from .config_load import read
from .config_mistake import ConfigError
from .config_old import in_new_form, is_old, translate


def migrate(path: Path | None) -> int:
    """Rewrite a file, and keep the old one beside it; its comments stay there. Raises ConfigError."""
    if path is None:
        print("There is no config.yml here; name one with --config.", file=sys.stderr)
        return 1
    source = read(path)
    if not is_old(source):
        print(f"{path} has no keys of the older tool: nothing to do.", file=sys.stderr)
        return 0
    if source.mistakes:
        raise ConfigError("\n".join(map(str, source.mistakes)))
    try:
        kept = _rewrite(path.resolve(), in_new_form(translate(source)))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be rewritten: {error.strerror}") from error
    print(f"{path} is written in the new form; the old one is {kept}.", file=sys.stderr)
    return 0


def _rewrite(path: Path, content: str) -> Path:
    """Put other content into a file; returns where the old one is. Both can be read by whom it could be read."""
    kept = next(
        place
        for number in count(1)
        if not (place := path.with_name(f"{path.name}.old{f'.{number}' if number > 1 else ''}")).exists()
    )
    part = path.with_name(f".{path.name}.part")
    for place in (kept, part):  # tokens may be in it: nobody else can read it in between either
        place.touch(0o600)
    try:
        part.write_text(content, "utf-8")
        shutil.copymode(path, part)
        shutil.copy2(path, kept)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return kept
