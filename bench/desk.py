"""The desk in Chromium against the local stack: 12 calendars with 360 appointments a day.

Milliseconds from the beginning of the navigation until the columns are drawn, and until all appointments are; and from
the click on "Next day" until those of that day are, when nothing is known of it and when it was asked for beforehand.
The last two columns are the processor time of the page's main thread for the visit and for a day, which does not grow
with the load of the machine as the others do.
"""

from __future__ import annotations

import json
import re
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

    from playwright.sync_api import Browser, CDPSession, Page

CALENDARS = [f"bench-{n:02}" for n in range(12)]
A_DAY = 30
ROUNDS = 7
# Notes when the columns are there, and when as many boxes as are asked for are; each with the frame after it.
WATCH = """
window.marks = {};
window.wanted = 360;
window.note = (name) => requestAnimationFrame(() => { window.marks[name] ??= performance.now(); });
const count = () => {
  if (document.querySelector('[data-column]')) note('columns');
  if (document.querySelectorAll('[data-appointment]').length >= window.wanted) note('appointments');
};
new MutationObserver(count).observe(document, { childList: true, subtree: true });
"""
# A day's change: from the click until the heading and the boxes are those of the day that was asked for.
CHANGE = """
(name) => new Promise((done) => {
  const before = document.querySelector('[data-column]').dataset.day;
  const began = performance.now();
  const there = () => document.querySelector('[data-column]').dataset.day !== before
    && document.querySelectorAll('[data-appointment]').length >= 360;
  const look = () => requestAnimationFrame(there() ? () => done(performance.now() - began) : look);
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
    print("| columns | appointments | a day, unknown | a day, known | processor, visit | processor, a day |")
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
    """One visit with an empty cache: to a day, to the next before it was asked for, and back."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, bypass_csp=True
    )  # for what is evaluated here
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.add_init_script(WATCH)
    main_thread = context.new_cdp_session(page)
    main_thread.send("Performance.enable", {"timeDomain": "threadTicks"})
    # Nothing is known of the next day: who asks for it beforehand gets no answer.
    page.route(re.compile(rf"from={day + timedelta(days=1)}"), lambda route: route.abort(), times=1)
    page.goto(f"{api_url}/desk?day={day}&calendars={','.join(CALENDARS)}")
    page.wait_for_function("window.marks.appointments")
    marks: dict[str, float] = page.evaluate("window.marks")
    first = busy(main_thread)
    page.wait_for_timeout(3000)
    new = change(page, "Next day")
    page.wait_for_timeout(3000)
    before = busy(main_thread)
    known = change(page, "Previous day")
    drawn = busy(main_thread) - before
    context.close()
    return marks["columns"], marks["appointments"], new, known, first, drawn


def busy(main_thread: CDPSession) -> float:
    """How long the page's main thread was busy, in ms."""
    metrics: list[dict[str, Any]] = main_thread.send("Performance.getMetrics")["metrics"]
    return float(sum(one["value"] for one in metrics if one["name"] == "TaskDuration")) * 1000


def change(page: Page, name: str) -> float:
    """Click on another day, and wait until it is drawn."""
    found: float = page.evaluate(CHANGE, name)
    return found


if __name__ == "__main__":
    main()
