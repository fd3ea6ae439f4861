"""The description of the API is true: for every route, its requests, its replies and its errors."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from http_bridge.description import describe
from http_bridge.problem import STATUS
from http_bridge.server import ROUTES
from tests.bridge.door import Door, open_door

EXAMPLES = 40
"""Generated requests for each route and phase."""
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method,allow_header_conformance"
)
EXPECTED = """\
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 502, 503]
"""
"""Schemathesis' settings. 503 says what is missing, 502 that a worker died: a few words make the fakes do so."""


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with open_door(tmp_path) as door:
        yield door


async def document_of(door: Door) -> dict[str, Any]:
    async with door.client.get(f"{door.url}/openapi.json") as reply:
        assert reply.status == 200
        document: dict[str, Any] = await reply.json()
        return document


async def test_every_route_is_described_and_nothing_else(door: Door) -> None:
    document = await document_of(door)
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(route.method, route.path) for route in ROUTES} | {("GET", "/openapi.json")}
    for route in ROUTES:
        if route.websocket:
            assert f"`{route.path}`" in document["info"]["description"]


async def test_every_described_path_is_there(door: Door) -> None:
    document = await document_of(door)
    for path, methods in document["paths"].items():
        concrete = re.sub(r"\{\w+\}", "x", path)
        for method in methods:
            async with door.client.request(method, door.url + concrete) as reply:
                text = await reply.text()
            assert "There is nothing at this address" not in text or "{" in path, f"{method} {path}"
            assert reply.status != 405, f"{method} {path}"


def test_every_status_of_an_error_is_described() -> None:
    for path, methods in describe(ROUTES)["paths"].items():
        for method, operation in methods.items():
            missing = {str(status) for status in STATUS.values()} - set(operation["responses"])
            assert not missing, f"{method} {path}"


def test_every_operation_has_a_name_of_its_own_a_group_and_a_sentence() -> None:
    document = describe(ROUTES)
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    groups = {tag["name"] for tag in document["tags"]}
    for operation in operations:
        assert set(operation["tags"]) <= groups
        assert operation["summary"]
        assert operation["description"], operation["summary"]


@pytest.mark.timeout(180)
async def test_generated_requests_are_answered_as_described(door: Door) -> None:
    """Schemathesis asks every route for sensible and for senseless things, from a process of its own."""
    pytest.importorskip("schemathesis", reason="schemathesis is not installed: generated requests are not sent")
    (door.server.folder / "schemathesis.toml").write_text(EXPECTED, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{door.url}/openapi.json"),
        "--phases=examples,coverage,fuzzing",
        f"--max-examples={EXAMPLES}",
        f"--checks={CHECKS}",
        "--workers=1",  # with two, Python 3.11 itself fails now and then: it parses in one thread at a time only
        "--request-timeout=20",
        "--seed=1",
        "--generation-database=none",
        "--continue-on-failure",
        "--no-color",
        cwd=door.server.folder,  # it leaves files where it runs
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
