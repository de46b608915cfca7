"""Pictures of all texts, as a phone shows them: `python -m local.pictures FOLDER [--texts OWN] [--locales de,fr]`.

For each language a page with every email and SMS, as HTML and, by Chromium, as PNG in light and in dark.
"""

from __future__ import annotations

import argparse
import html
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser

from local.browser import WIDTH, browsing, chromium
from local.places import ROOT
from texts.facts import Facts, Kind
from texts.writing import Texts

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
START = datetime(2026, 11, 30, 13, 30, tzinfo=UTC)
STYLE = f"""
:root {{ color-scheme: light dark }}
body {{ font: 13px sans-serif; display: flex; flex-wrap: wrap; gap: 20px }}
article {{ width: {WIDTH}px }}
h2 {{ font-size: 14px; min-height: 3em }}
iframe {{ width: {WIDTH}px; height: 640px; border: 1px solid #888 }}
pre, p {{ white-space: pre-wrap; word-break: break-word }}
"""
LONG = "Professional cleaning & advice on <gums>"


def main() -> None:
    """Draw what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m local.pictures", description=__doc__)
    parser.add_argument("into", type=Path)
    parser.add_argument("--texts", default="", help="a folder of own texts")
    parser.add_argument("--locales", help="such as de,fr; all languages otherwise")
    chosen = parser.parse_args()
    texts = Texts(chosen.texts)
    locales = chosen.locales.split(",") if chosen.locales else languages(texts)
    chosen.into.mkdir(parents=True, exist_ok=True)
    for locale in locales:
        (chosen.into / f"{locale}.html").write_text(page(texts, locale))
    if not chromium():
        print("No Chromium is there (make browser): pages, and no pictures.")
        return
    with browsing() as browser:
        draw(browser, chosen.into, locales)


def languages(texts: Texts) -> list[str]:
    """Those that have texts, own or standard ones."""
    roots = [root for root in (texts.library.own, ROOT / "src" / "texts" / "standard") if root]
    return sorted({path.name for root in roots for path in root.iterdir() if path.is_dir()})


def examples() -> list[Facts]:
    """Every kind: with all that a text can have, with little, for a reader far away, and for a resource."""
    half, zone = timedelta(minutes=45), ZoneInfo("Europe/Berlin")
    link = f"https://termine.example/l/{'x' * 43}"
    found = []
    for kind in Kind:
        was = START - timedelta(days=4) if kind is Kind.MOVED else None
        found.append(
            Facts(
                kind,
                START,
                START + half,
                zone,
                name="Anna Müller",
                person_zone=ZoneInfo("America/New_York") if kind is Kind.APPROVED else None,
                was_start=was,
                title=LONG if kind is Kind.BOOKED else "Check-up",
                location="Hauptstraße 5, 80331 München",
                description="Bitte Karte mitbringen.\nEingang im Hof." if kind in (Kind.BOOKED, Kind.MOVED) else None,
                with_whom=("Dr. Meier", "Raum 2"),
                link=link,
                attend=kind is Kind.REMINDER,
                sender="Praxis Dr. Meier",
            )
        )
    found.append(Facts(Kind.BOOKED, START, START + timedelta(days=1), zone, link=link))
    found.append(Facts(Kind.MOVED, START, START + half, zone, was_start=START - half, title=LONG, resource=True))
    return found


def page(texts: Texts, locale: str) -> str:
    """All texts of a language beside each other."""
    cards = []
    for facts in examples():
        email, sms = texts.email(facts, locale), texts.sms(facts, locale)
        cards.append(
            f"<article><h2>{html.escape(email.subject)}</h2>"
            f'<iframe sandbox="allow-same-origin" srcdoc="{html.escape(email.html)}"></iframe>'
            f"<pre>{html.escape(email.text)}</pre><p>{len(sms)}: {html.escape(sms)}</p></article>"
        )
    return (
        f'<!DOCTYPE html><html lang="{html.escape(locale)}"><meta charset="utf-8"><title>{html.escape(locale)}</title>'
        f"<style>{STYLE}</style>"
        f"{''.join(cards)}</html>"
    )


def draw(browser: Browser, into: Path, locales: list[str]) -> None:
    """Let a browser show each page, and keep what it shows."""
    for scheme in SCHEMES:
        view = browser.new_page(viewport={"width": 5 * (WIDTH + 25) + 20, "height": 900}, color_scheme=scheme)
        for locale in locales:
            view.goto((into / f"{locale}.html").absolute().as_uri())
            view.evaluate(
                "document.querySelectorAll('iframe').forEach(one =>"
                " one.style.height = one.contentDocument.body.scrollHeight + 4 + 'px')"
            )
            view.screenshot(path=into / f"{locale}-{scheme}.png", full_page=True)
        view.close()


if __name__ == "__main__":
    main()
