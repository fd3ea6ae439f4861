"""The web page in a real browser, against a real server."""

import json
import re
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
import soundfile

from tests.bridge.browser import SECONDS, axe, chromium, visit  # first: it skips where there is no browser
from tests.bridge.door import Door, open_door, seconds_of
from tests.bridge.ingress import Ingress
from tests.process import log_line, until
from tests.reference import recording

from playwright.async_api import Browser, Page, expect  # isort: skip

pytestmark = pytest.mark.asyncio(loop_scope="module")

PARTS = ("speak", "listen", "voices", "engines", "requests")
TOKEN = "a-secret-of-the-house"
REFUSED = "the server responded with a status of 4"  # what Chromium itself writes into the console
COUNT_TIME = """
window.contexts = [];
window.AudioContext = class extends AudioContext {
  constructor(...options) { super(...options); window.contexts.push(this); }
};
"""

FULL_COLOUR = """() => {
  const wave = document.getElementById("wave");
  const points = wave.getContext("2d").getImageData(0, 0, wave.width, wave.height).data;
  return points.filter((value, index) => index % 4 === 3 && value > 250).length;
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium("--host-resolver-rules=MAP voice.test 127.0.0.1") as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fakes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    async with open_door(tmp_path_factory.mktemp("fakes"), languages=["en", "ru", "de"]) as door:
        yield door


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def locked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    async with open_door(tmp_path_factory.mktemp("locked"), auth={"tokens": [TOKEN]}) as door:
        yield door


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def real(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    async with open_door(tmp_path_factory.mktemp("real"), fake=False, languages=["en", "ru"]) as door:
        yield door


@pytest.fixture(scope="module")
def cities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cut six seconds of speech, with silence around them, out of the recording that comes with Moonshine."""
    package = find_spec("moonshine_voice")
    if package is None or package.origin is None:
        pytest.skip("moonshine-voice is not installed: nothing is there to listen, and nothing to listen to")
    samples, rate = soundfile.read(Path(package.origin).parent / "assets" / "two_cities.wav", dtype="float32")
    silence = np.zeros(rate, np.float32)
    file = tmp_path_factory.mktemp("speech") / "two cities.wav"
    soundfile.write(file, np.concatenate([silence, samples[: 6 * rate], silence, silence]), rate, subtype="PCM_16")
    return file


async def loaded(page: Page) -> None:
    """Wait until the page has its lists."""
    await expect(page.locator("#format option").first).to_be_attached()


async def go(page: Page, part: str) -> None:
    await page.locator(f"nav a[href='#{part}']").click()
    await expect(page.locator(f"#{part}")).to_be_visible()


async def say(page: Page, text: str) -> None:
    await loaded(page)
    await page.get_by_role("textbox", name="Text").fill(text)
    await page.get_by_role("button", name="Speak").click()


async def true(page: Page, expression: str) -> None:
    """Wait until something is so; Playwright's own way to wait evaluates text, which the page's policy forbids."""
    await until(lambda: page.evaluate(expression), SECONDS)


async def test_speech_plays_while_it_is_made(browser: Browser, fakes: Door) -> None:
    async with visit(browser, fakes.url) as page:
        await page.add_init_script(COUNT_TIME)
        await page.reload()
        await say(page, "gate door")
        await log_line(fakes.server.log, "at door")
        await expect(page.locator("#speak-status")).to_have_text("Speaking…")
        await expect(page.locator("#figure-first")).to_contain_text("s")
        await true(page, "contexts[0].currentTime > 0.2")
        await expect(page.locator("#figure-factor")).to_have_text("–")  # the server is not done yet
        fakes.open_gate("door")
        await expect(page.locator("#speak-status")).to_have_text("Spoken.")
        await expect(page.locator("#figure-length")).to_have_text("200 ms")
        await expect(page.locator("#figure-factor")).not_to_have_text("–")
        assert await page.evaluate("contexts.length") == 1
        assert await heard(page)


async def heard(page: Page) -> int:
    """Count the points of the waveform in full colour: what has been heard."""
    return int(await page.evaluate(FULL_COLOUR))


async def test_the_stop_button_cancels_the_request(browser: Browser, fakes: Door) -> None:
    async with visit(browser, fakes.url) as page:
        await say(page, "endless talk")
        await expect(page.locator("#speak-status")).to_have_text("Speaking…")
        await page.get_by_role("button", name="Stop").click()
        await expect(page.locator("#speak-status")).to_have_text("Stopped.")
        await expect(page.get_by_role("button", name="Stop")).to_be_hidden()
        await log_line(fakes.server.log, "closed endless")


async def test_a_refusal_is_shown_as_the_server_says_it(browser: Browser, fakes: Door) -> None:
    async with visit(browser, fakes.url, excused=[REFUSED]) as page:
        await say(page, "refuse this")
        await expect(page.locator("#speak-status")).to_have_text("The fake engine does not say that.")
        await page.get_by_role("textbox", name="Text").fill(" ")
        await page.get_by_role("button", name="Speak").click()
        await expect(page.locator("#speak-status")).to_have_text("Type a text first.")


async def test_what_was_spoken_can_be_heard_again_and_kept(browser: Browser, fakes: Door) -> None:
    async with visit(browser, fakes.url) as page:
        await say(page, "one two three")
        await expect(page.locator("#speak-status")).to_have_text("Spoken.")
        await page.get_by_role("button", name="Play again").click()
        await expect(page.locator("#speak-status")).to_have_text("Spoken.")
        for kind in ("wav", "mp3", "opus", "flac"):
            await page.get_by_role("combobox", name="Format").select_option(kind)
            async with page.expect_download() as download:
                await page.get_by_role("button", name="Download").click()
            file = await download.value
            assert re.fullmatch(rf"speech-\d+\.{kind}", file.suggested_filename)
            assert seconds_of((await file.path()).read_bytes()) == pytest.approx(0.3, abs=0.1)


async def test_a_voice_is_found_by_typing(browser: Browser, fakes: Door) -> None:
    async with visit(browser, fakes.url) as page:
        await loaded(page)
        picker = page.get_by_role("combobox", name="Voice")
        await picker.click()
        await expect(page.get_by_role("option")).to_have_count(4)
        await expect(page.get_by_role("group", name="Russian").get_by_role("option")).to_contain_text("fake-ru")
        await picker.fill("german")
        await expect(page.get_by_role("option")).to_have_count(1)
        await picker.press("Enter")
        await expect(picker).to_have_value("fake-de")
        await expect(page.get_by_role("listbox")).to_be_hidden()
        await page.get_by_role("combobox", name="Speaker").select_option("two")
        await page.get_by_role("slider", name="Speed").fill("1.5")
        await page.get_by_role("textbox", name="Style").fill("calmly")
        async with page.expect_request("**/tts/wav") as asked:
            await say(page, "Guten Tag")
        sent = json.loads((await asked.value).post_data or "")
        expected = {"voice": "fake-de", "speaker": "two", "speed": 1.5, "style": "calmly", "format": "pcm"}
        assert sent == {"text": "Guten Tag", **expected}
        await expect(page.locator("#speak-status")).to_have_text("Spoken.")
        await picker.fill("nobody")
        await expect(page.get_by_role("listbox")).to_contain_text("No voice is called so.")
        await picker.press("Escape")
        await expect(picker).to_have_value("fake-de")
        await page.reload()
        await expect(picker).to_have_value("fake-de")


async def test_a_voice_can_be_heard_and_chosen_from_the_list(browser: Browser, fakes: Door) -> None:
    async with visit(browser, fakes.url) as page:
        await loaded(page)
        await go(page, "voices")
        async with page.expect_request("**/tts/wav") as asked:
            await page.get_by_role("button", name="Play fake-ru").click()
        assert json.loads((await asked.value).post_data or "")["voice"] == "fake-ru"
        await expect(page.get_by_role("button", name="Play fake-ru")).to_have_attribute("aria-pressed", "false")
        await page.get_by_role("searchbox").fill("english")
        await expect(page.locator("#voices-list li")).to_have_count(1)
        await page.get_by_role("button", name="Use fake-en").click()
        await expect(page.get_by_role("combobox", name="Voice")).to_have_value("fake-en")


async def test_an_uploaded_recording_is_transcribed(browser: Browser, real: Door, cities: Path) -> None:
    async with visit(browser, real.url) as page:
        await loaded(page)
        await go(page, "listen")
        await page.locator("#file").set_input_files(cities)
        await expect(page.locator("#transcript")).to_contain_text("the best of times", ignore_case=True)
        await expect(page.locator("#listen-status")).to_have_text("Done.")
        await expect(page.locator("#heard-facts")).to_have_text(re.compile(r"9\.0 s of audio in .+"))
        await expect(page.locator("#upload")).to_be_hidden()


async def test_an_upload_can_be_cancelled_and_refused(browser: Browser, fakes: Door, tmp_path: Path) -> None:
    text = tmp_path / "letter.txt"
    text.write_text("Dear Sir")
    async with visit(browser, fakes.url, excused=[REFUSED]) as page:
        await loaded(page)
        await go(page, "listen")
        await page.locator("#file").set_input_files(text)
        await expect(page.locator("#listen-status")).to_contain_text("WAV")
        await page.route("**/stt", lambda _route: None)  # the network has stopped
        await page.locator("#file").set_input_files(text)
        await page.get_by_role("button", name="Cancel").click()
        await expect(page.locator("#listen-status")).to_have_text("Stopped.")


async def test_the_microphone_is_transcribed(real: Door, cities: Path) -> None:
    async with (
        chromium(f"--use-file-for-fake-audio-capture={cities}") as browser,
        visit(browser, real.url, permissions=["microphone"]) as page,
    ):
        await loaded(page)
        await go(page, "listen")
        await page.get_by_role("button", name="Start listening").click()
        await expect(page.locator("#listen-status")).to_have_text("Listening: speak.")
        await true(page, "document.getElementById('level').value > 0.1")
        await expect(page.locator("#partial")).not_to_be_empty()
        await expect(page.locator("#transcript")).to_contain_text("of times", ignore_case=True)
        await page.get_by_role("button", name="Stop listening").click()
        await expect(page.locator("#listen-status")).to_have_text("Done.")
        await expect(page.get_by_role("button", name="Start listening")).to_be_visible()


async def test_the_page_says_why_there_is_no_microphone(browser: Browser, locked: Door, cities: Path) -> None:
    async with visit(browser, f"http://voice.test:{locked.port}", excused=[REFUSED]) as page:
        await page.get_by_role("textbox", name="Token").fill(TOKEN)
        await page.get_by_role("button", name="Come in").click()
        await loaded(page)
        await say(page, "without a worklet")  # a page over plain http has none
        await expect(page.locator("#speak-status")).to_have_text("Spoken.")
        await go(page, "listen")
        await expect(page.get_by_role("button", name="Start listening")).to_be_disabled()
        await expect(page.locator("#no-microphone")).to_contain_text("only to pages over https")
        await page.locator("#file").set_input_files(cities)
        await expect(page.locator("#transcript")).to_contain_text("seconds")
        await page.get_by_role("button", name="Copy").click()
        await expect(page.locator("#listen-status")).to_have_text("Copied.")


async def test_a_token_is_asked_for_and_kept(browser: Browser, locked: Door) -> None:
    async with visit(browser, locked.url, excused=[REFUSED], permissions=["microphone"]) as page:
        await page.get_by_role("textbox", name="Token").fill("not the token")
        await page.get_by_role("button", name="Come in").click()
        await expect(page.get_by_text("The server does not know this token.")).to_be_visible()
        await page.get_by_role("textbox", name="Token").fill(TOKEN)
        await page.get_by_role("textbox", name="Token").press("Enter")
        await loaded(page)
        await expect(page.get_by_role("dialog")).to_be_hidden()
        await page.reload()
        await say(page, "come in")
        await expect(page.locator("#speak-status")).to_have_text("Spoken.")
        await go(page, "listen")
        async with page.expect_websocket() as opened:
            await page.get_by_role("button", name="Start listening").click()
        socket = await opened.value
        assert TOKEN not in socket.url
        await expect(page.locator("#listen-status")).to_have_text("Listening: speak.")
        await page.get_by_role("button", name="Stop listening").click()
        await expect(page.get_by_role("button", name="Start listening")).to_be_visible()


async def test_engines_are_shown_and_unloaded(browser: Browser, fakes: Door) -> None:
    async with visit(browser, fakes.url) as page:
        await say(page, "wake up")
        await expect(page.locator("#speak-status")).to_have_text("Spoken.")
        await go(page, "engines")
        engine = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="fake", exact=True))
        await expect(engine).to_contain_text("ready")
        await expect(engine).to_contain_text("MB")
        await engine.get_by_role("button", name="Unload fake", exact=True).click()
        await expect(engine).to_contain_text("asleep")
        espeak = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="espeak"))
        await expect(espeak).to_have_count(0)  # a disabled engine is nobody's business


async def test_requests_are_shown_without_what_was_said(browser: Browser, fakes: Door) -> None:
    async with visit(browser, fakes.url) as page:
        await say(page, "Xylophone secret")
        await expect(page.locator("#speak-status")).to_have_text("Spoken.")
        await go(page, "requests")
        await expect(page.get_by_role("row").nth(1)).to_contain_text("done")
        await expect(page.get_by_role("row").nth(1)).to_contain_text("fake-en")
        assert "Xylophone" not in await page.locator("#requests").inner_text()


async def test_russian_and_dark_as_the_browser_is_and_by_choice(browser: Browser, fakes: Door) -> None:
    async with visit(browser, fakes.url, locale="ru-RU", color_scheme="dark") as page:
        await expect(page.get_by_role("heading", level=1)).to_have_text("Что сказать?")
        assert await page.evaluate("document.documentElement.lang") == "ru"
        colour = "getComputedStyle(document.documentElement).backgroundColor"
        assert await page.evaluate(colour) == "rgb(20, 23, 26)"
        await page.get_by_role("button", name="Тема").click()
        assert await page.evaluate(colour) == "rgb(246, 245, 241)"
        await page.get_by_role("button", name="English").click()
        await page.reload()
        await expect(page.get_by_role("heading", level=1)).to_have_text("What shall I say?")
        assert await page.evaluate(colour) == "rgb(246, 245, 241)"


@pytest.mark.parametrize("language", ["en-US", "ru-RU"])
async def test_a_phone_never_scrolls_sideways(browser: Browser, real: Door, language: str) -> None:
    async with visit(browser, real.url, locale=language, viewport={"width": 360, "height": 740}) as page:
        await loaded(page)
        for part in PARTS:
            await go(page, part)
            await page.wait_for_load_state("networkidle") if part not in ("engines", "requests") else None
            assert await page.evaluate("document.documentElement.scrollWidth") == 360, part


async def test_everything_can_be_done_by_keyboard(browser: Browser, fakes: Door) -> None:
    async with visit(browser, fakes.url) as page:
        await loaded(page)
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("textbox", name="Text")).to_be_focused()
        await page.keyboard.type("by hand")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("combobox", name="Voice")).to_be_focused()
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("End")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("combobox", name="Voice")).to_have_value("fake-de")
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Control+Enter")
        await expect(page.locator("#speak-status")).to_have_text("Spoken.")
        await page.get_by_role("link", name="Engines").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Engines")
        assert await page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nobody_is_kept_out(browser: Browser, real: Door, scheme: str) -> None:
    async with visit(browser, real.url, color_scheme=scheme, reduced_motion="reduce") as page:
        await say(page, "A few words.")
        await expect(page.locator("#afterwards")).to_be_visible()
        for part in PARTS:
            await go(page, part)
            await expect(page.locator(f"#{part} :is(li, tr, canvas, #record)").first).to_be_attached()
            assert not await axe(page), part
        await go(page, "speak")
        await page.get_by_role("combobox", name="Voice").click()
        assert not await axe(page)


async def test_voice_of_ones_own_is_made_of_a_recording_and_removed(browser: Browser, tmp_path: Path) -> None:
    sound = tmp_path / "her.wav"
    sound.write_bytes(recording())
    tts = {"options": {"abilities": ["clone"]}}
    async with (
        open_door(tmp_path, languages=["en"], tts=tts, data_dir="data") as door,
        visit(browser, door.url) as page,
    ):
        await loaded(page)
        await go(page, "voices")
        await page.get_by_text("Make a voice of your own").click()
        await expect(page.locator("#make-from-words")).to_be_hidden()
        await page.get_by_label("Name").fill("Анна")
        await page.get_by_label("Recording", exact=True).set_input_files(sound)
        text = page.get_by_label("What the recording says, word for word")
        await expect(text).to_have_value(re.compile("seconds at"))  # what the fake ears hear
        await text.fill("What she really says.")
        assert not await axe(page)
        await page.get_by_role("button", name="Make it").click()
        await expect(page.locator("#make-status")).to_have_text("Анна can speak now.")
        await page.get_by_role("button", name="Play Анна").click()
        await log_line(door.server.log, "made of")
        assert "What she really says." in door.server.log.read_text()
        page.on("dialog", lambda dialog: dialog.accept())
        await page.get_by_role("button", name="Remove Анна").click()
        await expect(page.get_by_role("button", name="Play Анна")).to_have_count(0)


async def test_no_voice_can_be_made_where_no_engine_clones(browser: Browser, fakes: Door) -> None:
    async with visit(browser, fakes.url) as page:
        await loaded(page)
        await go(page, "voices")
        await expect(page.get_by_text("Make a voice of your own")).to_be_hidden()


async def test_it_works_behind_a_prefix(browser: Browser, fakes: Door) -> None:
    async with Ingress(fakes.url) as url, visit(browser, url, permissions=["microphone"]) as page:
        await say(page, "from afar")
        await expect(page.locator("#speak-status")).to_have_text("Spoken.")
        await go(page, "listen")
        await page.get_by_role("button", name="Start listening").click()
        await expect(page.locator("#listen-status")).to_have_text("Listening: speak.")
        await page.get_by_role("button", name="Stop listening").click()
        await expect(page.get_by_role("button", name="Start listening")).to_be_visible()
        await page.get_by_role("link", name="API").click()
        await expect(page.get_by_text("/tts/wav", exact=True)).to_be_visible()


async def test_the_description_can_be_tried_out(browser: Browser, locked: Door) -> None:
    async with visit(browser, f"{locked.url}/docs", excused=[REFUSED]) as page:
        await page.evaluate(f"localStorage.setItem('token', '{TOKEN}')")
        await page.reload()
        await page.get_by_text("/voices", exact=True).first.click()
        await page.get_by_role("button", name="Execute").click()
        await expect(page.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")


async def test_home_assistant_may_frame_the_page(fakes: Door) -> None:
    async with fakes.client.get(fakes.url) as reply:
        assert "X-Frame-Options" not in reply.headers
        policy = reply.headers["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy
    for name in ("../page.py", "%2e%2e%2fpage.py", "nothing.js"):
        async with fakes.client.get(f"{fakes.url}/web/{name}") as reply:
            assert reply.status == 404
