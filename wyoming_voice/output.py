"""An utterance's audio on its way out: one format from the first chunk to the last."""

from wyoming.audio import AudioChunk

from .audio import Converter, PcmFormat
from .channel import Channel
from .metrics import Observation
from .tempo import Tempo


class Output:
    """Takes chunks of any format, gives chunks of the first one's (or of the rate that was asked for)."""

    def __init__(
        self,
        audio: Channel[AudioChunk],
        rate: int | None,
        limit: int,
        seen: Observation,
        *,
        speed: float = 1.0,
        pitch: float = 1.0,
    ) -> None:
        """Make an output; ``speed`` and ``pitch`` are what the engine does not do itself."""
        self._seen = seen
        self._audio = audio
        self._rate = rate
        self._low = limit // 4
        self._source: PcmFormat | None = None
        self._target: PcmFormat | None = None
        self._converter: Converter | None = None
        self._pace = (speed, pitch)
        self._tempo: Tempo | None = None

    async def ready(self) -> None:
        """Wait until the reader has caught up, so that a slow one waits outside of a turn."""
        await self._audio.wait_below(self._low)

    async def put(self, chunk: AudioChunk) -> None:
        """Send a chunk on."""
        source = PcmFormat(chunk.rate, chunk.width, chunk.channels)
        if source != self._source:
            await self._flush()
            self._source = source
            self._target = self._target or PcmFormat(self._rate or source.rate, 2, 1)
            self._converter = None if source == self._target else Converter(source, self._target)
        await self._send(chunk.audio if self._converter is None else self._converter.feed(chunk.audio))

    async def finish(self) -> None:
        """Send what is still held back."""
        await self._flush()
        if self._tempo is not None:
            await self._give(self._tempo.finish())

    async def _flush(self) -> None:
        if self._converter is not None:
            await self._send(self._converter.finish())
            self._converter = None
            self._source = None

    async def _send(self, pcm: bytes) -> None:
        if pcm:
            if self._pace != (1.0, 1.0):
                pcm = self._paced(pcm)
            await self._give(pcm)

    def _paced(self, pcm: bytes) -> bytes:
        if self._tempo is None:
            assert self._target is not None, "a format comes with the first chunk"
            self._tempo = Tempo(self._target.rate, speed=self._pace[0], pitch=self._pace[1])
        return self._tempo.feed(pcm)

    async def _give(self, pcm: bytes) -> None:
        if pcm:
            assert self._target is not None, "a format comes with the first chunk"
            self._seen.progress(len(pcm) / self._target.byte_rate)
            await self._audio.put(AudioChunk(self._target.rate, self._target.width, self._target.channels, pcm))
