"""The dashboard in a real Chromium, before a real gateway, Kafka and worker."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from tests.acceptance.conftest import Application
from tests.browser.installation import SESSION, Gateway, answered, market, opened

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

HISTORY = 160
TOKEN = "planted-token-4711"
AXE = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


class Stage(NamedTuple):
    """What a page is opened on: three series with a forecast, and what comes next."""

    application: Application
    gateway: Gateway
    future: list[Any]


@pytest.fixture
async def stage(application: Application) -> AsyncIterator[Stage]:
    candles = market(HISTORY + 40)
    application.start_worker(**SESSION)
    await application.feed(candles[:HISTORY])
    await answered(application, candles[:HISTORY])
    gateway = Gateway(application)
    await gateway.start()
    yield Stage(application, gateway, candles[HISTORY:])
    await gateway.stop()


async def test_it_is_quick_quiet_and_asks_nobody_else(stage: Stage, browser: Any) -> None:
    async with opened(browser, stage.gateway.url) as first:
        await first.drawn()  # the gateway has read what was said
    began = time.monotonic()
    async with opened(browser, stage.gateway.url) as page:
        await page.page.wait_for_selector("#rows button")
        listed = time.monotonic() - began
        await page.drawn()
        drawn = time.monotonic() - began
        print(f"interactive after {listed:.2f} s, chart after {drawn:.2f} s")
        assert drawn < 20
        await page.says("#status", "1 worker, 3 partitions")
        await page.says("#status", "every closed candle is answered")
        before = await page.drawn()
        await stage.application.feed(stage.future[:1])
        assert await page.moved(before) == before + 3_600_000
        assert page.problems == []
        assert {url for url in page.requests if not url.startswith(stage.gateway.url)} == set()


@pytest.mark.slow
async def test_a_candle_of_the_past_shows_its_fan_and_what_came(stage: Stage, browser: Any) -> None:
    async with opened(browser, stage.gateway.url, viewport={"width": 1440, "height": 900}) as page:
        now = await page.drawn()
        box = await page.page.locator("#chart").bounding_box()
        await page.page.mouse.click(box["x"] + 0.4 * box["width"], box["y"] + box["height"] / 2)
        past = await page.moved(now)
        assert past < now
        await page.says("#caption", "were inside 95%")
        await page.page.keyboard.press("Escape")
        assert await page.moved(past) == now
        await page.page.focus("#chart")
        await page.page.keyboard.press("ArrowLeft")
        assert await page.moved(now) == now - 3_600_000
        await page.page.click("#now")
        assert await page.moved(now - 3_600_000) == now
        assert page.problems == []


@pytest.mark.slow
async def test_a_series_is_found_and_chosen_by_keyboard(stage: Stage, browser: Any) -> None:
    async with opened(browser, stage.gateway.url) as page:
        await page.drawn()
        await page.says("#found", "3 series")
        await page.page.keyboard.press("/")
        await page.page.keyboard.type("eth")
        await page.says("#found", "1 of 3 series")
        await page.page.keyboard.press("Enter")
        await page.says("#name", "ETHUSDT")
        await page.says("#card", "trained")
        assert page.page.url.endswith("#synthetic%3AETHUSDT%3A1h")
        await page.page.reload()
        await page.says("#name", "ETHUSDT")
        for name in ("1h", "4h"):
            await page.page.click(f"#horizons button:text-is('{name}')")
        pressed = await page.page.locator("#horizons button[aria-pressed=true]").all_inner_texts()
        assert pressed == ["1d"]
        assert page.problems == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1440, 900), (390, 844)])
async def test_everybody_can_use_it(stage: Stage, browser: Any, scheme: Any, size: tuple[int, int]) -> None:
    from axe_playwright_python.async_playwright import Axe

    viewport = {"width": size[0], "height": size[1]}
    # Axe itself is written into the page, which its policy would forbid.
    async with opened(
        browser, stage.gateway.url, viewport=viewport, color_scheme=scheme, bypass_csp=True
    ) as page:
        await page.drawn()
        found = await Axe().run(page.page, options={"runOnly": AXE["runOnly"]})
        assert found.violations_count == 0, found.generate_report()
        wide = await page.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0
        paper = await page.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(255, 255, 255)") is (scheme == "light")
        await page.page.click("#theme")  # auto, then light, then dark
        await page.page.click("#theme")
        paper = await page.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper != "rgb(255, 255, 255)"
        if size[0] < 500:
            assert not await page.page.is_visible("#search")
            await page.page.click("#menu")
            await page.page.click("#rows button:has-text('SOLUSDT')")
            await page.says("#name", "SOLUSDT")


@pytest.mark.slow
async def test_retrain_delete_and_pause_are_behind_the_token(application: Application, browser: Any) -> None:
    application.start_worker(**SESSION)
    candles = market(HISTORY)
    await application.feed(candles)
    await answered(application, candles)
    gateway = Gateway(application, http__token=TOKEN)
    await gateway.start()
    async with opened(browser, gateway.url) as page:
        await page.drawn()
        await page.page.click("#retrain")
        await page.page.fill("#token", "wrong")
        await page.page.click("#yes")
        await page.says("#answer", "the token is missing or wrong")
        assert [text for text in page.problems if "401" not in text] == []
        await page.page.click("#retrain")
        await page.page.fill("#token", TOKEN)
        await page.page.keyboard.press("Enter")
        await page.says("#answer", "training is")
        await page.page.click("#delete")
        assert not await page.page.is_visible("#token")  # it is known by now
        await page.page.click("#yes")
        await page.says("#answer", "deleted")
        await page.says("#log", "deleted")
        await page.page.click("#pause")
        await page.page.click("#yes")
        await page.says("#label", "paused")
        assert await page.page.is_disabled("#retrain")
        await page.page.click("#pause:text-is('Resume')")
        await page.page.click("#yes")
        await page.says("#answer", "It speaks again")
        await page.page.wait_for_selector("#pause:text-is('Pause')")
        await page.says("#log", "resumed")
    await gateway.stop()


@pytest.mark.slow
async def test_without_a_token_nobody_is_asked_for_one(stage: Stage, browser: Any) -> None:
    async with opened(browser, stage.gateway.url) as page:
        await page.drawn()
        await page.page.click("#delete")
        assert not await page.page.is_visible("#token")
        await page.page.click("dialog button:text-is('Cancel')")
        await page.page.click("#retrain")
        await page.page.click("#yes")
        await page.says("#answer", "training is")
        assert page.problems == []


@pytest.mark.slow
async def test_it_survives_a_restart_of_either_side(stage: Stage, browser: Any) -> None:
    application, gateway = stage.application, stage.gateway
    async with opened(browser, gateway.url) as page:
        before = await page.drawn()
        await gateway.stop()
        await page.page.wait_for_selector("body[data-connection=lost]")
        await page.says("#status", "No connection to the gateway since")
        await gateway.start()
        await page.page.wait_for_selector("body[data-connection=open]", timeout=30_000)
        await application.feed(stage.future[:1])
        after = await page.moved(before)
        assert after == before + 3_600_000
        await asyncio.to_thread(application.workers[0].kill)
        await application.feed(stage.future[1:2])
        await page.says("#label", "worker down", seconds=40)
        await page.says("#card", "1 candle closed since the last forecast")
        application.start_worker(**SESSION)
        assert await page.moved(after, seconds=60) == after + 3_600_000
        await page.says("#status", "every closed candle is answered")
        refused = [text for text in page.problems if "ERR_CONNECTION" not in text and "ERR_" not in text]
        assert refused == []


@pytest.mark.slow
async def test_an_empty_page_and_a_young_series_say_what_is_missing(
    application: Application, browser: Any
) -> None:
    gateway = Gateway(application)
    await gateway.start()
    async with opened(browser, gateway.url) as page:
        await page.says("#nothing", "No candle and no forecast has come yet")
        application.start_worker(**SESSION)
        await application.feed(market(63))
        await page.says("#label", "warming up 63 of 100", seconds=60)
        await page.says("#rows", "warming up 63 of 100")
        assert page.problems == []
    await gateway.stop()


@pytest.mark.slow
async def test_until_a_model_is_trained_the_fan_is_labelled_hybrid(
    application: Application, browser: Any
) -> None:
    application.start_worker(**SESSION, model="hybrid")
    candles = market(HISTORY)
    await application.feed(candles)
    await answered(application, candles)
    gateway = Gateway(application)
    await gateway.start()
    async with opened(browser, gateway.url) as page:
        await page.drawn()
        await page.says("#label", "hybrid")
        await page.says("#chart .annotation-text", "hybrid")
        await page.says("#card", "needs no training")
    await gateway.stop()
