"""Orpheus' tokens from a server that speaks OpenAI's completion protocol: vLLM, llama.cpp, LM Studio."""

import http.client
import json
import socket
from collections.abc import Generator, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final
from urllib.parse import urlsplit

from wyoming_voice.errors import BadRequest, Deadline, EngineUnavailable, VoiceError

from .orpheus_tokens import STOP, STOP_WORDS, Prompt, Sampling, TokenText

KEY: Final = "ORPHEUS_COMPLETIONS_KEY"
"""The environment variable that has the server's key, if it wants one."""

_CONNECT_SECONDS: Final = 5.0
_SILENT_SECONDS: Final = 60.0  # a server with a queue begins late
_BREATH: Final = 0.05  # seconds until a request that gets nothing looks whether it is still wanted
_LINE: Final = 1 << 20  # bytes in a line of the stream


class CompletionTokens:
    """Streams tokens over HTTP. Closing the iterator closes the connection, upon which such servers stop.

    ``url`` is the server's address: ``http://HOST:8000/v1``, or the whole one that ends with ``/completions``.
    """

    def __init__(self, url: str, model: str, sampling: Sampling, key: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise EngineUnavailable(f"completions_url must be like http://HOST:8000/v1, not {url!r}.")
        path = parts.path.rstrip("/")
        self._path = path if path.endswith("/completions") else f"{path or '/v1'}/completions"
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port = parts.hostname, parts.port
        self._url = url
        self._asked = {
            "model": model,
            "stream": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "repetition_penalty": sampling.repetition_penalty,  # vLLM's name
            "repeat_penalty": sampling.repetition_penalty,  # llama.cpp's
            "stop": list(STOP_WORDS),
            "stop_token_ids": sorted(STOP),
            "skip_special_tokens": False,
            "add_special_tokens": False,  # the prompt has them
        }
        self._headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"

    def tokens(self, prompt: Prompt, limit: int, seed: int) -> Generator[int | None, None, None]:
        """Yield ids as they come, None every 50 ms while there is none.

        Raises EngineUnavailable where the server is not there, refuses or breaks off, Deadline where it is silent.
        """
        body = json.dumps({**self._asked, "prompt": prompt.written(), "max_tokens": limit, "seed": seed})
        connection = self._connect()
        sock = connection.sock  # http.client forgets it where the connection ends with the response
        came: SimpleQueue[int | VoiceError | None] = SimpleQueue()  # as many as limit, and the end
        thread = Thread(target=self._receive, args=(connection, body, limit, came), name="completions", daemon=True)
        thread.start()
        try:
            while True:
                try:
                    token = came.get(timeout=_BREATH)
                except Empty:
                    yield None
                    continue
                if isinstance(token, VoiceError):
                    raise token
                if token is None or token in STOP:
                    return
                yield token
        finally:
            with suppress(OSError):  # the other side may have gone already
                sock.shutdown(socket.SHUT_RDWR)  # wakes the thread
            thread.join()
            connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        connection = self._kind(self._host, self._port, timeout=_CONNECT_SECONDS)
        try:
            connection.connect()
        except OSError as error:
            raise EngineUnavailable(
                f"The completion server at {self._url} is not reachable ({error}). Start it, or correct the option "
                "completions_url; without that option Orpheus runs here."
            ) from error
        connection.auto_open = 0  # once closed it stays closed
        connection.sock.settimeout(_SILENT_SECONDS)
        return connection

    def _receive(
        self,
        connection: http.client.HTTPConnection,
        body: str,
        limit: int,
        came: "SimpleQueue[int | VoiceError | None]",
    ) -> None:
        """Ask and put what comes into the queue, from a thread; its last item is None or an error."""
        end: VoiceError | None = None
        try:
            connection.request("POST", self._path, body.encode(), self._headers)
            with connection.getresponse() as response:
                if response.status != 200:
                    raise self._refused(response)
                for token, _ in zip(_tokens(response), range(limit), strict=False):
                    came.put(token)
        except VoiceError as error:
            end = error
        except TimeoutError:
            end = Deadline(f"The completion server at {self._url} said nothing for {_SILENT_SECONDS:.0f} s.")
        except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: also JSON that is none
            end = EngineUnavailable(f"The completion server at {self._url} broke off ({error!r}). Look at its log.")
        finally:
            came.put(end)

    def _refused(self, response: http.client.HTTPResponse) -> VoiceError:
        said = " ".join(response.read(2000).decode(errors="replace").split())[:300]
        text = f"The completion server at {self._url} answers {response.status}: {said or response.reason}."
        match response.status:
            case 401 | 403:
                return EngineUnavailable(f"{text} Put its key into the environment variable {KEY}.")
            case 404:
                return EngineUnavailable(f"{text} Check the options completions_url and completions_model.")
            case 400 | 413 | 422:
                return BadRequest(text)
        return EngineUnavailable(f"{text} Look at its log.")


def _tokens(response: http.client.HTTPResponse) -> Iterator[int]:
    """Read server-sent events, a completion's piece of text each; raises EngineUnavailable for an error among them."""
    text = TokenText()
    while line := response.readline(_LINE):
        field, _, value = line.decode(errors="replace").partition(":")
        if field != "data":
            continue
        if value.strip() == "[DONE]":
            return
        yield from text.feed(_text(json.loads(value)))


def _text(event: object) -> str:
    """Return the piece of text of an event; empty where it has none, such as what was used in all."""
    match event:
        case {"error": error}:
            raise EngineUnavailable(f"The completion server says: {str(error)[:300]}")
        case {"choices": [{"text": str(text)}, *_]}:
            return text
        case {}:
            return ""
    raise ValueError("an event that is no object")
