#!/usr/bin/env python3
"""Speak a text that arrives in pieces, over the WebSocket, and write what is heard to a WAV file.

scripts/test_tts_stream_ws.py --url http://127.0.0.1:8013 --text "Hello. And you?" --speak-split 32 --out out.wav
"""

import argparse
import asyncio
import io
import json
import sys
import time
import wave
from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit

import aiohttp


async def speak(url: str, text: str, split: int, headers: dict[str, str]) -> tuple[wave._wave_params | None, bytes]:
    """Send the text in pieces, say what comes, and return the audio."""
    began = time.perf_counter()
    params, audio, first = None, bytearray(), None
    async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=headers) as socket:
        for start in range(0, len(text), split):
            await socket.send_json({"type": "Speak", "text": text[start : start + split]})
        await socket.send_json({"type": "Flush"})
        await socket.send_json({"type": "Close"})
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                if first is None:
                    first = time.perf_counter() - began
                    print(f"first audio after {1000 * first:.0f} ms")
                with wave.open(io.BytesIO(message.data)) as file:
                    params = file.getparams()
                    audio += file.readframes(file.getnframes())
            elif message.type is aiohttp.WSMsgType.TEXT:
                print(json.dumps(json.loads(message.data), ensure_ascii=False))
        if socket.close_code != 1000:
            raise SystemExit(f"the server closed with {socket.close_code}")
    return params, bytes(audio)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8013", help="of the server, or of its socket (ws://…)")
    parser.add_argument("--text", required=True)
    parser.add_argument("--speak-split", type=int, default=32, metavar="N", help="characters of a Speak message")
    parser.add_argument("--out", help="a WAV file to write")
    parser.add_argument("--voice", help="a name from /voices")
    parser.add_argument("--token", help="where the server wants one (auth.tokens)")
    args = parser.parse_args(arguments)
    path = "" if urlsplit(args.url).path.strip("/") else "/tts/speak-streaming"
    query = f"?{urlencode({'voice': args.voice})}" if args.voice else ""
    headers = {"Authorization": f"Bearer {args.token}"} if args.token else {}
    try:
        params, audio = asyncio.run(speak(args.url.rstrip("/") + path + query, args.text, args.speak_split, headers))
    except aiohttp.ClientError as error:
        print(f"{args.url}: {error}", file=sys.stderr)
        return 1
    if params is None:
        print("there was nothing to say")
        return 0
    if args.out:
        with wave.open(args.out, "wb") as file:
            file.setnchannels(params.nchannels)
            file.setsampwidth(params.sampwidth)
            file.setframerate(params.framerate)
            file.writeframes(audio)
    print(f"{len(audio) / params.framerate / params.sampwidth:.2f} s of audio at {params.framerate} Hz")
    return 0


if __name__ == "__main__":
    sys.exit(main())
