"""Orpheus with a completion server as the source of its tokens: a real one of HTTP, which says what a test wants."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, Final

import pytest

from tests.engines.environment import make_tiny, worker
from tests.engines.speaking import seconds, spoken
from wyoming_voice.engines import orpheus_server
from wyoming_voice.engines.orpheus_server import CompletionTokens
from wyoming_voice.engines.orpheus_tokens import Prompt, Sampling, audio_ids
from wyoming_voice.engines.protocol import Segment
from wyoming_voice.errors import BadRequest, Deadline, EngineUnavailable, VoiceError

SAMPLING: Final = Sampling(0.6, 0.9, 1.1)
FRAMES: Final = [(number, 1, 2, 3, 4, 5, 6) for number in range(12)]
TOKENS: Final = audio_ids(FRAMES)
PROMPT: Final = Prompt("Hello.", "tara")
WAIT: Final = 30.0


@dataclass
class Completions:
    """A server of completions, and what it was asked."""

    url: str = ""
    said: Callable[["Completions"], Iterator[str]] = lambda _server: map(event, TOKENS)
    """The lines of the stream."""
    status: int = 200
    asked: "SimpleQueue[dict[str, Any]]" = field(default_factory=SimpleQueue)
    left: Event = field(default_factory=Event)
    """The client closed the connection in the middle."""
    go_on: Event = field(default_factory=Event)


def event(token: int) -> str:
    return f"data: {json.dumps({'choices': [{'text': f'<custom_token_{token - 128_256}>'}]})}\n\n"


@contextmanager
def serving() -> Iterator[Completions]:
    completions = Completions()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            completions.asked.put({**body, "path": self.path, "key": self.headers["Authorization"]})
            self.send_response(completions.status)
            self.end_headers()
            try:
                for line in completions.said(completions):
                    self.wfile.write(line.encode())
                    self.wfile.flush()
            except OSError:
                completions.left.set()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 (its name in the library)
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        completions.url = f"http://127.0.0.1:{server.server_port}/v1"
        try:
            yield completions
        finally:
            completions.go_on.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def server() -> Iterator[Completions]:
    with serving() as completions:
        yield completions


def source(server: Completions, key: str | None = None) -> CompletionTokens:
    return CompletionTokens(server.url, "orpheus", SAMPLING, key)


def drawn(server: Completions, limit: int = 1000) -> list[int]:
    return [token for token in source(server).tokens(PROMPT, limit, 7) if token is not None]


def endless(server: Completions) -> Iterator[str]:
    while True:
        yield from map(event, TOKENS)


def waiting(server: Completions) -> Iterator[str]:
    yield from map(event, TOKENS[:3])
    server.go_on.wait(WAIT)
    yield from endless(server)


def test_tokens_are_those_that_the_server_streams(server: Completions) -> None:
    assert drawn(server) == TOKENS


def test_it_asks_for_what_vllm_and_llama_cpp_understand(server: Completions) -> None:
    list(source(server, "secret").tokens(PROMPT, 21, 7))
    assert server.asked.get(timeout=WAIT) == {
        "path": "/v1/completions",
        "key": "Bearer secret",
        "model": "orpheus",
        "prompt": PROMPT.written(),
        "stream": True,
        "max_tokens": 21,
        "seed": 7,
        "temperature": 0.6,
        "top_p": 0.9,
        "repetition_penalty": 1.1,
        "repeat_penalty": 1.1,
        "stop": ["<custom_token_2>", "<custom_token_6>"],
        "stop_token_ids": [128_258, 128_262],
        "skip_special_tokens": False,
        "add_special_tokens": False,
    }


@pytest.mark.parametrize("end", ["data: [DONE]\n\n", event(128_258), event(128_262)])
def test_the_speech_ends_where_the_server_says(server: Completions, end: str) -> None:
    server.said = lambda _server: iter([*map(event, TOKENS), ": a comment\n\n", end, *map(event, TOKENS)])
    assert drawn(server) == TOKENS


def test_a_server_that_never_ends_is_left(server: Completions) -> None:
    server.said = endless
    assert len(drawn(server, limit=50)) == 50
    assert server.left.wait(WAIT)


def test_closing_breaks_the_connection_also_while_nothing_comes(server: Completions) -> None:
    server.said = waiting
    with closing(source(server).tokens(PROMPT, 1000, 7)) as tokens:
        found = [next(tokens) for _ in range(3)]
        while found[-1] is not None:
            found.append(next(tokens))
    assert [token for token in found if token is not None] == TOKENS[:3]
    server.go_on.set()
    assert server.left.wait(WAIT)


@pytest.mark.parametrize(
    ("status", "kind", "sentence"),
    [
        (400, BadRequest, "answers 400: too long"),
        (401, EngineUnavailable, "ORPHEUS_COMPLETIONS_KEY"),
        (404, EngineUnavailable, "completions_model"),
        (500, EngineUnavailable, "answers 500: too long. Look at its log"),
    ],
)
def test_what_the_server_refuses_is_told(
    server: Completions, status: int, kind: type[VoiceError], sentence: str
) -> None:
    server.status = status
    server.said = lambda _server: iter(["too long"])
    with pytest.raises(kind, match=sentence):
        drawn(server)


@pytest.mark.parametrize("line", ['data: {"error": "out of memory"}\n\n', "data: {not JSON\n\n", "data: [1]\n\n"])
def test_nonsense_in_the_stream_is_told(server: Completions, line: str) -> None:
    server.said = lambda _server: iter([event(TOKENS[0]), line])
    with pytest.raises(EngineUnavailable, match=r"The completion server"):
        drawn(server)


def test_a_server_that_says_nothing_for_too_long_is_given_up(
    server: Completions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orpheus_server, "_SILENT_SECONDS", 0.05)
    server.said = waiting
    with pytest.raises(Deadline, match="said nothing"):
        drawn(server)


def test_a_server_that_is_not_there_is_told() -> None:
    with serving() as gone:
        pass
    with pytest.raises(EngineUnavailable, match=r"is not reachable .*completions_url"):
        drawn(gone)


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host/v1", "http://"])
def test_an_address_that_is_none_is_told(url: str) -> None:
    with pytest.raises(EngineUnavailable, match="completions_url must be like"):
        CompletionTokens(url, "orpheus", SAMPLING, None)


@pytest.mark.timeout(300)  # importing torch takes a minute where everybody does it at once
def test_a_worker_speaks_with_the_tokens_of_a_server(
    server: Completions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # more would spin on every core for next to nothing
    make_tiny("orpheus", tmp_path, "codec")
    options = {
        "codec": str(tmp_path / "codec"),
        "completions_url": server.url,
        "completions_model": "my-orpheus",
        "voices": ["Аня"],
        "data_dir": str(tmp_path),
    }
    segment = Segment(text="Привет.", voice="Аня", style="laugh")
    server.said = lambda server: iter([*map(event, TOKENS[:30]), event(128_256), *map(event, TOKENS[30:])])
    with worker("orpheus", "wyoming_voice.engines.orpheus:Orpheus", "tts", options, tmp_path) as engine:
        assert seconds(spoken(engine, segment)) == pytest.approx(12 * 2048 / 24_000)
        asked = server.asked.get(timeout=WAIT)
        assert asked["model"] == "my-orpheus"
        assert "Аня: <laugh> Привет.<|eot_id|>" in asked["prompt"]

        server.said = lambda server: chain(map(event, TOKENS), waiting(server))
        with closing(engine.synthesize(segment)) as audio:  # type: ignore[type-var]
            assert next(audio).audio
        server.said = lambda _server: map(event, TOKENS)  # while the first request still waits for its server
        assert seconds(spoken(engine, segment)) == pytest.approx(12 * 2048 / 24_000)
