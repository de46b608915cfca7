"""What the template tells the conflict detector, read and checked once, when the function starts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from appointments.timers import TimerSettings, timer_settings
from conflict_detector.access import Access, Auth

if TYPE_CHECKING:
    from collections.abc import Mapping


class PageSettings(NamedTuple):
    """What the pages have to know: how people sign in at the desk, where and as which client, and their language.

    `framed_by` are the origins of other sites, separated by spaces, whose pages may show the booking page in a frame.
    `name` is that of the clinic, if it has one.
    """

    auth: Auth = Auth.NONE
    domain: str = ""
    client_id: str = ""
    locale: str = "en"
    framed_by: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Settings:
    """Names of what the function uses. `retention` is how long data outlives its appointment.

    `cors_origin` is the origin whose pages may call the API, `*` for any and empty for none. `webhook_settings` are
    the key of their secrets, the queue of deliveries, and where webhooks may go. `contact_key` makes the digests by
    which people are found, and source addresses counted. `link_key_id` is the key of links. With `open_booking`,
    visitors need no booking link.
    """

    appointments_table: str
    calendars_table: str
    retention: timedelta
    timers: TimerSettings
    access: Access
    cors_origin: str
    webhook_settings: tuple[str, str, str]
    contact_key: str
    link_key_id: str
    open_booking: bool
    holds_per_address: int
    pages: PageSettings

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Raises KeyError or ValueError at start, rather than failing on some later request."""
        pages = PageSettings(
            Auth(env["AUTH"]),
            env["DESK_DOMAIN"],
            env["DESK_CLIENT_ID"],
            env["DEFAULT_LOCALE"],
            env["BOOK_FRAME_ORIGINS"].replace(",", " "),
            env["EMAIL_NAME"],
        )
        return cls(
            appointments_table=env["APPOINTMENTS_TABLE"],
            calendars_table=env["CALENDARS_TABLE"],
            retention=timedelta(days=int(env["RETENTION_DAYS"])),
            timers=timer_settings(env),
            access=Access(pages.auth, env["AUTH_CLIENT_ID"], pages.client_id),
            cors_origin=env["CORS_ORIGIN"],
            contact_key=env["CONTACT_KEY_ID"],
            webhook_settings=(env["WEBHOOK_KEY_ID"], env["WEBHOOK_QUEUE_URL"], env["WEBHOOK_TARGETS"]),
            link_key_id=env["LINK_KEY_ID"],
            open_booking=env["OPEN_BOOKING"] == "on",
            holds_per_address=int(env["HOLDS_PER_ADDRESS"]),
            pages=pages,
        )
