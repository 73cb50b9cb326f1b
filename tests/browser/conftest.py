import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Application, installed
from tests.browser.installation import CHROMIUM, FLAGS, chromium_missing


@pytest.fixture
async def browser() -> AsyncIterator[Any]:
    """A real Chromium; without one the test is skipped, or in CI fails."""
    if (why := chromium_missing()) is not None:
        if os.environ.get("CI", "").lower() in {"1", "true"}:
            pytest.fail(f"{why}, which is a failure in CI")
        pytest.skip(why)
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        await browser.close()


@pytest.fixture
async def application(kafka: str, prefix: str, tmp_path: Path) -> AsyncIterator[Application]:
    async with installed(kafka, prefix, tmp_path) as application:
        yield application
