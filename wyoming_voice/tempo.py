"""Faster, slower, higher, lower: for engines that cannot do it themselves, by FFmpeg's filters (WSOLA, ``atempo``)."""

from typing import Final

import numpy as np

_PUSH: Final = 0.5  # seconds; more than four filters hold
_SLOWEST, _FASTEST = 0.5, 2.0  # of one atempo: beyond, it skips sound, or fails an assertion of its own at 8


class Tempo:
    """16-bit mono PCM of one rate in, the same faster by ``speed`` and higher by ``pitch`` out; holds 0.1 s or so."""

    def __init__(self, rate: int, *, speed: float, pitch: float) -> None:
        import av  # noqa: PLC0415 - most servers never need it, and start sooner without

        self._av = av
        self._rate = rate
        self._speed = speed
        self._fed = 0
        self._given = 0
        self._graph = av.filter.Graph()
        last = self._graph.add_abuffer(sample_rate=rate, format="s16", layout="mono")
        for name, value in _filters(rate, speed, pitch):
            added = self._graph.add(name, value)
            last.link_to(added)
            last = added
        last.link_to(self._graph.add("abuffersink"))
        self._graph.configure()

    def feed(self, pcm: bytes) -> bytes:
        """Take whole samples; gives what is ready."""
        if pcm:
            self._push(pcm)
        return self._take()

    def finish(self) -> bytes:
        """Give the rest: the filters keep the end of what they have to themselves, so silence pushes it out."""
        left = round(self._fed / self._speed) - self._given
        if left <= 0:
            return b""
        self._push(bytes(2 * round(_PUSH * self._rate)))
        self._graph.push(None)
        rest = self._take()[: 2 * left]
        return rest + bytes(2 * left - len(rest))

    def _push(self, pcm: bytes) -> None:
        frame = self._av.AudioFrame.from_ndarray(np.frombuffer(pcm, "<i2")[None], format="s16", layout="mono")
        frame.sample_rate = self._rate
        frame.pts = self._fed
        self._fed += frame.samples
        self._graph.push(frame)

    def _take(self) -> bytes:
        taken = bytearray()
        while True:
            try:
                frame = self._graph.pull()
            except (self._av.BlockingIOError, self._av.EOFError):  # it wants more, or there is no more
                self._given += len(taken) // 2
                return bytes(taken)
            assert isinstance(frame, self._av.AudioFrame), "sound goes in"
            taken += frame.to_ndarray().astype("<i2").tobytes()


def _filters(rate: int, speed: float, pitch: float) -> list[tuple[str, str]]:
    """List FFmpeg's filters: played faster it is higher, too, and the tempo makes up for that."""
    chain = [("asetrate", str(round(rate * pitch))), ("aresample", str(rate))] if pitch != 1.0 else []
    tempo = speed / pitch
    while not _SLOWEST <= tempo <= _FASTEST:
        step = _SLOWEST if tempo < _SLOWEST else _FASTEST
        chain.append(("atempo", str(step)))
        tempo /= step
    return [*chain, ("atempo", f"{tempo:.6f}")]
