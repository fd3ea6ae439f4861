"""OpenAI's dialect, asked by OpenAI's own client."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import moonshine_voice
import openai
import pytest
from openai.types.audio.speech_create_params import VoiceID

from tests.bridge.door import Door, events, form, open_door, recording, seconds_of
from tests.conftest import Speech
from tests.engines.hearing import BECKETT, word_error_rate
from tests.process import log_line, log_lines

TEN = "one two three four five six seven eight nine ten"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with open_door(tmp_path) as door:
        yield door


@pytest.fixture
async def client(door: Door) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.mark.parametrize("kind", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
async def test_speech_has_every_format(client: openai.AsyncOpenAI, kind: Any) -> None:
    reply = await client.audio.speech.create(model="tts-1", voice="alloy", input=TEN, response_format=kind)
    file = await reply.aread()
    seconds = len(file) / 48_000 if kind == "pcm" else seconds_of(file)
    assert seconds == pytest.approx(1.0, abs=0.15)


async def test_speech_is_mp3_unless_asked_otherwise(client: openai.AsyncOpenAI) -> None:
    reply = await client.audio.speech.create(model="tts-1-hd", voice="nova", input=TEN)
    assert reply.response.headers["content-type"] == "audio/mpeg"


async def test_speech_streams_while_it_is_made(door: Door, client: openai.AsyncOpenAI) -> None:
    async with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="coral", input="Gate open.", response_format="pcm"
    ) as reply:
        pieces = reply.iter_bytes()
        assert await anext(pieces)
        assert not any(line.startswith("end") for line in log_lines(door.server.log))
        door.open_gate("open")
        assert [piece async for piece in pieces]


async def test_speech_as_events_is_the_same_file(door: Door, client: openai.AsyncOpenAI) -> None:
    async with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="alloy", input=TEN, response_format="wav", stream_format="sse"
    ) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        said = events(await reply.read())
    *deltas, done = said
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert seconds_of(b"".join(base64.b64decode(event["audio"]) for event in deltas)) == pytest.approx(1.0, abs=0.01)
    assert done == {
        "type": "speech.audio.done",
        "usage": {"input_tokens": len(TEN), "output_tokens": 0, "total_tokens": len(TEN)},
    }


async def test_error_in_the_middle_of_events_is_an_event(client: openai.AsyncOpenAI) -> None:
    async with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input="Stumble.", response_format="pcm", stream_format="sse"
    ) as reply:
        assert events(await reply.read())[-1]["error"]["code"] == "worker-lost"


async def test_names_of_openai_mean_the_voice_for_the_text(door: Door, client: openai.AsyncOpenAI) -> None:
    asked: list[tuple[str | VoiceID, str, str]] = [
        ("alloy", "Привет", "ru"),
        ("Shimmer", "Hello", "en"),
        ("fake-de", "Hallo", "de"),
        ({"id": "fake-de"}, "Tag", "de"),
    ]
    for voice, text, spoken in asked:
        await client.audio.speech.create(
            model="gpt-4o-mini-tts-2025-12-15",
            voice=voice,
            input=text,
            instructions="softly",
            speed=1.5,
        )
        assert any(
            line.startswith(f"as {text}: {spoken} ") and "1.5 1 softly" in line for line in log_lines(door.server.log)
        )


async def test_model_may_be_an_engine(door: Door, client: openai.AsyncOpenAI) -> None:
    await client.audio.speech.create(model="fake", voice="alloy", input="Hello")
    assert any(line.startswith("as Hello: en") for line in log_lines(door.server.log))
    with pytest.raises(openai.NotFoundError):
        await client.audio.speech.create(model="nobody", voice="alloy", input="Hello")
    with pytest.raises(openai.NotFoundError):
        await client.audio.speech.create(model="fake-ears", voice="alloy", input="Hello")


async def test_mistakes_are_the_errors_of_the_client(door: Door, client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        await client.audio.speech.create(model="tts-1", voice="nobody", input="Hello")
    assert (unknown.value.code, unknown.value.param) == ("unknown-voice", "voice")
    for sent, param in (
        ({"input": 5}, "input"),
        ({"speed": "fast"}, "speed"),
        ({"response_format": "midi"}, "response_format"),
        ({"voice": 5}, "voice"),
        ({"voice": {"name": "x"}}, "voice"),
        ({"stream_format": []}, "stream_format"),
    ):
        refused = await door.refused("POST", "/v1/audio/speech", json={"model": "tts-1", "input": "Hello", **sent})
        assert (refused.status, refused.type, refused.param) == (400, "invalid_request_error", param)
    async with door.client.post(f"{door.url}/v1/audio/speech", json={"input": "Hello", "tomorrow": {}}) as reply:
        assert reply.status == 200, "unknown fields are ignored"


async def test_long_text_is_refused_and_a_token_is_asked_for(tmp_path: Path) -> None:
    async with open_door(tmp_path, limits={"text": 50}, auth={"tokens": ["a secret of mine"]}) as door:
        async with openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key="a secret of mine", max_retries=0) as client:
            with pytest.raises(openai.APIStatusError) as long:
                await client.audio.speech.create(model="tts-1", voice="alloy", input="long text " * 10)
            assert (long.value.status_code, long.value.code) == (413, "too-large")
            await client.models.list()
        async with openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key="another one", max_retries=0) as client:
            with pytest.raises(openai.AuthenticationError):
                await client.models.list()
        async with door.client.get(f"{door.url}/v1/audio/voices") as reply:  # as Open WebUI asks: without a token
            assert reply.status == 200


async def test_full_queue_is_tried_again_by_the_client(tmp_path: Path) -> None:
    async with open_door(tmp_path, limits={"queue": 1}) as door:
        statuses = []

        async def look(reply: httpx2.Response) -> None:
            statuses.append(reply.status_code)
            if reply.status_code == 429:
                assert int(reply.headers["retry-after"]) >= 1
                door.open_gate("open")

        http = openai.DefaultAsyncHttpxClient(event_hooks={"response": [look]})
        async with openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key="none", http_client=http) as client:
            async with asyncio.TaskGroup() as requests:
                requests.create_task(_speak(client, "Closed open."))
                await log_line(door.server.log, "at open")
                for _ in range(2):  # one waits, the other is one too many
                    requests.create_task(_speak(client, "Hello"))
        assert statuses[0] == 429
        assert statuses.count(200) == 3


async def _speak(client: openai.AsyncOpenAI, text: str) -> None:
    await client.audio.speech.create(model="tts-1", voice="alloy", input=text)


async def test_cancelled_client_frees_the_engine(door: Door, client: openai.AsyncOpenAI) -> None:
    task = asyncio.create_task(_speak(client, "Endless talk."))
    await log_line(door.server.log, "begin Endless")
    task.cancel()
    await asyncio.wait([task])
    await log_line(door.server.log, "closed Endless")
    await _speak(client, "free again")


async def test_transcripts_have_every_format(door: Door, client: openai.AsyncOpenAI) -> None:
    def ask(**more: Any) -> Any:
        sound = ("a.wav", recording(2.0))
        return client.audio.transcriptions.create(model="whisper-1", file=sound, language="en", **more)

    assert (await ask()).text == "2.0 seconds at 0.50"
    assert (await ask()).usage.seconds == 2.0
    assert await ask(response_format="text") == "2.0 seconds at 0.50\n"
    assert await ask(response_format="srt") == (
        "1\n00:00:00,000 --> 00:00:02,000\n2.0 seconds\n\n2\n00:00:02,000 --> 00:00:02,001\nat 0.50\n"
    )
    assert await ask(response_format="vtt") == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n2.0 seconds\n\n00:00:02.000 --> 00:00:02.001\nat 0.50\n"
    )
    verbose = await ask(response_format="verbose_json")
    assert (verbose.text, verbose.language, verbose.duration) == ("2.0 seconds at 0.50", "en", 2.0)
    assert [(segment.text, segment.start, segment.end) for segment in verbose.segments] == [
        ("2.0 seconds", 0.0, 2.0),
        (" at 0.50", 2.0, 2.0),
    ]
    assert verbose.words is None
    verbose = await ask(
        response_format="verbose_json", timestamp_granularities=["word"], prompt="rain", temperature=0.5
    )
    assert [(word.word, word.start, word.end) for word in verbose.words] == [("seconds", 0.0, 2.0)]
    assert verbose.segments is None
    await ask(keywords=["Ленский", "Onegin"])
    assert any("Ленский,Onegin" in line for line in log_lines(door.server.log))


async def test_transcript_streams_while_it_is_recognised(door: Door, client: openai.AsyncOpenAI) -> None:
    stream = await client.audio.transcriptions.create(
        model="gpt-4o-transcribe", file=("a.wav", recording(2.0)), language="en", stream=True
    )
    said = [event async for event in stream]
    assert [event.type for event in said] == ["transcript.text.delta"] * 2 + ["transcript.text.done"]
    assert said[-1].text == "".join(event.delta for event in said[:-1]) == "2.0 seconds at 0.50"  # type: ignore[union-attr]


async def test_cancelled_transcript_frees_the_engine(door: Door, client: openai.AsyncOpenAI) -> None:
    stream = await client.audio.transcriptions.create(
        model="whisper-1", file=("a.wav", recording()), prompt="endless", stream=True
    )
    assert (await anext(aiter(stream))).type == "transcript.text.delta"
    await stream.close()
    await log_line(door.server.log, "closed endless")


async def test_errors_of_a_transcript(door: Door, client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        await client.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"no sound"))
    assert refused.value.status_code == 415
    with pytest.raises(openai.NotFoundError) as refused:
        await client.audio.transcriptions.create(model="nobody", file=("a.wav", recording()))
    assert refused.value.param == "model"
    with pytest.raises(openai.BadRequestError) as refused:
        await client.audio.transcriptions.create(model="whisper-1", file=("a.wav", recording()), response_format="x")  # type: ignore[call-overload]
    assert refused.value.param == "response_format"
    translated = await door.refused("POST", "/v1/audio/translations", data=form(recording(), model="whisper-1"))
    assert translated.status == 400
    assert "translates" in translated.message


@pytest.mark.parametrize(("languages", "own", "heard"), [(["ru", "en"], None, "ru"), (["ru", "en"], ["en"], "en")])
async def test_language_that_is_not_named_is_the_first_that_is_heard(
    tmp_path: Path, languages: list[str], own: list[str] | None, heard: str
) -> None:
    async with (
        open_door(tmp_path, languages=languages, asr={"languages": own}) as door,
        openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key="none", max_retries=0) as client,
    ):
        for model in ("whisper-1", "fake-ears"):
            reply = await client.audio.transcriptions.with_raw_response.create(model=model, file=("a", recording()))
            assert reply.headers["content-language"] == heard, "the reply says what was assumed"
        if own:
            with pytest.raises(openai.InternalServerError) as refused:
                await client.audio.transcriptions.create(model="whisper-1", file=("a", recording()), language="ru")
            assert refused.value.status_code == 503


async def test_models_and_voices_are_listed(door: Door, client: openai.AsyncOpenAI) -> None:
    listed = {model.id async for model in client.models.list()}
    assert listed == {
        *("fake", "fake-ears", "tts-1", "tts-1-hd", "gpt-4o-mini-tts"),
        *("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-transcribe"),
    }
    assert (await client.models.retrieve("fake")).owned_by == "wyoming-voice"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("nobody")
    async with door.client.get(f"{door.url}/v1/audio/voices") as reply:
        assert await reply.json() == {
            "voices": [{"id": "fake-ru", "name": "Fake (ru)"}, {"id": "fake-en", "name": "Fake (en)"}]
        }


async def test_real_speech_is_recognised(tmp_path: Path) -> None:
    async with (
        open_door(tmp_path, fake=False) as door,
        openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key="none", max_retries=0) as client,
    ):
        sample = Path(moonshine_voice.__file__).parent / "assets" / "beckett.wav"
        heard = await client.audio.transcriptions.create(model="moonshine", file=sample)
        assert word_error_rate(BECKETT, heard.text) < 0.1


@pytest.mark.speech
async def test_recorded_speech_in_real_containers_is_recognised(tmp_path: Path, speech: Speech) -> None:
    async with (
        open_door(tmp_path, fake=False) as door,
        openai.AsyncOpenAI(base_url=f"{door.url}/v1", api_key="none", max_retries=0) as client,
    ):
        for known in speech.of("en"):
            heard = await client.audio.transcriptions.create(model="moonshine", file=speech.path(known["file"]))
            assert word_error_rate(known["transcript"], heard.text) < 0.35, known["file"]
