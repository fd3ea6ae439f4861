"""What can be seen only from inside the engine's process, in the engine's interpreter."""

import json

import torch

from wyoming_voice.engines.silero_stress import SileroStress


def main() -> None:
    torch.set_num_threads(2)
    SileroStress({})
    print(json.dumps({"threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
