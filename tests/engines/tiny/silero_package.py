"""The code inside a tiny package: the public face of Silero's versions 3 to 5, and a tone for a voice.

A character lasts 70 ms. The names, the signatures, what is raised and how SSML's percents are read are those of the
published packages; the rest is no longer than a test needs.
"""

import re
import xml.etree.ElementTree as ET

import torch

torch.set_num_threads(1)  # as the authors' packages do

SECONDS = 0.07


class TTSModelMultiAcc_v3:
    """Versions 3 and 4: one list of symbols, the speaker ``random``."""

    def __init__(self, letters, speakers, limits):
        self.symbols = "_~|" + letters + " +.,!?…:;–-"
        self.speakers = [*speakers, "random"]
        self.limits = limits
        self.voices = torch.nn.Embedding(len(speakers), 1)
        self.voices.weight.data = torch.linspace(110, 220, len(speakers)).unsqueeze(1)
        self.device = torch.device("cpu")

    def to(self, device):
        self.voices.to(device)
        self.device = device

    def apply_tts(self, text=None, ssml_text=None, speaker="xenia", sample_rate=48000, put_accent=True, put_yo=True,
                  voice_path=None, symbol_durs=None):  # fmt: skip
        return self.speak(text, ssml_text, speaker, sample_rate)

    def speak(self, text, ssml_text, speaker, sample_rate):
        assert sample_rate in [8000, 24000, 48000], "`sample_rate` should be in [8000, 24000, 48000]"
        assert speaker in self.speakers, f"`speaker` should be in {', '.join(self.speakers)}"
        assert text is not None or ssml_text is not None, "Both `text` and `ssml_text` are empty"
        said = [(text, 1.0, 1.0)] if ssml_text is None else list(self.read(ssml_text))
        said = [(self.known(part), rate, pitch) for part, rate, pitch in said]
        whole = "".join(part for part, _, _ in said)
        if not re.search(r"\w", whole):
            if ssml_text is None:
                raise ValueError
            said = [(".", 1.0, 1.0)]
        if len(whole) > self.limits.get(speaker, 900):
            raise Exception("Model couldn't generate your text, probably it's too long")
        loud = 0.6 if "!" in whole else 0.3
        return torch.cat([self.tone(*part, speaker, sample_rate) for part in said]) * loud

    def known(self, text):
        return "".join(symbol for symbol in text.lower() if symbol in self.symbols[3:])

    def tone(self, text, rate, pitch, speaker, sample_rate):
        hertz = 100 + 100 * torch.rand(1) if speaker == "random" else self.voices.weight[self.speakers.index(speaker)]
        samples = torch.arange(round(len(text.replace("+", "")) * SECONDS / rate * sample_rate), device=self.device)
        return torch.cos(samples * (2 * torch.pi * float(hertz) * pitch / sample_rate))

    def read(self, ssml_text):
        try:
            root = ET.fromstring(ssml_text)
        except Exception:
            raise ValueError("Invalid XML format")
        assert root.tag == "speak", "Invalid SSML format: <speak> tag is essential"
        yield root.text or "", 1.0, 1.0
        for child in root:
            assert child.tag == "prosody", child.tag
            assert child.attrib, "Empty <prosody> tag"
            rate, pitch = child.attrib.get("rate", "100%"), child.attrib.get("pitch", "+0%")
            factor = int(pitch.replace("%", "")[1:]) / 100
            yield child.text or "", int(rate.replace("%", "")) / 100, 1 + factor if pitch[0] == "+" else 1 - factor
            yield child.tail or "", 1.0, 1.0


class TTSModelMulti_v5(TTSModelMultiAcc_v3):
    """Version 5: packages inside the package, homographs, no ``random``."""

    def __init__(self, letters, speakers, limits):
        super().__init__(letters, speakers, limits)
        self.speakers.remove("random")

    def apply_tts(self, text=None, ssml_text=None, speaker="xenia", sample_rate=48000, put_accent=True, put_yo=True,
                  put_stress_homo=True, put_yo_homo=True, symbol_durs=None):  # fmt: skip
        self.asked = (put_accent, put_yo, put_stress_homo, put_yo_homo)
        return self.speak(text, ssml_text, speaker, sample_rate)
