"""What can be seen only from inside the engine's process, in the engine's interpreter."""

import json

import torch

from wyoming_voice.engines.silero_stress import SileroStress


def main() -> None:
    torch.set_num_threads(3)
    found = list[int]()
    for options in ({}, {"threads": 2}):
        SileroStress(options).rewrite("Я люблю чытаць кнігі.", "be")
        found.append(torch.get_num_threads())
    print(json.dumps({"threads": found}))


if __name__ == "__main__":
    main()
