"""One engine at several addresses: shared work, one that dies in every state, and one that comes back."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wyoming.event import Event

from tests.e2e.dialogue import answer, ask, kinds, loud, record, refused, say, stream, transcript, words
from tests.e2e.test_remote import ALONE, until_offered
from tests.process import ServerProcess, log_line, log_lines, only_fakes, read_until, run_server, until


@dataclass(slots=True)
class Shared:
    """A server, and the two that it has as one engine."""

    near: ServerProcess
    far: Sequence[ServerProcess]

    def begun(self, text: str) -> list[int]:
        """How often each of the two began to say this."""
        return [sum(line == f"begin {text}" for line in log_lines(far.log)) for far in self.far]

    async def where(self, text: str) -> ServerProcess:
        """Wait for this to be begun; returns where."""
        await until(lambda: any(self.begun(text)))
        return self.far[self.begun(text).index(1)]


@asynccontextmanager
async def shared(folder: Path, **near: Any) -> AsyncIterator[Shared]:
    async with AsyncExitStack() as stack:
        far = []
        for name in ("one", "two"):
            (folder / name).mkdir()
            config = only_fakes(
                folder / name, tts={"workers": 2}, languages=["en", "ru"], server={"drain_timeout": 0.2}
            )
            far.append(await stack.enter_async_context(run_server(folder / name, config)))
        config = {
            "engines": {**ALONE, "far": {"uri": [server.uri for server in far], **near}},
            "languages": ["en", "ru"],
        }
        server = await stack.enter_async_context(run_server(folder / "near", config, fake=False))
        await until_offered(server, "fake-en")
        yield Shared(server, far)


async def lose(far: ServerProcess) -> None:
    """Have a server go as if its machine had lost power; what listened there does no more."""
    for child in far.workers():
        child.kill()
    far.signal(signal.SIGTERM)
    await far.wait()


async def test_requests_at_the_same_time_are_shared(tmp_path: Path) -> None:
    async with shared(tmp_path, workers=2) as servers, AsyncExitStack() as stack:
        texts = [f"Endless {word}" for word in ("one", "two", "three", "four")]
        for text in texts:
            client = await stack.enter_async_context(servers.near.client())
            await client.write_event(say(text))
            await read_until(client, "audio-chunk")
        assert [sum(servers.begun(text)[far] for text in texts) for far in (0, 1)] == [2, 2]


async def test_one_that_hangs_is_left_after_its_step_timeout_and_used_again_when_it_goes_on(tmp_path: Path) -> None:
    async with shared(tmp_path, step_timeout=1.0) as servers:
        async with servers.near.client() as client:
            await client.write_event(say("Closed tight"))
            hung = await servers.where("Closed tight")
            other = next(far for far in servers.far if far is not hung)
            (other.folder / "tight").touch()
            hung.signal(signal.SIGSTOP)
            assert kinds(await answer(client, "audio-stop")) == ["audio-start", "audio-chunk", "audio-stop"]
        for _ in range(3):
            assert words(await ask(servers.near, say("Not there."))) == 2
        hung.signal(signal.SIGCONT)
        (hung.folder / "tight").touch()
        async with servers.near.client() as client, asyncio.timeout(30):
            await client.write_event(say("Endless"))  # keeps one of them busy
            busy = await servers.where("Endless")
            free = next(far for far in servers.far if far is not busy)
            assert words(await ask(servers.near, say("By the other."))) == 3
            await log_line(free.log, "end By the other.")


async def test_one_that_dies_before_the_first_audio_is_not_even_noticed(tmp_path: Path) -> None:
    async with shared(tmp_path) as servers:
        async with servers.near.client() as client:
            await client.write_event(say("Closed door"))
            dying = await servers.where("Closed door")
            await lose(dying)
            other = next(far for far in servers.far if far is not dying)
            (other.folder / "door").touch()
            assert kinds(await answer(client, "audio-stop")) == ["audio-start", "audio-chunk", "audio-stop"]
        for number in range(4):
            assert words(await ask(servers.near, say(f"And after that {number}."))) == 4
        heard = await ask(servers.near, *record(loud(0.5), language="en"))
        assert transcript(heard) == "0.5 seconds at 0.50"


async def test_one_that_dies_in_the_middle_of_speech_is_told_and_the_next_request_goes_on(tmp_path: Path) -> None:
    async with shared(tmp_path) as servers:
        async with servers.near.client() as client:
            for event in stream("Endless"):
                await client.write_event(event)
            await read_until(client, "audio-chunk")
            await lose(await servers.where("Endless"))
            events = await answer(client, "synthesize-stopped")
        assert refused(events)[0] == "worker-lost"
        assert kinds(events)[-3:] == ["error", "audio-stop", "synthesize-stopped"]
        assert words(await ask(servers.near, say("Still here."))) == 2


async def test_one_that_comes_back_is_used_again_and_none_at_all_is_told(tmp_path: Path) -> None:
    async with shared(tmp_path) as servers:
        first, second = servers.far
        for far in (first, second):
            await lose(far)
        events = await ask(servers.near, say("Nobody there."))
        assert refused(events)[0] in ("worker-lost", "engine-unavailable")
        events = await ask(servers.near, say("Nobody there."))
        assert refused(events)[0] == "engine-unavailable"
        assert "Is it running?" in refused(events)[1]
        again = tmp_path / "again"
        again.mkdir()
        async with run_server(again, only_fakes(again), uri=second.uri) as back:

            async def said_again() -> bool:
                return refused_or_said(await ask(servers.near, say("There again."))) == 2

            await until(said_again)
            await log_line(back.log, "end There again.")


def refused_or_said(events: list[Event]) -> float:
    """How many words were said; none: it was refused."""
    return 0 if "error" in kinds(events) else words(events)


async def test_a_server_that_is_going_sends_nobody_away(tmp_path: Path) -> None:
    async with shared(tmp_path) as servers:
        async with servers.near.client() as client:
            await client.write_event(say("Closed way"))
            going = await servers.where("Closed way")
            going.signal(signal.SIGTERM)  # it says that it stops, and ends what it has not finished
            other = next(far for far in servers.far if far is not going)
            (other.folder / "way").touch()
            assert kinds(await answer(client, "audio-stop")) == ["audio-start", "audio-chunk", "audio-stop"]
        await going.wait()
