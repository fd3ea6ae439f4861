"""Run a worker with an interpreter that has the engine's packages but not ours: ``python -P boot.py …``."""

import importlib.util
import sys
from pathlib import Path


def _become_package() -> None:
    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        folder.name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None, "this file lies in the package"
    assert spec.loader is not None, "a source file has a loader"
    package = importlib.util.module_from_spec(spec)
    sys.modules[folder.name] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    _become_package()
    from wyoming_voice.worker import main

    sys.exit(main())
