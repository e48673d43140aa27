"""Debian's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def executable() -> str:
    """Where Chromium is; a test that needs it fails when there is none."""
    named = os.environ.get("CHROMIUM_BIN")
    found = next(filter(None, map(shutil.which, (named or "", *_NAMES))), None)
    assert found, "no Chromium found: apt-get install chromium, or set CHROMIUM_BIN"
    return found


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A headless browser for the time of a test."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable(), args=list(_ARGUMENTS)
        )
        try:
            yield browser
        finally:
            await browser.close()
