"""The page of a link as HTML: when, what and where, and a form for each thing that can be done. No scripts."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from appointments.errors import TooLateError
from appointments.model import DAY, LINK
from appointments.statuses import Status
from appointments.times import find_zone, to_utc_text
from conflict_detector.access import Caller
from conflict_detector.links.changing import Action, may_cancel, may_confirm, may_move
from conflict_detector.links.dates import clock_of, month, short_day, written_date, written_time
from conflict_detector.links.offering import WEEK
from conflict_detector.links.phrases import PHRASES
from conflict_detector.links.style import STYLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date
    from zoneinfo import ZoneInfo

    from appointments.model import Appointment, Interval
    from conflict_detector.links.offering import Week
    from conflict_detector.responses import Response
    from texts.clock import Clock

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
# Nothing is loaded, nothing runs, and a form leads nowhere else.
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
GOOD, BAD, PLAIN = "good", "bad", "plain"


@dataclass(frozen=True, slots=True)
class Words:
    """What is said in one language. Everything comes out fit for HTML."""

    language: str
    region: str | None = None

    @property
    def clock(self) -> Clock:
        """How times are written."""
        return clock_of(self.language, self.region)

    def say(self, key: str, **put: str) -> str:
        """A phrase, with what is put into it."""
        return escape(PHRASES[self.language][key].format(**put))

    def note(self, kind: str, key: str, **put: str) -> str:
        """A phrase that stands out. What went wrong is read out at once."""
        role = "alert" if kind == BAD else "status"
        return f'<p class="note {kind}" role="{role}">{self.say(key, **put)}</p>'


@dataclass(frozen=True, slots=True)
class View:
    """An appointment as the holder of its link sees it, in a language and the zone of its place.

    `reader` is the zone where the person is, if it is known: where its clock shows another time, both are told.
    """

    appointment: Appointment
    words: Words
    zone: ZoneInfo
    now: datetime
    reader: ZoneInfo | None = None

    def moment(self, moment: datetime) -> str:
        """A date with its time, on one line."""
        text, theirs = self.dated(moment), self.theirs(moment)
        return f"{text} ({theirs})" if theirs else text

    def dated(self, moment: datetime) -> str:
        """A date with its time where the place is."""
        return self._dated(moment.astimezone(self.zone))

    def clock(self, moment: datetime) -> str:
        """A time of the day where the place is."""
        return self._timed(moment.astimezone(self.zone))

    def elsewhere(self, *moments: datetime) -> ZoneInfo | None:
        """The zone of the reader, if its clock shows another time than that of the place."""
        zone = self.reader
        if zone and any(one.astimezone(zone).utcoffset() != one.astimezone(self.zone).utcoffset() for one in moments):
            return zone
        return None

    def theirs(self, moment: datetime) -> str:
        """The same time where the reader is, with its offset, and its date if that is another one."""
        zone = self.elsewhere(moment)
        if zone is None:
            return ""
        here, there = moment.astimezone(self.zone), moment.astimezone(zone)
        by = self.words.clock
        text = f"{written_time(there, by)} {by.offset(there)}"
        return text if here.date() == there.date() else by.both(by.day(there), text)

    def times(self, zone: ZoneInfo) -> tuple[str, str]:
        """The date of the appointment in a zone, and from when to when it is."""
        start, end = (moment.astimezone(zone) for moment in self.appointment.interval)
        last = self._timed(end) if start.date() == end.date() else self._dated(end)
        return written_date(start.date(), self.words.clock), f"{self._timed(start)} \u2013 {last}"

    def _dated(self, local: datetime) -> str:
        by = self.words.clock
        return by.both(written_date(local.date(), by), self._timed(local))

    def _timed(self, local: datetime) -> str:
        """A time of the day; in the hour that comes twice, with its offset."""
        text = written_time(local, self.words.clock)
        twice = local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()
        return f"{text} ({self.words.clock.offset(local)})" if twice else text

    def too_late(self, *, cancels: bool) -> datetime | None:
        """Until when the service let people cancel, or move, if that is over."""
        try:
            Caller(self.appointment.user_id, LINK).keep_limits(self.appointment, self.now, cancels=cancels)
        except TooLateError as exc:
            return datetime.fromisoformat(exc.more["until"])
        return None


def response(status: int, words: Words, title: str, parts: Iterable[str]) -> Response:
    """A page. Nobody keeps it, indexes it, or is told where it was left from: its address is the key to it."""
    html = (
        f'<!doctype html><html lang="{words.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex, nofollow"><meta name="referrer" content="no-referrer">'
        f"<title>{title}</title><style>{STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>"
    )
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Language": words.language,
        "Cache-Control": "no-store",
        "Content-Security-Policy": POLICY,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex, nofollow",
    }
    return {"statusCode": status, "headers": headers, "body": html}


def unknown(words: Words) -> Response:
    """404: nobody was sent this link, or the appointment is gone."""
    title = words.say("unknown")
    return response(404, words, title, [f"<h1>{title}</h1>", f"<p>{words.say('unknown more')}</p>"])


def busy(words: Words) -> Response:
    """503: try again."""
    again = f'<div class="actions"><a class="button" href="?">{words.say("again")}</a></div>'
    title = words.say("title")
    return response(503, words, title, [f"<h1>{title}</h1>", words.note(BAD, "busy"), again])


def ended(view: View) -> Response:
    """410: nothing can be done any more. What was not to be is said; of what has begun nothing is shown."""
    words, appointment = view.words, view.appointment
    begun = appointment.interval.start <= view.now
    expired = not begun and appointment.has_expired(view.now)
    key = f"is {Status.EXPIRED if expired else appointment.status}"
    if begun or key not in PHRASES[words.language]:
        title = words.say("ended")
        return response(410, words, title, [f"<h1>{title}</h1>", f"<p>{words.say('ended more')}</p>"])
    parts = [*_head(view), words.note(PLAIN, key), _facts(view, gone=True)]
    return response(410, words, words.say("title"), parts)


def cancelled(view: View) -> Response:
    """200: it was just cancelled, by this form or by one that was sent before."""
    parts = [*_head(view), view.words.note(GOOD, "done cancel"), _facts(view, gone=True)]
    return response(200, view.words, view.words.say("title"), parts)


def overview(view: View, note: str = "", status: int = 200) -> Response:
    """The appointment as it is, and what can be done."""
    words = view.words
    parts = [*_head(view), note or _standing(view), _facts(view), _actions(view)]
    return response(status, words, words.say("title"), parts)


class Instead(NamedTuple):
    """Why a time is not to be had, and what is the nearest to it."""

    status: int
    note: str
    nearest: Sequence[Interval]


def choice(view: View, week: Week, asked: date, instead: Instead | None = None) -> Response:
    """The free times of a week, one date at a time, each a button."""
    words = view.words
    shown = week.pick(asked)
    starts = week.starts.get(shown, [])
    near = [one.start for one in instead.nearest] if instead else []
    title = words.say("move")
    so_far = words.say("so far", time=view.moment(view.appointment.interval.start))
    parts = [*_service(view), f"<h1>{title}</h1>", f'<p class="soft">{so_far}</p>']
    parts.append(_zones(view, [*starts, *near, view.appointment.interval.start]))
    if instead:
        parts += [instead.note, _times(view, near, "near", view.dated) if near else ""]
    parts.append(f"<h2>{words.say('free')}</h2>{_days(view, week, shown)}{_turns(view, week)}")
    if starts:
        parts.append(f"<h2>{escape(written_date(shown, words.clock))}</h2>")
        parts.append(_times(view, starts, "times", view.clock))
    else:
        parts.append(f"<p>{words.say('none')}</p>")
    parts.append(f'<div class="actions"><a class="button" href="?">{words.say("back")}</a></div>')
    return response(instead.status if instead else 200, words, title, parts)


def _service(view: View) -> list[str]:
    """What was booked, where a service says so. Free texts of the appointment could name somebody."""
    service = view.appointment.service
    title = json.loads(service.body).get("title", "") if service else ""
    return [f'<p class="service">{escape(title)}</p>'] if title else []


def _head(view: View) -> list[str]:
    return [*_service(view), f"<h1>{view.words.say('title')}</h1>"]


def _standing(view: View) -> str:
    """What is to be known of it before anything else."""
    appointment, words = view.appointment, view.words
    if appointment.status is Status.HELD and appointment.expires_at:
        return words.note(PLAIN, "hold", time=view.moment(appointment.expires_at))
    if appointment.status is Status.REQUESTED:
        return words.note(PLAIN, "request")
    return words.note(GOOD, "confirmed") if appointment.confirmed_at else ""


def _facts(view: View, *, gone: bool = False) -> str:
    words, (start, end) = view.words, view.appointment.interval
    crossed = " gone" if gone else ""
    there = view.elsewhere(start, end)
    rows = ""
    for key, zone, other in (("when", view.zone, there), ("yours", there, view.zone)):
        if zone is None:
            continue
        date, times = view.times(zone)
        named = words.say("zone", zone=words.clock.place(start.astimezone(zone), other))
        rows += (
            f'<dt>{words.say(key)}</dt><dd><strong class="date{crossed}">{escape(date)}</strong>'
            f'<span class="time{crossed}">{escape(times)}</span><span class="soft">{named}</span></dd>'
        )
    place = view.appointment.details.get("location")
    if isinstance(place, str) and place.strip():
        rows += f"<dt>{words.say('where')}</dt><dd>{escape(place.strip())}</dd>"
    return f"<dl>{rows}</dl>"


def _zones(view: View, moments: Sequence[datetime]) -> str:
    """In which zone times are told, and in which one the reader's are beside them."""
    words, first, there = view.words, moments[0], view.elsewhere(*moments)
    lines = [words.say("zone", zone=words.clock.place(first.astimezone(view.zone), there))]
    if there:
        place = words.clock.place(first.astimezone(there), view.zone)
        lines.append(f"{words.say('yours')} \u2013 {escape(place)}")
    return "".join(f'<p class="soft">{line}</p>' for line in lines)


def _actions(view: View) -> str:
    words, appointment = view.words, view.appointment
    parts = []
    if may_confirm(appointment):
        key = "book" if appointment.status is Status.HELD else "confirm"
        parts.append(_form(view, Action.CONFIRM, f'<button class="main">{words.say(key)}</button>'))
    if may_move(appointment):
        if until := view.too_late(cancels=False):
            parts.append(f'<p class="soft">{words.say("late move", time=view.moment(until))}</p>')
        else:
            day = max(appointment.interval.start, view.now).astimezone(view.zone).date()
            parts.append(f'<a class="button" href="?day={day}">{words.say("move")}</a>')
    if may_cancel(appointment):
        if until := view.too_late(cancels=True):
            parts.append(f'<p class="soft">{words.say("late cancel", time=view.moment(until))}</p>')
        else:
            sure = f'<p>{words.say("sure")}</p><button class="grave">{words.say("do cancel")}</button>'
            form = _form(view, Action.CANCEL, sure)
            parts.append(f"<details><summary>{words.say('cancel')}</summary>{form}</details>")
    return f'<div class="actions">{"".join(parts)}</div>' if parts else ""


def _form(view: View, action: Action, inner: str) -> str:
    """A form that goes to the page's own address, without its query."""
    return (
        f'<form method="post" action="?"><input type="hidden" name="action" value="{action}">'
        f'<input type="hidden" name="version" value="{view.appointment.version}">{inner}</form>'
    )


def _times(view: View, starts: Iterable[datetime], kind: str, write: Callable[[datetime], str]) -> str:
    """A button for each start: the time of the place and, beside it, that of a reader elsewhere."""
    buttons = ""
    for start in starts:
        theirs = view.theirs(start)
        beside = f" <small>{escape(theirs)}</small>" if theirs else ""
        buttons += (
            f'<li><button name="startTime" value="{to_utc_text(start)}">{escape(write(start))}{beside}</button></li>'
        )
    return _form(view, Action.MOVE, f'<ul class="{kind}">{buttons}</ul>')


def _days(view: View, week: Week, shown: date) -> str:
    """The dates of the week; those with a free time lead to it. Who listens hears the month too."""
    by = view.words.clock
    cells = []
    for day, starts in week.starts.items():
        unseen = f'<span class="unseen"> {month(day, by)}</span>'
        face = f"{short_day(day, by)} <b>{day.day}</b>{unseen}"
        current = ' aria-current="date"' if day == shown else ""
        inner = f'<a href="?day={day}"{current}>{face}</a>' if starts else f"<span>{face}</span>"
        cells.append(f"<li>{inner}</li>")
    return f'<nav aria-label="{view.words.say("free")}"><ul class="days">{"".join(cells)}</ul></nav>'


def _turns(view: View, week: Week) -> str:
    step = WEEK * DAY
    before = f'<a href="?day={week.first - step}">← {view.words.say("earlier")}</a>'
    after = f'<a href="?day={week.first + step}">{view.words.say("later")} →</a>'
    return f'<div class="turn">{"<span></span>" if week.is_first else before}{"" if week.is_last else after}</div>'


def view_of(appointment: Appointment, words: Words, now: datetime) -> View:
    """The view in the zone in which people read the appointment's times, and in that of its contact."""
    zone = find_zone(appointment.time_zone) or find_zone(appointment.people_zone) or find_zone("UTC")
    assert zone is not None  # noqa: S101 - UTC is in every version of the data
    contact = appointment.contact
    return View(appointment, words, zone, now, find_zone(contact.time_zone) if contact else None)
