"""A backtest's report in a real Chromium, opened as a file."""

from pathlib import Path
from typing import Any

import pytest

from stream_lstm.evaluation.report.page import html
from tests.browser.installation import opened
from tests.browser.test_page import AXE
from tests.evaluation.planted import judged, told, walk
from tests.evaluation.test_report import ASKED, COSTS

OUTSIDE = """[...document.querySelectorAll('figure svg')].flatMap(svg => {
    const frame = svg.getBoundingClientRect();
    return [...svg.querySelectorAll('text')].filter(text => {
        const { left, right, bottom } = text.getBoundingClientRect();
        return left < frame.left - 6 || right > frame.right + 10 || bottom > frame.bottom + 1;
    }).map(text => text.textContent);
})"""
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    verdicts = [
        judged(candles, told(candles, steps, width=width), model)
        for model, width in (("lstm", 1.0), ("har", 1.3))
        for candles in (walk(2_000, 3, "BTCUSDT"), walk(2_000, 4, "ETHUSDT"))
        for steps in (1, 4, 24)
    ]
    path = tmp_path_factory.mktemp("report") / "worth.html"
    path.write_text(html(ASKED, verdicts, COSTS), encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 900), (390, 844)])
async def test_everybody_can_read_it(report: Path, browser: Any, scheme: Any, size: tuple[int, int]) -> None:
    from axe_playwright_python.async_playwright import Axe

    viewport = {"width": size[0], "height": size[1]}
    async with opened(browser, "about:blank", viewport=viewport, color_scheme=scheme) as page:
        await page.page.goto(report.as_uri())
        await page.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        found = await Axe().run(page.page, options={"runOnly": AXE["runOnly"]})
        assert found.violations_count == 0, found.generate_report()
        assert await page.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        paper = await page.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(255, 255, 255)") is (scheme == "light")
        assert page.problems == []
        assert [url for url in page.requests if not url.startswith(("file:", "about:", "data:"))] == []


@pytest.mark.slow
async def test_pictures_are_drawn_and_their_words_stay_inside(report: Path, browser: Any) -> None:
    async with opened(browser, report.as_uri(), viewport={"width": 1280, "height": 900}) as page:
        pictures = page.page.locator("figure svg")
        assert await pictures.count() == 3 * 6
        outside = await page.page.evaluate(OUTSIDE)
        assert outside == []
        paths = await page.page.eval_on_selector_all("path", "all => all.map(each => each.getAttribute('d'))")
        assert not [path for path in paths if "nan" in path.lower() or "inf" in path]


@pytest.mark.slow
async def test_on_paper_nothing_is_folded_away(report: Path, browser: Any) -> None:
    async with opened(browser, report.as_uri()) as page:
        await page.page.emulate_media(media="print")
        hidden = page.page.locator("details:not([open]) table")
        assert await hidden.count() > 0
        assert await hidden.first.is_visible()
