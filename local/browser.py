"""The browser in which emails and pages are drawn, where there is one: Debian's Chromium (`make browser`)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

# Of a phone.
WIDTH = 390


def chromium() -> str | None:
    """Where Chromium is on this machine."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@contextmanager
def browsing() -> Iterator[Browser]:
    """A Chromium that is there until the block ends."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def picture_of(url: str, into: Path, width: int = WIDTH, height: int = 800) -> None:
    """Draw a page of the stack as it is once it has asked for what it shows."""
    with browsing() as browser:
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(url, wait_until="networkidle")
        page.screenshot(path=into)


def picture(content: str, into: Path) -> None:
    """Draw a page of HTML as a phone shows it."""
    with browsing() as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": 640}, device_scale_factor=2)
        page.set_content(content)
        page.screenshot(path=into, full_page=True)
