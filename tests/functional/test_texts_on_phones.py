"""Emails as phones and desktops show them, in light and in dark, by a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.pictures import draw, examples, languages, page
from support import NO_NODE, NODE, NODE_MODULES
from texts.writing import Texts

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(
    BROWSER is None, reason="no browser to show emails: run `make browser`, or install Debian's package chromium"
)
TEXTS = Texts()
LOCALES = languages(TEXTS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield found
        found.close()


@needs_browser
@pytest.mark.parametrize(("width", "locales"), [(320, LOCALES), (800, ["de"])])
def test_nothing_is_wider_than_the_screen(browser: Browser, width: int, locales: list[str]) -> None:
    view = browser.new_page(viewport={"width": width, "height": 700})
    for locale in locales:
        for facts in examples():
            view.set_content(TEXTS.email(facts, locale).html)
            assert view.evaluate("document.documentElement.scrollWidth") == width, (locale, facts.kind)
            link = view.query_selector("a")
            assert bool(link) is bool(facts.link and not facts.kind.is_over and not facts.resource)
            if link:
                box = link.bounding_box()
                assert box
                assert box["height"] >= 44, "a thumb has to hit it"
    view.close()


@needs_browser
@pytest.mark.skipif(NODE is None, reason=NO_NODE)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, scheme: str) -> None:
    """Contrast above all: what was meant for a white page must not stay dark on a dark one."""
    view = browser.new_page(
        viewport={"width": 390, "height": 700}, color_scheme="dark" if scheme == "dark" else "light"
    )
    dark = view.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert dark is (scheme == "dark")
    for facts in examples()[:4]:  # with a button, with an old time, with all rows
        view.set_content(TEXTS.email(facts, "de").html)
        view.add_script_tag(path=NODE_MODULES / "axe-core" / "axe.min.js")
        # An email is no page: it has no landmarks and no heading.
        found = view.evaluate(
            "axe.run({rules: {region: {enabled: false}, 'landmark-one-main': {enabled: false},"
            " 'page-has-heading-one': {enabled: false}}})"
        )
        assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
        assert "color-contrast" in [one["id"] for one in found["passes"]]
    view.close()


def test_the_page_of_pictures_has_every_text() -> None:
    for locale in LOCALES:
        shown = page(TEXTS, locale)
        assert shown.count("<iframe") == len(examples())
        assert shown.count(f"lang=&quot;{locale}&quot;") == len(examples())


@needs_browser
def test_pictures_are_drawn(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "en.html").write_text(page(TEXTS, "en"))
    draw(browser, tmp_path, ["en"])
    light, dark = ((tmp_path / f"en-{scheme}.png").read_bytes() for scheme in ("light", "dark"))
    assert light != dark
    assert all(picture.startswith(b"\x89PNG") and len(picture) > 100_000 for picture in (light, dark))
