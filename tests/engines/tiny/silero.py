"""Make tiny Silero models of the form that the published ones have: ``silero.py FOLDER``."""

import importlib.util
import sys
from pathlib import Path

from torch.package import PackageExporter

CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюяё"
LATIN = "abcdefghijklmnopqrstuvwxyz"
RUSSIAN = ("aidar", "baya", "kseniya", "xenia", "eugene")
CODE = Path(__file__).with_name("silero_package.py")
NAME = "multi_acc_package"


def main(folder: Path) -> None:
    spec = importlib.util.spec_from_file_location(NAME, CODE)
    assert spec is not None
    assert spec.loader is not None
    code = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = code
    spec.loader.exec_module(code)
    folder.mkdir(parents=True, exist_ok=True)
    models = {
        "v5_5_ru": code.Version5(CYRILLIC, RUSSIAN, {"eugene": 60}),
        "v4_ru": code.Version3(CYRILLIC, RUSSIAN, {}),
        "v3_en": code.Version3(LATIN, [f"en_{number}" for number in range(118)], {}),
    }
    for name, model in models.items():
        with PackageExporter(str(folder / f"{name}.pt")) as package:
            package.save_source_string(NAME, CODE.read_text("utf-8"))
            package.extern(["torch.**", "numpy.**"])
            package.save_pickle("tts_models", "model", model)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
