"""A C library that pushes audio into a callback, turned into an iterator that its consumer pulls."""

from collections.abc import Callable, Iterator
from threading import Condition, Thread

Play = Callable[[bytes], bool]
"""Hands over audio; blocks while the consumer is too far behind; False: nobody listens any more, stop."""


class _Pipe:
    """What one thread plays and another takes, in bytes; at most ``ahead`` wait before ``play`` blocks."""

    __slots__ = ("_ahead", "_changed", "_ended", "_waiting", "error")

    def __init__(self, ahead: int) -> None:
        self._ahead = ahead
        self._changed = Condition()
        self._waiting = bytearray()
        self._ended = False
        self.error: BaseException | None = None

    def play(self, pcm: bytes) -> bool:
        with self._changed:
            self._waiting += pcm
            self._changed.notify()
            while len(self._waiting) > self._ahead and not self._ended:
                self._changed.wait()
            return not self._ended

    def take(self) -> bytes:
        """Wait for audio and take all there is: a fast engine's chunks grow by themselves; empty at the end."""
        with self._changed:
            while not self._waiting and not self._ended:
                self._changed.wait()
            pcm = bytes(self._waiting)
            self._waiting.clear()
            self._changed.notify()
            return pcm

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def stream(call: Callable[[Play], None], *, ahead: int) -> Iterator[bytes]:
    """Run ``call(play)`` in a thread of its own and yield what it plays; once closed, ``play`` returns False.

    ``ahead`` is how many bytes may wait for the consumer, half a second of audio for instance. What ``call`` raises is
    raised here, after the audio before it. The thread has ended whenever the iterator has.
    """
    pipe = _Pipe(ahead)

    def run() -> None:
        try:
            call(pipe.play)
        except BaseException as error:  # noqa: BLE001  # nobody looks at this thread; the consumer's thread raises it
            pipe.error = error
        finally:
            pipe.end()

    # A daemon: an iterator that nobody closed must not keep the process from ending.
    thread = Thread(target=run, name="callback", daemon=True)
    thread.start()
    try:
        while pcm := pipe.take():
            yield pcm
    finally:
        pipe.end()
        thread.join()
    if pipe.error is not None:
        raise pipe.error
