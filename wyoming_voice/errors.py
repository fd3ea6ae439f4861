"""What can go wrong, each with a stable code and a sentence that says what to do.

Raised where the meaning is known, spelled once per front door (an HTTP status, a WebSocket close code, a Wyoming
``error`` event). ``docs/protocol.md`` lists the codes; a test keeps the two the same.
"""

from collections.abc import Iterator
from typing import ClassVar, Final

from .invocation import typed

_LONGEST: Final = 4000
"""Characters of a sentence; what is longer repeats what somebody wrote, which may be a megabyte of it."""


class VoiceError(Exception):
    """Something that the person or program who asked should be told."""

    code: ClassVar[str] = "internal"

    def __init__(self, text: str) -> None:
        self.text = typed(text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}")
        super().__init__(self.text)


class BadRequest(VoiceError):
    """The request makes no sense as it stands."""

    code = "bad-request"


class Unauthorized(VoiceError):
    """A token is missing or wrong."""

    code = "unauthorized"


class UnknownVoice(VoiceError):
    """No voice has this name, or none speaks this language."""

    code = "unknown-voice"


class UnknownEngine(VoiceError):
    """No engine or model has this name."""

    code = "unknown-engine"


class TooLarge(VoiceError):
    """More text, audio or bytes than a request may have."""

    code = "too-large"


class UnsupportedAudio(VoiceError):
    """Audio that cannot be decoded, or of an impossible format."""

    code = "unsupported-audio"


class Busy(VoiceError):
    """The queue is full; ``retry_after`` seconds is when it should have room again."""

    code = "busy"

    def __init__(self, text: str, retry_after: float = 1.0) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class EngineUnavailable(VoiceError):
    """Not installed, weights missing, does not load, or the server is stopping: the sentence says what to run."""

    code = "engine-unavailable"


class WorkerLost(VoiceError):
    """The process that did the work ended or broke its connection."""

    code = "worker-lost"


class Deadline(VoiceError):
    """Somebody took longer than they may."""

    code = "deadline"


class Internal(VoiceError):
    """A mistake of ours; the log has the rest."""

    code = "internal"


def kinds(root: type[VoiceError] = VoiceError) -> Iterator[type[VoiceError]]:
    """Walk every kind of error."""
    for kind in root.__subclasses__():
        yield kind
        yield from kinds(kind)


def from_code(code: str | None, text: str) -> VoiceError:
    """Build the error again that a Wyoming ``error`` event carried over a connection."""
    return next((kind for kind in kinds() if kind.code == code), Internal)(text)
