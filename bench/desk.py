"""The desk in Chromium against the local stack: 12 calendars with 360 appointments a day.

Milliseconds from the beginning of the navigation until the columns are drawn, and until all appointments are; and from
the click on "Next day" until those of that day are, when it is first seen and when it was seen before. The last two
columns are what the page itself takes: from the answer until the next frame. The stack's own time is in the others.
"""

from __future__ import annotations

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

from browsing import BROWSER, QUIET
from local import LocalError
from local.system import system

if TYPE_CHECKING:
    from datetime import date

    from playwright.sync_api import Browser, Page

CALENDARS = [f"bench-{n:02}" for n in range(12)]
A_DAY = 30
ROUNDS = 7
# Notes when the columns are there, and when as many boxes as are asked for are; each with the frame after it.
WATCH = """
window.marks = {};
window.answered = 0;
window.wanted = 360;
window.note = (name) => requestAnimationFrame(() => { window.marks[name] ??= performance.now(); });
const count = () => {
  if (document.querySelector('[data-column]')) note('columns');
  if (document.querySelectorAll('[data-appointment]').length >= window.wanted) note('appointments');
};
new MutationObserver(count).observe(document, { childList: true, subtree: true });
const fetched = window.fetch;
window.fetch = async (...asked) => {
  const answer = await fetched(...asked);
  const json = answer.json.bind(answer);
  answer.json = async () => {
    const body = await json();
    if (body.appointments) window.answered = performance.now();
    return body;
  };
  return answer;
};
"""
# A day's change: from the click until the heading and the boxes are those of the day that was asked for.
CHANGE = """
(name) => new Promise((done) => {
  const before = document.querySelector('[data-column]').dataset.day;
  const began = performance.now();
  const there = () => document.querySelector('[data-column]').dataset.day !== before
    && document.querySelectorAll('[data-appointment]').length >= 360;
  const look = () => there() ? requestAnimationFrame(() => done({
    all: performance.now() - began, drawing: performance.now() - Math.max(window.answered, began),
  })) : requestAnimationFrame(look);
  document.querySelector(`[aria-label="${name}"]`).click();
  look();
})
"""


def main() -> None:
    """Measure, and print a table."""
    if BROWSER is None:
        raise LocalError("there is no browser; run `make browser`")
    with system(print) as running:
        first = (datetime.now(UTC) + timedelta(days=30)).date()
        fill(running.api_url, first)
        fill(running.api_url, first + timedelta(days=1))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=BROWSER, args=QUIET.split())
            rows = [opened(browser, running.api_url, first) for _ in range(ROUNDS)]
            browser.close()
    print("| columns | appointments | next day, new | back to one that was seen | drawing at first | drawing a day |")
    print("|---:|---:|---:|---:|---:|---:|")
    print("| " + " | ".join(f"{median(row[n] for row in rows):.0f}" for n in range(6)) + " |")
    print(f"\nMedians of {ROUNDS}, in ms.")


def fill(api_url: str, day: date) -> None:
    """30 appointments of 20 minutes on each calendar."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda id_: send(api_url, "PUT", f"/calendars/{id_}", {"timeZone": "UTC"}), CALENDARS))
        list(pool.map(lambda body: send(api_url, "POST", "/appointments", body), bookings(day)))


def bookings(day: date) -> list[dict[str, Any]]:
    """The day's, calendar by calendar."""
    morning = datetime(day.year, day.month, day.day, 8, tzinfo=UTC)
    return [
        {
            "userId": f"person-{day}-{calendar_id}-{n}",
            "startTime": (morning + n * timedelta(minutes=20)).isoformat(),
            "endTime": (morning + (n + 1) * timedelta(minutes=20)).isoformat(),
            "resourceIds": [calendar_id],
            "details": {"title": "Check-up", "contact": f"Person {n}"},
            "reminders": [],
        }
        for calendar_id in CALENDARS
        for n in range(A_DAY)
    ]


def send(api_url: str, method: str, path: str, body: dict[str, Any]) -> None:
    """One request to the local stack."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(api_url + path, json.dumps(body).encode(), headers, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=60):  # noqa: S310 - the address is the stack's
        pass


def opened(browser: Browser, api_url: str, day: date) -> tuple[float, ...]:
    """One visit with an empty cache."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, bypass_csp=True
    )  # for what is evaluated here
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.add_init_script(WATCH)
    page.goto(f"{api_url}/desk?day={day}&calendars={','.join(CALENDARS)}")
    page.wait_for_function("window.marks.appointments")
    marks: dict[str, float] = page.evaluate("window.marks")
    drawn: float = page.evaluate("window.marks.appointments - window.answered")
    new, seen = change(page, "Next day"), change(page, "Previous day")
    context.close()
    return marks["columns"], marks["appointments"], new["all"], seen["all"], drawn, new["drawing"]


def change(page: Page, name: str) -> dict[str, float]:
    """Click on another day, and wait until it is drawn."""
    found: dict[str, float] = page.evaluate(CHANGE, name)
    return found


if __name__ == "__main__":
    main()
