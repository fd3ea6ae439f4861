"""An OpenAI-compatible server in a process of its own, which answers as a test wants: ``python llm_server.py``.

It prints its port. ``POST /behave`` with a word changes what it does, ``POST /open`` lets replies go on that wait,
``GET /seen`` says what it was asked and how many clients left before the end.
"""

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web


class _Server:
    def __init__(self) -> None:
        self.behaviour = "shout"
        self.asked: list[dict[str, Any]] = []
        self.left = 0
        self.opened = asyncio.Event()

    async def behave(self, request: web.Request) -> web.Response:
        self.behaviour = await request.text()
        self.opened.clear()
        return web.Response()

    async def open(self, _request: web.Request) -> web.Response:
        self.opened.set()
        return web.Response()

    async def seen(self, _request: web.Request) -> web.Response:
        return web.json_response({"asked": self.asked, "left": self.left})

    async def complete(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.asked.append({**asked, "key": request.headers.get("Authorization", "")})
        text = asked["messages"][-1]["content"]
        match self.behaviour:
            case "500" | "401" | "429":
                return web.json_response({"error": {"message": text}}, status=int(self.behaviour))
            case "page":
                return web.Response(text="<html>hello</html>", content_type="text/html")
        reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await reply.prepare(request)
        try:
            await self._stream(reply, request, text)
        except (ConnectionError, asyncio.CancelledError):
            self.left += 1
            raise
        return reply

    async def _stream(self, reply: web.StreamResponse, request: web.Request, text: str) -> None:  # noqa: C901 - one case a behaviour
        await _say(reply, "", role="assistant")
        match self.behaviour:
            case "silent":
                await self.opened.wait()
            case "stalls":
                await _say(reply, "Well")
                await self.opened.wait()
            case "breaks":
                await _say(reply, "Well")
                assert request.transport is not None
                request.transport.abort()
                return
            case "ends early":
                await _say(reply, "Well")
                return
            case "junk":
                await reply.write(b"data: {nothing\n\n")
                return
            case "odd":
                await reply.write(b'data: {"choices": [7], "id": []}\n\n')
                return
            case "error":
                await reply.write(b'data: {"error": {"message": "no memory"}}\n\n')
                return
            case "endless":
                while True:
                    await _say(reply, "again and ")
                    await asyncio.sleep(0)
            case "cut":
                await _say(reply, "Well", finish="length")
                return
            case _:
                if self.behaviour == "second waits" and "second" in text:
                    await self.opened.wait()
                for word in _answer(self.behaviour, text).split(" "):
                    await _say(reply, word + " ")
        await _say(reply, "", finish="stop")
        await reply.write(b"data: [DONE]\n\n")


def _answer(behaviour: str, text: str) -> str:
    match behaviour:
        case "empty":
            return " "
        case "refuses":
            return "I'm sorry, but I can't help with that."
        case "too long":
            return "Much more than was asked for. " * (20 + len(text))
        case "thinks":
            return f"<think>Hm, {text}? Well.</think>\n\n{text.upper()}"
        case _:
            return text.upper()


async def _say(reply: web.StreamResponse, content: str, *, role: str | None = None, finish: str | None = None) -> None:
    delta = {"content": content, **({"role": role} if role else {})}
    chunk = {
        "id": "1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "test",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    await reply.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")


async def _serve(port: int) -> None:
    server = _Server()
    app = web.Application()
    app.add_routes(
        [
            web.post("/behave", server.behave),
            web.post("/open", server.open),
            web.get("/seen", server.seen),
            web.post("/v1/chat/completions", server.complete),
        ]
    )
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


@dataclass(slots=True)
class LlmServer:
    """The process, as a test sees it."""

    process: "subprocess.Popen[str]"
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def behave(self, how: str) -> None:
        self._call("/behave", how.encode())

    def open(self) -> None:
        self._call("/open", b"")

    def seen(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._call("/seen"))
        return found

    def texts(self) -> list[str]:
        """What it was given, in order."""
        return [asked["messages"][-1]["content"] for asked in self.seen()["asked"]]

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()

    def start_again(self) -> None:
        """Come back at the same port."""
        self.process, self.port = _start(self.port)

    def write_settings(self, folder: Path, **more: object) -> Path:
        """Write settings that name it, and prompts, as a user would; return the path of the settings."""
        (folder / "prompts").mkdir(parents=True, exist_ok=True)
        settings = {"base_url": f"{self.url}/v1", "model": "test", "first_token_timeout": 5, "timeout": 10, **more}
        (folder / "settings.yml").write_text(json.dumps(settings))  # JSON is YAML
        for name in ("tts.ru", "tts.en", "stt.ru", "stt.en"):
            (folder / "prompts" / f"{name}.txt").write_text(f"You are {name}.\nAbout: {{context}}\nTerms: {{terms}}\n")
        return folder / "settings.yml"

    def _call(self, path: str, body: bytes | None = None) -> bytes:
        with urllib.request.urlopen(urllib.request.Request(self.url + path, body), timeout=10) as reply:
            content: bytes = reply.read()
            return content


@contextmanager
def llm_server() -> Iterator[LlmServer]:
    """Run it."""
    process, port = _start(0)
    server = LlmServer(process, port)
    try:
        yield server
    finally:
        server.stop()


def _start(port: int) -> "tuple[subprocess.Popen[str], int]":
    process = subprocess.Popen([sys.executable, __file__, str(port)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
