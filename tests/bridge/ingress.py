"""Home Assistant's ingress, as far as the page can tell: a reverse proxy with a path of its own."""

import asyncio
from typing import Any

import aiohttp
from aiohttp import web


class Ingress:
    """A reverse proxy that has the server under a path of its own, as Home Assistant's ingress does."""

    PREFIX = "/api/hassio_ingress/x0/"

    def __init__(self, url: str) -> None:
        self._url = url
        application = web.Application()
        application.router.add_route("*", self.PREFIX + "{path:.*}", self._pass)
        self._runner = web.AppRunner(application)

    async def __aenter__(self) -> str:
        self._client = aiohttp.ClientSession(auto_decompress=False)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}{self.PREFIX}"

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()
        await self._runner.cleanup()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        url = f"{self._url}/{request.match_info['path']}"
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket(request, url)
        headers = {name: value for name, value in request.headers.items() if name != "Content-Length"}
        body: Any = await request.read()
        async with self._client.request(
            request.method, url, params=request.query, headers=headers, data=body or None
        ) as reply:
            passed = web.StreamResponse(status=reply.status, headers={"Content-Type": reply.headers["Content-Type"]})
            passed.headers.update({k: v for k, v in reply.headers.items() if k.startswith(("X-", "Content-Sec"))})
            await passed.prepare(request)
            async for piece in reply.content.iter_any():
                await passed.write(piece)
            await passed.write_eof()
            return passed

    async def _socket(self, request: web.Request, url: str) -> web.StreamResponse:
        here = web.WebSocketResponse()
        await here.prepare(request)
        async with self._client.ws_connect(url, params=request.query) as there:

            async def carry(source: Any, target: Any) -> None:
                async for message in source:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        await target.send_str(message.data)
                    else:
                        await target.send_bytes(message.data)
                await target.close()

            await asyncio.gather(carry(here, there), carry(there, here))
        return here
