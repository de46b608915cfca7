"""A reception's desk in a browser, as its tests use it: calendars of its own, and what a person does with a mouse."""

from __future__ import annotations

import re
import uuid
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from local.places import LOCAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Locator, Page

SCREENS = LOCAL / "screens"
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
ZONE = "Europe/Berlin"
# Drawn by the page: so many pixels are a minute.
PIXELS = 1.4
# A refusal of the server is no fault of the page, but the browser notes it.
REFUSED = re.compile(r"Failed to load resource: the server responded with a status of (409|412|422) ")
HOURS = [{"start": "08:00", "end": "12:30"}, {"start": "13:30", "end": "18:00"}]
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def far_day() -> date:
    """A Tuesday in the winter after next week, so that Berlin is an hour ahead of UTC."""
    day = date(datetime.now(UTC).year + 1, 1, 15)
    return day + timedelta(days=(1 - day.weekday()) % 7)


class Clinic(NamedTuple):
    """Calendars that no other test touches, on a day on which nothing else lies, over the deployed API."""

    call: Callable[..., Any]
    day: date
    lee: str
    kim: str
    room: str

    @classmethod
    def open(cls, call: Callable[..., Any]) -> Clinic:
        own = uuid.uuid4().hex[:6]
        clinic = cls(call, far_day(), f"dr-lee-{own}", f"dr-kim-{own}", f"room-1-{own}")
        for calendar_id in clinic.calendars:
            settings = {"timeZone": ZONE, "workingHours": dict.fromkeys(WEEKDAYS, HOURS)}
            assert call("PUT", f"/calendars/{calendar_id}", settings).status == 200
        return clinic

    @property
    def calendars(self) -> tuple[str, str, str]:
        return self.lee, self.kim, self.room

    def at(self, clock: str) -> str:
        """A time of this day in Berlin, in UTC."""
        hour, minute = map(int, clock.split(":"))
        return f"{self.day}T{hour - 1:02}:{minute:02}:00Z"

    def book(self, name: str, start: str, end: str, *calendars: str, **more: Any) -> dict[str, Any]:
        """Booked by somebody else, with a contact and without reminders."""
        body = {
            "userId": f"{re.sub(r'[^a-z]', '-', name.lower())}-{uuid.uuid4().hex[:6]}",
            "startTime": self.at(start),
            "endTime": self.at(end),
            "timeZone": ZONE,
            "resourceIds": list(calendars or (self.lee,)),
            "details": {"contact": name},
            "reminders": [],
        }
        answer = self.call("POST", "/appointments", body | more)
        assert answer.status == 201, answer.body
        found: dict[str, Any] = answer.body
        return found

    def now(self, booked: dict[str, Any]) -> dict[str, Any]:
        """The appointment as it is now."""
        found: dict[str, Any] = self.call("GET", f"/appointments/{booked['appointmentId']}").body
        return found

    def address(self, api_url: str, **query: str) -> str:
        shown = {"day": self.day.isoformat(), "calendars": ",".join(self.calendars)} | query
        return f"{api_url}/desk?" + "&".join(f"{name}={value}" for name, value in shown.items())


@contextmanager
def tab(browser: Browser, *, excused: str = "", **context: Any) -> Iterator[Page]:
    """A page that asks nobody but the stack, and whose console says nothing but that the server refused."""
    opened = browser.new_context(**{"viewport": WIDE, "locale": "en-GB", "timezone_id": "Asia/Tokyo"} | context)
    page = opened.new_page()
    page.set_default_timeout(60_000)
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    own = urlsplit(page.url).netloc
    opened.close()
    elsewhere = [url for url in asked if urlsplit(url).netloc != own and not url.startswith("data:")]
    unexpected = [text for text in said if not (REFUSED.match(text) or (excused and excused in text))]
    assert not elsewhere, elsewhere
    assert not unexpected, unexpected


def column(page: Page, calendar_id: str) -> Locator:
    return page.locator(f'[data-column="{calendar_id}"]')


def box(page: Page, calendar_id: str, text: str) -> Locator:
    """What lies on a calendar and says this, such as a name or a time."""
    return column(page, calendar_id).locator("[data-box]").filter(has_text=text)


def point(page: Page, calendar_id: str, clock: str, begins: str = "08:00") -> tuple[float, float]:
    """Where a time of a column is, scrolled as little as it needs. The grid begins when the calendars open."""
    minutes = [int(text[:2]) * 60 + int(text[3:]) for text in (clock, begins)]
    down = (minutes[0] - minutes[1]) * PIXELS
    page.locator("[data-scrolls]").evaluate("(grid, top) => { grid.scrollTop = top }", max(down - 500, 0))
    where = column(page, calendar_id).bounding_box()
    assert where
    return where["x"] + where["width"] / 2, where["y"] + down


def drag(page: Page, what: Locator, calendar_id: str, clock: str, *, drop: bool = True) -> None:
    """Drag a box by its upper edge, so that it begins at this time of this calendar."""
    x, y = point(page, calendar_id, clock)
    held = what.bounding_box()
    assert held
    page.mouse.move(held["x"] + 20, held["y"] + 2)
    page.mouse.down()
    page.mouse.move(held["x"] + 24, held["y"] + 12, steps=2)
    page.mouse.move(x, y + 2, steps=4)
    if drop:
        page.mouse.up()


def fits(page: Page) -> bool:
    """Whether nothing sticks out at the side."""
    return bool(
        page.evaluate("document.documentElement.scrollWidth <= innerWidth && document.body.scrollWidth <= innerWidth")
    )


def to_approve(page: Page) -> Locator:
    """Its number counts what other tests have left too."""
    return page.get_by_role("button", name=re.compile(r"^\d+\+? to approve$"))
