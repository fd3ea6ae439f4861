"""What the talker reads, laid out by the package's own code.

Its public functions check the speaker and the language, write the roles around the text, put instruction, reference and
speaker in their places, and hand all of that to ``talker.generate``. There we take it.
"""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from .qwen_draw import Sampling
from .qwen_talker import Prompt
from .qwen_voice import ClonedVoice


class _LaidOut(Exception):
    """No error: the way out of the package with what it has made."""

    def __init__(self, made: Mapping[str, Any]) -> None:
        super().__init__()
        self.made = made


def _hand_over(**made: Any) -> NoReturn:
    raise _LaidOut(made)


class PromptWriter:
    """Lays out prompts with a loaded model of the package, which from then on generates nothing itself."""

    def __init__(self, package: Any, settings: Mapping[str, object]) -> None:
        """``package`` is a Qwen3TTSModel; ``settings`` are its arguments that shape the drawing of codes."""
        self._package = package
        self._settings = settings
        package.model.talker.generate = _hand_over

    def speaker(self, text: str, language: str, speaker: str, style: str | None) -> Prompt:
        """Lay out a text for a speaker of a CustomVoice model."""
        custom = self._package.generate_custom_voice
        return self._take(custom, text=text, language=language, speaker=speaker, instruct=style)

    def designed(self, text: str, language: str, description: str) -> Prompt:
        """Lay out a text for a voice in words."""
        return self._take(self._package.generate_voice_design, text=text, language=language, instruct=description)

    def cloned(self, text: str, language: str, voice: ClonedVoice) -> Prompt:
        """Lay out a text for a recorded voice."""
        from qwen_tts import VoiceClonePromptItem  # noqa: PLC0415 - it can be imported once torchaudio is

        continued = voice.codes is not None
        item = VoiceClonePromptItem(
            ref_code=voice.codes,
            ref_spk_embedding=voice.embedding,
            x_vector_only_mode=not continued,
            icl_mode=continued,
            ref_text=voice.text,
        )
        clone = self._package.generate_voice_clone
        return self._take(clone, text=text, language=language, voice_clone_prompt=[item])

    def _take(self, lay_out: Callable[..., object], **arguments: object) -> Prompt:
        try:
            lay_out(**arguments, **self._settings)
        except _LaidOut as laid_out:
            return _prompt(laid_out.made)
        raise AssertionError("the package generates by talker.generate")


def _prompt(made: Mapping[str, Any]) -> Prompt:
    return Prompt(
        embeds=made["inputs_embeds"],
        trailing=made["trailing_text_hidden"],
        pad=made["tts_pad_embed"],
        first=Sampling(made["do_sample"], made["temperature"], made["top_k"], made["top_p"]),
        rest=Sampling(
            made["subtalker_dosample"],
            made["subtalker_temperature"],
            made["subtalker_top_k"],
            made["subtalker_top_p"],
        ),
        repetition_penalty=made["repetition_penalty"],
    )
