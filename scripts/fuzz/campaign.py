"""Run atheris on each target, in a process of its own and for its share of the time; ``run.sh`` calls it."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_RSS_MIB: Final = 2048
_LONGEST: Final = 4096
"""Bytes of an input."""
_HANGS: Final = 10
"""Seconds after which one input is a failure."""


def campaign(folder: Path, seconds: float, names: Sequence[str]) -> int:
    """Fuzz the targets one after another; returns how many failed."""
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - in `one` these modules are instrumented as they are imported
    from tests.fuzz.test_targets import FOUND, WORDS  # noqa: PLC0415

    failed = []
    names = names or list(TARGETS)
    for name in names:
        corpus = folder / name
        corpus.mkdir(parents=True, exist_ok=True)
        for number, word in enumerate([*WORDS[name], b"".join(WORDS[name]), *FOUND.get(name, ())]):
            (corpus / f"seed-{number}").write_bytes(word[:_LONGEST])
        share = max(1, round(seconds / len(names)))
        print(f"{name}: {share} s", flush=True)
        status = subprocess.run(
            [
                *(sys.executable, __file__, "--one", name, str(corpus), f"-max_total_time={share}"),
                *(f"-artifact_prefix={folder}/crash-{name}-", f"-rss_limit_mb={_RSS_MIB}", f"-max_len={_LONGEST}"),
                *(f"-timeout={_HANGS}", "-print_final_stats=1", "-verbosity=1"),
            ],
            check=False,
            timeout=share + 120,
        ).returncode
        if status:
            failed.append(name)
    print(f"failed: {', '.join(failed)}; see {folder}/crash-*" if failed else "nothing was found", flush=True)
    return len(failed)


def one(name: str, arguments: list[str]) -> None:
    """Fuzz one target; atheris ends the process."""
    import atheris  # noqa: PLC0415 - only where it is installed: see run.sh

    with atheris.instrument_imports(include=["wyoming_voice", "http_bridge"]):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - instrumented as it is imported
    atheris.Setup([name, *arguments], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        one(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(campaign(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
