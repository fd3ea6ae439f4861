"""Who is let in, from where, and how."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.bridge.door import Door, open_door
from tests.certificate import self_signed
from tests.process import DEADLINE, only_fakes, start

SECRET = "a secret of mine"
OTHERS = "https://example.org"


def spoken(door: Door, **more: Any) -> Any:
    return door.client.post(f"{door.url}/tts/wav", json={"text": "Hello"}, **more)


async def test_token_lets_in_however_it_is_sent(tmp_path: Path) -> None:
    async with open_door(tmp_path, auth={"tokens": ["another secret", SECRET]}) as door:
        for more in (
            {"headers": {"Authorization": f"Bearer {SECRET}"}},
            {"headers": {"Authorization": f"bearer  {SECRET}"}},
            {"headers": {"Authorization": f"Token {SECRET}"}},
            {"headers": {"X-API-Key": SECRET}},
            {"headers": {"Sec-WebSocket-Protocol": f"token, {SECRET}"}},
            {"params": {"token": SECRET}},
            {"params": {"access_token": SECRET}},
        ):
            async with spoken(door, **more) as reply:
                assert reply.status == 200, more


async def test_wrong_token_is_refused(tmp_path: Path) -> None:
    async with open_door(tmp_path, auth={"tokens": [SECRET]}) as door:
        for headers in (
            {},
            {"Authorization": "Bearer"},
            {"Authorization": "Bearer a secret"},
            {"Authorization": f"Basic {SECRET}"},
            {"Authorization": f"Bearer {SECRET}!"},
            {"X-API-Key": "ключ"},
            {"Sec-WebSocket-Protocol": SECRET},
        ):
            refused = await door.refused("POST", "/tts/wav", json={"text": "Hello"}, headers=headers)
            assert (refused.status, refused.type, refused.code) == (401, "authentication_error", "unauthorized")
            assert refused.headers["WWW-Authenticate"] == "Bearer"
        assert (await door.refused("GET", "/nowhere")).status == 401, "not even what there is"
        assert await _raw(door.port, b"Authorization: Bearer \xff\xfe") == 401
        for path in ("/health", "/ready", "/v1/audio/voices"):
            async with door.client.get(door.url + path) as reply:
                assert reply.status != 401, path


async def _raw(port: int, header: bytes) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n" + header + b"\r\n\r\n")
    status = int((await reader.readline()).split()[1])
    writer.transport.abort()
    return status


async def test_network_is_not_let_in_without_a_token(tmp_path: Path) -> None:
    process = await start(tmp_path, only_fakes(tmp_path), uri="tcp://127.0.0.1:0", http="0.0.0.0:0")
    async with asyncio.timeout(DEADLINE):
        await process.communicate()
    assert process.returncode == 2
    said = (tmp_path / "stderr").read_text("utf-8")
    assert "auth.tokens" in said
    assert "bridge.open_without_token: true" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("more", [{"auth": {"tokens": [SECRET]}}, {"bridge": {"open_without_token": True}}])
async def test_network_is_let_in_when_the_user_says_so(tmp_path: Path, more: dict[str, Any]) -> None:
    async with open_door(tmp_path, address="0.0.0.0:0", **more) as door:
        url = f"http://127.0.0.1:{door.port}/v1/models"
        headers = {"Authorization": f"Bearer {SECRET}", "Host": "voice.home.arpa"}
        async with door.client.get(url, headers=headers) as reply:
            assert reply.status == 200


async def test_ingress_lets_nobody_else_in(tmp_path: Path) -> None:
    async with (
        open_door(tmp_path, address="0.0.0.0:0", bridge={"ingress": True}) as door,
        door.client.get(f"http://127.0.0.1:{door.port}/v1/models") as reply,
    ):
        assert reply.status == 401


async def test_page_of_another_site_changes_nothing(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door:
        own = door.url.replace("http://", "")
        for origin, status in ((f"http://{own}", 200), (OTHERS, 403), ("null", 403), ("http://[", 403)):
            async with spoken(door, headers={"Origin": origin}) as reply:
                assert reply.status == status, origin
                assert "Access-Control-Allow-Origin" not in reply.headers
        refused = await door.refused("POST", "/tts/wav", json={"text": "x"}, headers={"Origin": OTHERS})
        assert refused.type == "permission_error"
        upgrade = {"Origin": OTHERS, "Upgrade": "websocket", "Connection": "Upgrade"}
        assert (await door.refused("GET", "/tts/speak-streaming", headers=upgrade)).status == 403
        asked = {"Origin": OTHERS, "Access-Control-Request-Method": "POST"}
        async with door.client.options(f"{door.url}/tts/wav", headers=asked) as reply:
            assert reply.status == 405
            assert "Access-Control-Allow-Origin" not in reply.headers


async def test_site_that_takes_the_address_of_this_machine_is_another_site(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door:
        for host, status in (
            (f"evil.example:{door.port}", 403),
            ("localhost.evil.example", 403),
            (f"localhost:{door.port}", 200),
            ("127.0.0.1", 200),
            ("[::1]:8013", 200),
        ):
            async with door.client.get(f"{door.url}/v1/models", headers={"Host": host}) as reply:
                assert reply.status == status, host


async def test_sites_that_the_user_names_may_use_it(tmp_path: Path) -> None:
    async with open_door(tmp_path, bridge={"cors": [OTHERS]}, auth={"tokens": [SECRET]}) as door:
        asked = {
            "Origin": OTHERS,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        async with door.client.options(f"{door.url}/tts/wav", headers=asked) as reply:
            assert reply.status == 204
            assert reply.headers["Access-Control-Allow-Origin"] == OTHERS
            assert "POST" in reply.headers["Access-Control-Allow-Methods"]
            assert {"Authorization", "Content-Type"} <= set(reply.headers["Access-Control-Allow-Headers"].split(", "))
            assert reply.headers["Vary"] == "Origin"
        async with spoken(door, headers={"Origin": OTHERS, "X-API-Key": SECRET}) as reply:
            assert reply.status == 200
            assert reply.headers["Access-Control-Allow-Origin"] == OTHERS
            assert reply.headers["Access-Control-Expose-Headers"] == "*"
        async with spoken(door, headers={"Origin": OTHERS}) as reply:
            assert reply.status == 401, "a token is still needed"
            assert reply.headers["Access-Control-Allow-Origin"] == OTHERS, "and the page can read why"
        async with spoken(door, headers={"Origin": "https://example.com", "X-API-Key": SECRET}) as reply:
            assert reply.status == 403
            assert "Access-Control-Allow-Origin" not in reply.headers


async def test_certificate_of_the_user_is_served(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    tls = {"certificate": str(certificate), "key": str(key)}
    trusted = ssl.create_default_context(cafile=str(certificate))
    async with (
        open_door(tmp_path, bridge={"tls": tls}) as door,
        door.client.get(f"{door.url}/v1/models", ssl=trusted) as reply,
    ):
        assert door.url.startswith("https://")
        assert reply.status == 200


async def test_certificate_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.pem").write_text("nothing")
    config = only_fakes(tmp_path, bridge={"tls": {"certificate": "broken.pem"}})
    process = await start(tmp_path, config, uri="tcp://127.0.0.1:0", http="127.0.0.1:0")
    async with asyncio.timeout(DEADLINE):
        await process.communicate()
    assert process.returncode == 2
    assert "bridge.tls" in (tmp_path / "stderr").read_text("utf-8")


async def test_every_reply_has_a_name(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door:
        names = set()
        for method, path, more in (
            ("POST", "/tts/wav", {"json": {"text": "Hello"}}),
            ("POST", "/v1/audio/speech", {"json": {"input": "Hello", "stream_format": "sse"}}),
            ("GET", "/nowhere", {}),
            ("PUT", "/tts", {}),
            ("POST", "/tts", {"data": b"{"}),
            ("POST", "/tts", {"headers": {"Origin": OTHERS}}),
        ):
            async with door.client.request(method, door.url + path, **more) as reply:
                names.add(reply.headers["X-Request-ID"])
        assert len(names) == 6
        for sent, kept in (("of-my_own.1", True), ("x" * 65, False), ("a b", False)):
            async with door.client.get(f"{door.url}/v1/models", headers={"X-Request-ID": sent}) as reply:
                assert (reply.headers["X-Request-ID"] == sent) == kept


async def test_refusals_of_aiohttp_have_the_same_body(tmp_path: Path) -> None:
    async with open_door(tmp_path) as door:
        assert (await door.refused("GET", "/nowhere")).status == 404
        refused = await door.refused("DELETE", "/tts")
        assert (refused.status, refused.headers["Allow"]) == (405, "POST")
        with pytest.raises(aiohttp.ClientError):
            async with door.client.get(f"{door.url}/v1/models", headers={"Expect": "miracles"}) as reply:
                assert reply.status == 417
                raise aiohttp.ClientError
