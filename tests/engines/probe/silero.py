"""What can be seen only from inside the engine's process: ``silero.py DATA_DIR``, in the engine's interpreter."""

import json
import sys

import torch

from wyoming_voice.engines.protocol import Segment
from wyoming_voice.engines.silero import Silero


def main(data_dir: str) -> None:
    torch.set_num_threads(2)
    Silero({"data_dir": data_dir})
    restored = torch.get_num_threads()
    Silero({"data_dir": data_dir, "threads": 1})
    chosen = torch.get_num_threads()
    engine = Silero({"data_dir": data_dir, "model": "v4_ru"})
    said = [list(engine.synthesize(Segment("Раз, два, три.", "random", seed=seed))) for seed in (7, 7, 8, None, None)]
    sounds = [b"".join(chunk.audio for chunk in chunks) for chunks in said]
    same = [sounds[0] == sounds[1], sounds[1] == sounds[2], sounds[3] == sounds[4]]
    print(json.dumps({"restored": restored, "chosen": chosen, "same": same}))


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main(sys.argv[1])
