"""Whisper by faster-whisper (https://github.com/SYSTRAN/faster-whisper): 99 languages, on CTranslate2, no torch."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wyoming_voice.errors import BadRequest, EngineUnavailable

from .gate import PADDING, Speech, SpeechGate
from .protocol import HEARD_RATE, Heard, Options, Piece, Word
from .voices import whisper_folder, whisper_missing, whisper_shelf

if TYPE_CHECKING:
    from faster_whisper.transcribe import Segment

_OWN_CODES: Final = {"nb": "no", "jv": "jw", "cmn": "zh", "fil": "tl", "iw": "he"}
"""Languages that Whisper knows by another code than BCP 47."""

_HINT_TOKENS: Final = 100
"""Of the prompt and of the terms, each: the decoder has room for 448 tokens, and 25 s of speech need half of them."""

_DECODING: Final = {
    "word_timestamps": True,
    "vad_filter": False,  # the gate did that
    "condition_on_previous_text": False,  # a mistake would feed itself
    # Repetitive or unlikely text is tried again, twice and not five times: a voice command cannot wait for more.
    "temperature": (0.0, 0.2, 0.4),
    "compression_ratio_threshold": 2.4,
    "log_prob_threshold": -1.0,
    "no_speech_threshold": 0.6,
    "hallucination_silence_threshold": 2.0,
}


class FasterWhisper:
    """A Whisper model in CTranslate2's format. A step decodes up to 30 s and cannot be cancelled inside.

    Options: ``model`` (a folder, or the name of one in ``<data_dir>/faster-whisper``; what is there is the default),
    ``download`` (fetch the model of this name from the Hugging Face hub, once), ``compute_type`` (CTranslate2's; the
    fastest), ``beam_size`` (5), ``cpu_threads`` (0: CTranslate2's choice).
    """

    def __init__(self, options: Options) -> None:
        """Load the model; raise EngineUnavailable where there is none or it does not load."""
        try:
            from faster_whisper import WhisperModel  # noqa: PLC0415 (a worker's library)
        except ImportError as error:
            raise EngineUnavailable(
                f"faster-whisper does not load ({error}). Run: ./run.sh engines install faster-whisper"
            ) from error
        if missing := whisper_missing(options):
            raise EngineUnavailable(missing)
        self._gate = SpeechGate()
        self._beam_size = _whole(options, "beam_size", 5)
        folder = whisper_folder(options) or _downloaded(options)
        device, _, index = str(options.get("device") or "cpu").partition(":")
        try:
            self._model = WhisperModel(
                str(folder),
                device=device,
                device_index=int(index or 0),
                compute_type=str(options.get("compute_type") or "auto"),
                cpu_threads=_whole(options, "cpu_threads", 0),
                local_files_only=True,
            )
        except (OSError, RuntimeError, ValueError) as error:  # CTranslate2's own: no such device, not its format, …
            raise EngineUnavailable(f"faster-whisper cannot load {folder} on {device}: {error}") from error

    def transcribe(self, piece: Piece) -> Iterator[Heard]:
        """Yield sentence after sentence; raise BadRequest for languages that the model does not know."""
        language = self._code(piece.language)
        speech = self._gate.speech(piece.samples)
        if speech is None:
            return
        segments, info = self._model.transcribe(
            speech.samples,
            language=language,
            beam_size=self._beam_size,
            initial_prompt=self._tokens(piece.prompt)[-_HINT_TOKENS:] if piece.prompt else None,
            hotwords=self._terms(piece.terms) or None,
            **_DECODING,
        )
        space = False
        with closing(segments):
            for segment in segments:
                if segment.start * HEARD_RATE >= len(speech.samples) - PADDING:
                    break  # nobody speaks any more: what it hears now it invents
                yield _heard(segment, speech, language or info.language, stripped=not space)
                space = True

    def _code(self, language: str | None) -> str | None:
        """Whisper's own code of a language."""
        if language is None:
            return None
        known = self._model.supported_languages
        code = language.lower().partition("-")[0]
        code = _OWN_CODES.get(code, code)
        if code not in known:
            heard = "hears English only" if len(known) == 1 else f"does not hear {language}"
            raise BadRequest(f"This Whisper model {heard}: choose another model or engine for the language {language}.")
        return code

    def _tokens(self, text: str) -> list[int]:
        return list(self._model.hf_tokenizer.encode(" " + text.strip(), add_special_tokens=False).ids)

    def _terms(self, terms: Iterable[str]) -> str:
        """As many terms as there is room for, the first ones first."""
        chosen: list[str] = []
        for term in terms:
            if len(self._tokens(", ".join([*chosen, term]))) > _HINT_TOKENS:
                break
            chosen.append(term)
        return ", ".join(chosen)


def _heard(segment: "Segment", speech: Speech, language: str, *, stripped: bool) -> Heard:
    """Count times from the piece's beginning; strip the space that Whisper begins with from the first text."""
    return Heard(
        text=segment.text.strip() if stripped else segment.text.rstrip(),
        start=speech.moment(segment.start),
        end=speech.moment(segment.end),
        language=language,
        words=tuple(
            Word(
                word.word.strip(), speech.moment(word.start), speech.moment(word.end), round(float(word.probability), 3)
            )
            for word in segment.words or ()
        ),
    )


def _whole(options: Options, name: str, default: int) -> int:
    value = options.get(name, default)
    if not isinstance(value, int) or value < 0:
        raise EngineUnavailable(f"The option {name} of faster-whisper must be a whole number, not {value!r}.")
    return value


def _downloaded(options: Options) -> Path:
    """Fetch the model from the hub, or find it where it was put the time before, without asking the hub again."""
    from faster_whisper import download_model  # noqa: PLC0415

    name, shelf = str(options.get("model") or "small"), str(whisper_shelf(options))
    for offline in (True, False):
        try:
            folder = Path(download_model(name, cache_dir=shelf, local_files_only=offline))
        except (OSError, ValueError) as error:  # the hub's errors are OSErrors, ValueError: no such name
            problem: Exception = error
        else:
            if whisper_folder({**options, "model": str(folder)}):
                return folder
            problem = FileNotFoundError("the download is not complete")
    raise EngineUnavailable(f"The Whisper model {name} could not be downloaded to {shelf}: {problem}") from problem
