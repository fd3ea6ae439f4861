"""Announce the server by zeroconf (mDNS, RFC 6762), so that Home Assistant finds it by itself.

What is announced are the addresses of the network interfaces, never ``0.0.0.0``, which Home Assistant drops. When they
change (a cable, another Wi-Fi, a VPN) the announcement is taken back and made anew on the interfaces there are now.
"""

import asyncio
import logging
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import psutil

from .config import Settings

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

_LOGGER = logging.getLogger(__name__)

TYPE: Final = "_wyoming._tcp.local."
_LOOK_SECONDS: Final = 5.0
"""How often the interfaces are looked at."""
_TALK_SECONDS: Final = 10.0
"""How long an announcement may take; undisturbed it is 1.7 s, most of them spent asking whether the name is free."""
_GOODBYE_SECONDS: Final = 2.0
_INNER: Final = re.compile(
    r"(docker|hassio|br-[0-9a-f]{6,}|veth|virbr|vmnet|vboxnet|lxcbr|lxdbr|podman|cni|flannel|cali)"
)
"""Interfaces between a machine and its own containers: nobody else on the network reaches their addresses."""
_LABEL: Final = 63
"""Bytes of a DNS label at most (RFC 1035)."""


def interface_addresses() -> frozenset[str]:
    """Return the addresses at which other machines may reach this one: those of interfaces that are up."""
    states = psutil.net_if_stats()
    return frozenset(
        found.address
        for name, addresses in psutil.net_if_addrs().items()
        if name in states and states[name].isup and not _INNER.match(name)
        for found in addresses
        if found.family in (socket.AF_INET, socket.AF_INET6) and not _is_private_to_link(found.address)
    )


def _is_private_to_link(address: str) -> bool:
    """Tell whether an address means nothing elsewhere: Home Assistant takes no loopback and no link-local ones."""
    found = ip_address(address)
    return found.is_loopback or found.is_link_local or found.is_unspecified


def announced_addresses(uris: Iterable[str], there: Iterable[str]) -> frozenset[str]:
    """Return which of the machine's addresses lead to a server that listens at these URIs; none: there is no such."""
    wanted: set[str] = set()
    for uri in uris:
        host = urlsplit(uri).hostname if uri.startswith("tcp://") else None
        if host is None:
            continue
        listening = ip_address(host)
        wanted.update(
            address
            for address in there
            if (found := ip_address(address)) == listening
            or (listening.is_unspecified and found.version == listening.version)
        )
    return frozenset(wanted)


def is_reachable(uris: Iterable[str]) -> bool:
    """Tell whether a server that listens at these URIs can be reached from another machine at all."""
    hosts = (urlsplit(uri).hostname for uri in uris if uri.startswith("tcp://"))
    return any(not ip_address(host).is_loopback for host in hosts if host is not None)


def instance_name(settings: Settings) -> str:
    """Return the name to announce: the one that was set, or else the program's and the machine's."""
    wished = settings.discovery.name or f"{settings.server.name}-{socket.gethostname().partition('.')[0]}"
    cleaned = re.sub(r"[^\w-]+", "-", wished).strip("-") or "wyoming-voice"
    return cleaned.encode()[:_LABEL].decode(errors="ignore")


@asynccontextmanager
async def announced(
    settings: Settings, uris: Iterable[str], look: Callable[[], frozenset[str]] = interface_addresses
) -> AsyncIterator[None]:
    """Announce a server for as long as the block lasts, if it is to be and anybody could reach it."""
    uris = tuple(uris)
    if not settings.discovery.zeroconf or not is_reachable(uris):
        yield
        return
    port = next(port for uri in uris if uri.startswith("tcp://") and (port := urlsplit(uri).port) is not None)
    announcing = asyncio.create_task(
        _keep_announced(instance_name(settings), port, lambda: announced_addresses(uris, look())), name="zeroconf"
    )
    try:
        yield
    finally:
        announcing.cancel()
        await asyncio.wait([announcing], timeout=_GOODBYE_SECONDS)


async def _keep_announced(name: str, port: int, addresses: Callable[[], frozenset[str]]) -> None:
    """Announce the addresses of the moment until cancelled."""
    await asyncio.to_thread(import_module, "zeroconf.asyncio")  # 0.1 s, and clients are being answered already
    here = addresses()
    while True:
        if not here:
            here = await _changed(here, addresses)
            continue
        try:
            async with _announcement(name, port, here):
                here = await _changed(here, addresses)
        except (OSError, TimeoutError) as error:
            _LOGGER.warning(
                "Not announced to Home Assistant by zeroconf (%s); there, add this machine by address and port %s",
                error or "no answer from the network",
                port,
            )
            here = await _changed(here, addresses)


async def _changed(known: frozenset[str], addresses: Callable[[], frozenset[str]]) -> frozenset[str]:
    """Wait until there are other addresses."""
    while (now := addresses()) == known:  # noqa: ASYNC110 - the kernel has an event for it, on Linux alone
        await asyncio.sleep(_LOOK_SECONDS)
    return now


@asynccontextmanager
async def _announcement(name: str, port: int, addresses: frozenset[str]) -> AsyncIterator[None]:
    """Say who is here, answer who asks, and say goodbye; raises OSError where multicast is not possible."""
    from zeroconf import Error, IPVersion  # noqa: PLC0415 - see _keep_announced
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf  # noqa: PLC0415

    versions = {ip_address(address).version for address in addresses}
    only = {frozenset({4}): IPVersion.V4Only, frozenset({6}): IPVersion.V6Only}
    try:
        zeroconf = AsyncZeroconf(interfaces=sorted(addresses), ip_version=only.get(frozenset(versions), IPVersion.All))
    except RuntimeError as error:  # an address that was there a moment ago, or a kernel without IPv6
        raise OSError(str(error)) from error
    info = AsyncServiceInfo(
        TYPE,
        f"{name}.{TYPE}",
        port=port,
        parsed_addresses=sorted(addresses, key=lambda address: (ip_address(address).version, address)),
        server=f"{name}.local.",
    )
    try:
        async with asyncio.timeout(_TALK_SECONDS):
            try:  # where another has the name, ours gets a number behind it
                await (await zeroconf.async_register_service(info, allow_name_change=True))
            except Error as error:
                raise OSError(f"zeroconf says {error!r}") from error
        _LOGGER.info("Announced by zeroconf as %s at %s", info.name.removesuffix(f".{TYPE}"), ", ".join(addresses))
        yield
    finally:
        await _say_goodbye(zeroconf, info)


async def _say_goodbye(zeroconf: "AsyncZeroconf", info: "AsyncServiceInfo") -> None:
    """Take the announcement back, so that nobody keeps it for its hour; a network that is gone cannot be told."""
    try:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_GOODBYE_SECONDS / 2):
                await (await zeroconf.async_unregister_service(info))
    finally:
        await zeroconf.async_close()
