"""Chromium, headless, and a visitor of the page who notices what nobody should see."""

import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip("playwright", reason="playwright is not installed (pip install playwright): no browser tests")

from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright, expect

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
SECONDS = 30.0
"""How long a test waits for anything on the page."""
_ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
]
_OWN = ("data:", "blob:")

expect.set_options(timeout=SECONDS * 1000)


@asynccontextmanager
async def chromium(*arguments: str) -> AsyncIterator[Browser]:
    """Start a browser with a profile of its own; the test is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (apt-get install chromium, or CHROMIUM=/path): no browser tests")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*_ARGUMENTS, *arguments])
        yield browser
        await browser.close()


@asynccontextmanager
async def visit(browser: Browser, url: str, *, excused: Sequence[str] = (), **settings: Any) -> AsyncIterator[Page]:
    """Open a page as somebody new; at the end no error was written, save the excused, and no other host was asked."""
    found: list[str] = []
    host = urlsplit(url).netloc

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(text in message.text for text in excused):
            found.append(f"{message.type}: {message.text} ({message.location})")

    def asked(request: Request) -> None:
        if not request.url.startswith(_OWN) and urlsplit(request.url).netloc != host:
            found.append(f"another host: {request.url}")

    context = await browser.new_context(**{"locale": "en-US", **settings})
    context.set_default_timeout(SECONDS * 1000)
    page = await context.new_page()
    page.on("console", said)
    page.on("pageerror", lambda error: found.append(f"uncaught: {error}"))
    page.on("request", asked)
    await page.goto(url)
    yield page
    await context.close()
    assert not found, found


async def axe(page: Page) -> list[str]:
    """Look for what keeps people out (axe-core's rules for WCAG 2.2 AA); returns what it finds."""
    package = find_spec("axe_playwright_python")
    if package is None or package.origin is None:
        pytest.skip("axe-core is not installed (pip install axe-playwright-python): accessibility is not checked")
    await page.evaluate((Path(package.origin).parent / "axe.min.js").read_text(encoding="utf-8"))
    found = await page.evaluate(
        "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    return [
        f"{violation['id']}: {violation['help']}: {node['html']} {node.get('failureSummary', '')}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
