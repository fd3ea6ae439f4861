"""Import what an engine needs, in the engine's own Python: ``python -I imports.py MODULE …``.

The last line that it prints is a JSON object: ``torch``, its version or null, and ``gpus``, the names that torch sees.
Ends with a traceback and status 1 where something does not load.
"""

import importlib
import json
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path


def main() -> None:
    """Import, and look at the machine with torch's eyes."""
    if find_spec("torchaudio") is not None:  # PyPI's has a native part that only CUDA's torch can load
        runpy.run_path(str(Path(__file__).with_name("torch_audio.py")))["import_torchaudio"]()
    for name in sys.argv[1:]:
        importlib.import_module(name)
    seen: dict[str, object] = {"torch": None, "gpus": []}
    if find_spec("torch") is not None:
        torch = importlib.import_module("torch")
        seen["torch"] = torch.__version__
        seen["gpus"] = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    sys.stdout.write(f"\n{json.dumps(seen)}\n")


if __name__ == "__main__":
    main()
