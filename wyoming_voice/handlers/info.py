"""The catalogue as Wyoming's ``info``.

Home Assistant uses the first installed TTS program and the first ASR program and no other, never a model's name, and
stumbles over a TTS program without voices. Hence one program of each kind: all engines' voices, and all languages.
"""

from typing import Final

from wyoming.event import Event
from wyoming.info import AsrModel, AsrProgram, Attribution, Info, TtsProgram, TtsVoice, TtsVoiceSpeaker

from wyoming_voice import __version__
from wyoming_voice.voices import HOME, Catalogue, Model, Voice, canonical

_OURS: Final = Attribution(name="wyoming-voice", url=HOME)
_LABEL: Final = "Wyoming Voice"


def describe(catalogue: Catalogue) -> Event:
    """Build the answer to ``describe``."""
    name = catalogue.settings.server.name
    voices = [_voice(voice, languages) for voice, languages in catalogue.offered]
    models = [
        _model(model, languages) for model in catalogue.models if (languages := catalogue.wanted(model.languages))
    ]
    tts = TtsProgram(
        name=name,
        description=_LABEL,
        attribution=_OURS,
        installed=True,
        version=__version__,
        voices=voices,
        supports_synthesize_streaming=True,
    )
    asr = AsrProgram(
        name=name,
        description=_LABEL,
        attribution=_OURS,
        installed=any(model.installed for model in models),
        version=__version__,
        models=models,
        supports_transcript_streaming=True,
        requires_external_vad=not catalogue.settings.listening.endpointing,
    )
    return Info(asr=[asr] if models else [], tts=[tts] if voices else []).event()


def _voice(voice: Voice, languages: tuple[str, ...]) -> TtsVoice:
    return TtsVoice(
        name=voice.name,
        description=voice.description,
        attribution=Attribution(name=voice.author, url=voice.url),
        installed=True,
        version=voice.version,
        languages=[canonical(language) for language in languages],
        speakers=[TtsVoiceSpeaker(name=speaker) for speaker in voice.speakers] or None,
    )


def _model(model: Model, languages: tuple[str, ...]) -> AsrModel:
    return AsrModel(
        name=model.name,
        description=model.description,
        attribution=Attribution(name=model.author, url=model.url),
        installed=model.missing is None,
        version=None,
        languages=[canonical(language) for language in languages],
    )
