"""The code inside a tiny package: the public face of Silero's versions 3 to 5, and a tone for a voice.

A character lasts 70 ms. The signatures, what is raised and how SSML's percents are read are those of the published
packages; the rest is no longer than a test needs.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence

import torch

torch.set_num_threads(1)  # as the authors' packages do
torch.set_grad_enabled(False)

SECONDS = 0.07
Part = tuple[str, float, float]  # text, rate, pitch


class Voices:
    """What the versions have in common."""

    def __init__(self, letters: str, speakers: Sequence[str], limits: Mapping[str, int]) -> None:
        self.symbols = "_~|" + letters + " +.,!?…:;–-"
        self.speakers = list(speakers)
        self.limits = dict(limits)
        self.voices = torch.nn.Embedding(len(speakers), 1)
        self.voices.weight.data = torch.linspace(110, 220, len(speakers)).unsqueeze(1)
        self.device = torch.device("cpu")

    def to(self, device: torch.device) -> None:
        self.voices.to(device)
        self.device = device

    def speak(self, text: str | None, ssml_text: str | None, speaker: str, sample_rate: int) -> torch.Tensor:
        assert sample_rate in [8000, 24000, 48000], "`sample_rate` should be in [8000, 24000, 48000]"
        assert speaker in self.speakers, f"`speaker` should be in {', '.join(self.speakers)}"
        assert text is not None or ssml_text is not None, "Both `text` and `ssml_text` are empty"
        said = self.read(ssml_text) if ssml_text is not None else iter([(text or "", 1.0, 1.0)])
        parts = [(self.known(part), rate, pitch) for part, rate, pitch in said]
        whole = "".join(part for part, _, _ in parts)
        if not re.search(r"\w", whole):
            if ssml_text is None:
                raise ValueError
            parts = [(".", 1.0, 1.0)]
        if len(whole) > self.limits.get(speaker, 900):
            raise Exception("Model couldn't generate your text, probably it's too long")  # noqa: TRY002 - as it is
        loud = 0.6 if "!" in whole else 0.3
        return torch.cat([self.tone(part, speaker, sample_rate) for part in parts]) * loud

    def known(self, text: str) -> str:
        return "".join(symbol for symbol in text.lower() if symbol in self.symbols[3:])

    def tone(self, part: Part, speaker: str, sample_rate: int) -> torch.Tensor:
        text, rate, pitch = part
        hertz = 100 + 100 * torch.rand(1) if speaker == "random" else self.voices.weight[self.speakers.index(speaker)]
        samples = torch.arange(round(len(text.replace("+", "")) * SECONDS / rate * sample_rate), device=self.device)
        return torch.cos(samples * (2 * torch.pi * float(hertz) * pitch / sample_rate))

    def read(self, ssml_text: str) -> Iterator[Part]:
        try:
            root = ET.fromstring(ssml_text)
        except ET.ParseError as error:
            raise ValueError("Invalid XML format") from error
        assert root.tag == "speak", "Invalid SSML format: <speak> tag is essential"
        yield root.text or "", 1.0, 1.0
        for child in root:
            assert child.tag == "prosody", child.tag
            assert child.attrib, "Empty <prosody> tag"
            rate, pitch = child.attrib.get("rate", "100%"), child.attrib.get("pitch", "+0%")
            factor = int(pitch.replace("%", "")[1:]) / 100
            yield child.text or "", int(rate.replace("%", "")) / 100, 1 + factor if pitch[0] == "+" else 1 - factor
            yield child.tail or "", 1.0, 1.0


class Version3(Voices):
    """Versions 3 and 4: ``random``, and no homographs."""

    def __init__(self, letters: str, speakers: Sequence[str], limits: Mapping[str, int]) -> None:
        super().__init__(letters, speakers, limits)
        self.speakers.append("random")

    def apply_tts(
        self,
        text: str | None = None,
        ssml_text: str | None = None,
        speaker: str = "xenia",
        sample_rate: int = 48000,
        put_accent: bool = True,
        put_yo: bool = True,
        voice_path: str | None = None,
    ) -> torch.Tensor:
        return self.speak(text, ssml_text, speaker, sample_rate)


class Version5(Voices):
    """Version 5 also puts stress and ``ё`` into homographs; here it speaks half as long without (to be seen)."""

    def apply_tts(
        self,
        text: str | None = None,
        ssml_text: str | None = None,
        speaker: str = "xenia",
        sample_rate: int = 48000,
        put_accent: bool = True,
        put_yo: bool = True,
        put_stress_homo: bool = True,
        put_yo_homo: bool = True,
    ) -> torch.Tensor:
        sound = self.speak(text, ssml_text, speaker, sample_rate)
        return sound if put_stress_homo else sound[: len(sound) // 2]
