"""What is explored, as data: requests, and which of them meet over what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from exploration.checks import PHONE
from exploration.examine import Scenario
from exploration.wiring import MOST_INLINE, Request

NOW = datetime.fromisoformat("2029-12-01T12:00:00Z")


def at(text: str) -> str:
    """`1T23:15` is 23:15 UTC on the first day of the scenarios, `2T…` on the next."""
    day, clock = text.split("T")
    return f"2030-01-{14 + int(day)}T{clock}:00Z"


def book(user: str, start: str, end: str, *calendars: str, name: str = "", key: str = "", **more: Any) -> Request:
    body = {"userId": user, "startTime": at(start), "endTime": at(end), "resourceIds": list(calendars), **more}
    headers = {"Idempotency-Key": key} if key else {}
    return Request("http", NOW, "POST", "/appointments", {"reminders": [], **body}, headers, name=name)


def patch(name: str, start: str = "", end: str = "", *, if_match: str = "", **more: Any) -> Request:
    times = {"startTime": at(start), "endTime": at(end)} if start else {}
    headers = {"If-Match": if_match} if if_match else {}
    return Request("http", NOW, "PATCH", f"/appointments/{{{name}}}", {**times, **more}, headers)


def delete(name: str) -> Request:
    return Request("http", NOW, "DELETE", f"/appointments/{{{name}}}")


def link(name: str, action: str, start: str = "", version: int = 1) -> Request:
    """A form of the page behind the appointment's link, which showed this version."""
    times = {"startTime": at(start)} if start else {}
    return Request("http", NOW, "POST", f"/l/{{{name}}}", {"action": action, "version": version, **times})


def put(calendar: str, *, if_match: str = "", **settings: Any) -> Request:
    headers = {"If-Match": if_match} if if_match else {}
    return Request("http", NOW, "PUT", f"/calendars/{calendar}", settings, headers)


def scenario(
    name: str, setup: list[Any], after: Mapping[str, str] | None = None, most_inline: int = MOST_INLINE, **actors: Any
) -> Scenario:
    """Requests of the setup stand alone or with the name of their process; an actor has one request or several."""
    return Scenario(
        name,
        tuple(one if isinstance(one, tuple) else ("setup", one) for one in setup),
        {actor: (asked,) if isinstance(asked, Request) else tuple(asked) for actor, asked in actors.items()},
        after or {},
        most_inline,
    )


def try_out(*calendars: str) -> Request:
    """A dry run that reads calendars around midnight, from which a process learns their settings and days."""
    request = book("t", "1T21:00", "2T03:00", anyOf=list(calendars))
    return replace(request, path="/appointments", query={"dryRun": "true"})


def later(request: Request, seconds: int = 1) -> Request:
    """The request in a second of its own, so that its answer tells it apart."""
    return replace(request, now=request.now + timedelta(seconds=seconds))


def there_and_back(*over: str) -> tuple[Request, ...]:
    """X is moved away, over these times as well, and back."""
    starts = ("1T23:15", *over, "2T10:00")
    return tuple(patch("X", start, f"{start[:-2]}{int(start[-2:]) + 30}") for start in starts)


def fire(name: str, offset: str, due: str, now: str = "") -> Request:
    """The timer of a reminder fires, at its due time unless said otherwise."""
    event = {"appointmentId": f"{{{name}}}", "reminder": offset, "dueAt": at(due)}
    return Request("sender", datetime.fromisoformat(at(now or due)), body=event)


def sweep(now: str) -> Request:
    return Request("sweep", datetime.fromisoformat(at(now)))


def clock(request: Request, seconds: int) -> Request:
    """The request of a process whose clock shows so many seconds after the hold of the ground expires."""
    return replace(request, now=NOW + timedelta(minutes=10, seconds=seconds))


MIDNIGHT = [
    scenario(
        "move over midnight, move into it from the next day",
        [book("x", "2T10:00", "2T10:30", "c", name="X"), book("w", "1T20:00", "1T20:30", "c", name="W")],
        W=patch("W", "1T23:00", "2T01:00"),
        X=patch("X", "1T23:15", "1T23:45"),
    ),
    scenario(
        "book over midnight, move into it from the next day",
        [
            book("t", "1T22:00", "2T02:00", "c", name="T"),
            delete("T"),
            book("x", "2T10:00", "2T10:30", "c", name="X"),
        ],
        W=book("w", "1T23:00", "2T01:00", "c"),
        X=patch("X", "1T23:15", "1T23:45"),
    ),
]


def cleared(*more: Request) -> list[Any]:
    """Every quarter hour of `c` around midnight was booked before, and is free."""
    return [*more, book("t", "1T22:00", "2T02:00", "c", name="T"), delete("T")]


# B's batch read shows each item at another moment, and all of them together show what never was.
SEVERAL_MOMENTS = [
    scenario(
        "book any after midnight, move from one calendar to the other and away",
        [book("x", "1T23:00", "2T01:00", "c", name="X")],
        A=[patch("X", resourceIds=["d"]), patch("X", "2T10:00", "2T11:00")],
        B=later(book("n", "2T00:15", "2T00:45", anyOf=["c", "d"])),
    ),
    scenario(
        "book any, open one of the calendars and close the other",
        [put("c", workingHours={})],
        A=[put("c"), put("d", workingHours={})],
        B=later(book("n", "2T00:15", "2T00:45", anyOf=["c", "d"])),
    ),
    scenario(
        "move to a calendar, cancel and close it",
        [book("x", "2T10:00", "2T10:30", "c", name="X")],
        A=[delete("X"), put("d", workingHours={})],
        B=later(patch("X", resourceIds=["d"])),
    ),
    scenario(
        "book by key, book by that key and close the calendar",
        [book("t", "1T22:00", "2T02:00", "c", name="T"), delete("T"), ("B", try_out("c", "d"))],
        A=[book("k", "1T23:15", "1T23:45", "c", key="one"), put("c", workingHours={})],
        B=later(book("k", "1T23:15", "1T23:45", "c", key="one")),
    ),
    scenario(
        "book by key, book by that key elsewhere and let another in",
        [book("t", "1T22:00", "2T02:00", "c", name="T"), delete("T"), ("B", try_out("c", "d"))],
        A=[book("k", "2T10:15", "2T10:45", key="one"), book("z", "1T23:15", "1T23:45", "c")],
        B=later(book("k", "1T23:15", "1T23:45", "c", key="one")),
    ),
    scenario(
        "try out with a key, book by that key elsewhere and make room",
        [book("k", "1T23:15", "1T23:45", name="Y")],
        A=[book("k", "2T10:15", "2T10:45", key="one"), delete("Y")],
        B=replace(later(book("k", "1T23:15", "1T23:45", key="one")), query={"dryRun": "true"}),
    ),
    scenario(
        "book, take the buffer away and book beside it",
        [*cleared(put("c", bufferMinutes={"after": 30})), ("B", try_out("c", "d"))],
        A=[put("c"), book("s", "2T00:30", "2T01:00", "c")],
        B=later(book("n", "2T00:00", "2T00:30", "c")),
    ),
    scenario(
        "book, make room and lower the capacity",
        [
            *cleared(put("c", capacity=2)),
            book("x", "2T00:00", "2T00:30", "c", name="X"),
            ("B", try_out("c", "d")),
        ],
        A=[delete("X"), put("c")],
        B=later(book("n", "2T00:00", "2T00:30", "c")),
    ),
    scenario(
        "try out, block and raise the capacity",
        [*cleared(), book("x", "2T00:00", "2T00:30", "c", name="X"), ("B", try_out("c", "d"))],
        A=[
            Request("http", NOW, "POST", "/calendars/c/blocks", {"startTime": at("2T00:00"), "endTime": at("2T00:30")}),
            put("c", capacity=2),
        ],
        B=replace(later(book("n", "2T00:00", "2T00:30", "c")), query={"dryRun": "true"}),
    ),
]


def crowding(*calendars: str) -> list[Request]:
    """One appointment in each day's own item, and every quarter hour from 18:00 to 12:00 was booked before."""
    return [
        request
        for calendar in calendars
        for request in (
            book(f"g-{calendar}", "1T15:00", "1T15:15", calendar),
            book(f"g-{calendar}", "2T15:00", "2T15:15", calendar),
            book(f"t-{calendar}", "1T18:00", "2T12:00", calendar, name=f"T-{calendar}"),
            delete(f"T-{calendar}"),
        )
    ]


# What lies in overflow items is read at another moment than the day's own item, and than each other.
CROWDED = [
    scenario(
        "crowded: make room for another in the middle of a reading",
        [
            put("c", capacity=2),
            *crowding("c"),
            book("e", "1T23:00", "1T23:30", "c", name="E"),
        ],
        most_inline=1,
        A=[delete("E"), book("z", "1T22:45", "1T23:30", "c")],
        B=later(book("n", "1T23:15", "1T23:30", "c")),
    ),
    scenario(
        "crowded: book any, move from one calendar to the other, back and over again",
        [*crowding("c", "d"), book("x", "1T23:00", "1T23:30", "c", name="X")],
        most_inline=1,
        A=[patch("X", resourceIds=["d"]), patch("X", resourceIds=["c"]), patch("X", resourceIds=["d"])],
        B=later(book("n", "1T23:00", "1T23:30", anyOf=["c", "d"])),
    ),
    scenario(
        "crowded: move within the day while another gives it a calendar",
        [
            *crowding("c"),
            book("w", "1T18:00", "1T18:30", "c", name="W"),
            book("x", "1T23:00", "1T23:30", name="X"),
        ],
        most_inline=1,
        A=patch("X", "1T18:15", "1T18:45"),
        B=patch("X", resourceIds=["c"]),
    ),
    scenario(
        "crowded: two trade places, over midnight and from the day's own item",
        [
            *crowding("c"),
            book("x", "1T23:00", "2T01:00", "c", name="X"),
            book("w", "2T18:00", "2T18:30", "c", name="W"),
        ],
        most_inline=1,
        A=[patch("X", "2T18:30", "2T19:00"), patch("X", "2T18:00", "2T18:30")],
        B=patch("W", "1T23:30", "2T00:30"),
    ),
    scenario(
        "crowded: change the length, cancel and book what it had",
        [*crowding("c"), book("x", "1T23:00", "2T01:00", "c", name="X")],
        most_inline=1,
        A=patch("X", "1T22:30", "1T23:15"),
        B=[book("n", "1T23:15", "1T23:45", "c"), delete("X")],
    ),
]

# A sender died before it had published, and its lease has run out.
DEAD_SENDER = [
    book("x", "2T10:00", "2T10:30", "c", name="X", reminders=["1h", "30m"]),
    replace(fire("X", "1h", "2T09:00"), dies=True),
]
LATE = "2T09:10"
REMINDERS = [
    scenario("of a dead sender: sweep | sweep", DEAD_SENDER, A=sweep(LATE), B=sweep(LATE)),
    scenario("of a dead sender: sweep | send", DEAD_SENDER, A=sweep(LATE), B=fire("X", "1h", "2T09:00", LATE)),
    scenario("of a dead sender: sweep | cancel", DEAD_SENDER, A=sweep(LATE), B=delete("X")),
    scenario("of a dead sender: sweep | change reminders", DEAD_SENDER, A=sweep(LATE), B=patch("X", reminders=["30m"])),
    scenario("of a dead sender: send two | change", DEAD_SENDER, A=sweep("2T09:33"), B=patch("X", reminders=["1h"])),
    *(
        scenario(f"of a dead sender, cancelled: sweep | {name}", [*DEAD_SENDER, delete("X")], A=sweep(LATE), B=other)
        for name, other in (("sweep", sweep(LATE)), ("send", fire("X", "1h", "2T09:00", LATE)))
    ),
    *(
        scenario(
            f"of a dead sender, not asked for: sweep | {name}",
            [*DEAD_SENDER, patch("X", reminders=["30m"])],
            A=sweep(LATE),
            B=other,
        )
        for name, other in (
            ("sweep", sweep(LATE)),
            ("send", fire("X", "1h", "2T09:00", LATE)),
            ("ask for it", patch("X", reminders=["1h"])),
            ("change details", patch("X", details={"note": "n"})),
            ("cancel", delete("X")),
        )
    ),
]

# Who is reached by SMS too. Whatever happens, a sweep comes when every lease has run out.
REACHED: Request = book(
    "x", "2T10:00", "2T10:30", "c", name="X", reminders=["1h"], contact={"phone": PHONE, "channels": ["sms"]}
)
IN_TIME, LATER = fire("X", "1h", "2T09:00"), fire("X", "1h", "2T09:00", "2T09:03")
ON_TWO_CHANNELS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "send | send | sweep": ([], {"A": LATER, "B": LATER, "C": sweep("2T09:03")}),
    "send | send": ([], {"A": IN_TIME, "B": IN_TIME}),
    "send | cancel": ([], {"A": IN_TIME, "B": delete("X")}),
    "send | move": ([], {"A": IN_TIME, "B": patch("X", "2T11:00", "2T11:30")}),
    "of a dead sender: sweep | cancel": ([replace(IN_TIME, dies=True)], {"A": sweep(LATE), "B": delete("X")}),
    "of a dead sender: sweep | sweep": ([replace(IN_TIME, dies=True)], {"A": sweep(LATE), "B": sweep(LATE)}),
}
TWO_CHANNELS = [
    replace(scenario(f"two channels: {name}", [REACHED, *more], **actors), then=sweep("2T09:30"))
    for name, (more, actors) in ON_TWO_CHANNELS.items()
]

# Whoever moves it away and back while it is sent has a clock that shows a time before it is due: the request began
# before, or the clock is slow. The last sender comes when no claim can be held any more.
IN_TURN = {"C": "B"}
MOVED_AWAY = [
    scenario(
        f"moved away and back: {name}",
        [book("x", "2T10:00", "2T10:30", "c", name="X", reminders=["1h"])],
        after,
        A=moves,
        B=first,
        C=second,
    )
    for name, moves, first, second, after in (
        ("sweep | sweep", there_and_back(), sweep("2T09:03"), sweep("2T09:03"), {}),
        (
            "send | send later",
            there_and_back(),
            fire("X", "1h", "2T09:00"),
            fire("X", "1h", "2T09:00", LATE),
            IN_TURN,
        ),
        ("send | sweep later", there_and_back(), fire("X", "1h", "2T09:00"), sweep(LATE), IN_TURN),
        (
            "over another time, send | send later",
            there_and_back("1T20:00"),
            fire("X", "1h", "2T09:00"),
            fire("X", "1h", "2T09:00", LATE),
            IN_TURN,
        ),
    )
]

# --- holds and requests ------------------------------------------------------------------------------

# Whoever books beside the hold has to read the day.
HELD = [
    book("t", "2T05:00", "2T05:30", "c", name="T"),
    delete("T"),
    book("h", "1T23:15", "2T00:15", "c", name="H", hold={"minutes": 10}),
]
# By the clock of each: others respect the hold until five seconds after it expires.
ON_A_HOLD: dict[str, Request] = {
    "confirm in time": clock(patch("H", status="scheduled"), -1),
    "confirm after it": clock(patch("H", status="scheduled"), 7),
    "confirm at another time": clock(patch("H", "2T10:00", "2T10:30", status="scheduled"), -2),
    "move it": clock(patch("H", "1T23:00", "1T23:30"), -3),
    "change its details": clock(patch("H", details={"note": "n"}), -4),
    "cancel it": clock(delete("H"), -5),
    "book over it in time": clock(book("b", "1T23:00", "1T23:30", "c"), 3),
    "book over it": clock(book("e", "1T23:00", "2T01:00", "c"), 6),
    "book any": clock(book("n", "2T00:00", "2T00:30", anyOf=["c", "d"]), 8),
    "hold over it": clock(book("g", "2T00:00", "2T00:30", "c", hold={"minutes": 1}), 9),
    "book beside it": clock(book("s", "2T05:00", "2T05:30", "c"), 10),
    "sweep": Request("sweep", NOW + timedelta(minutes=10, seconds=11)),
    "ask for approval": clock(put("c", approval=True), 12),
}
ASKED = [put("c", approval=True), book("r", "1T23:15", "2T00:15", "c", name="R")]
ON_A_REQUEST: dict[str, Request] = {
    "approve": patch("R", status="scheduled"),
    "decline": later(patch("R", status="declined"), 2),
    "withdraw": later(delete("R"), 4),
    "move it": later(patch("R", "1T23:00", "1T23:30"), 6),
    "request its time": later(book("q", "1T23:00", "1T23:30", "c"), 8),
    "request any": later(book("n", "2T00:00", "2T00:30", anyOf=["c", "d"]), 10),
    "need no approval": later(put("c"), 12),
    "need no approval, capacity 2": later(put("c", capacity=2), 14),
}
ARRIVED = [book("x", "2T10:00", "2T10:30", "c", name="X", reminders=["1h"])]
ON_ATTENDANCE: dict[str, Request] = {
    "arrive": replace(patch("X", status="arrived"), now=datetime.fromisoformat(at("2T08:59"))),
    "complete": replace(patch("X", status="completed"), now=datetime.fromisoformat(at("2T10:20"))),
    "confirm": later(patch("X", confirmed=True)),
    "move": later(patch("X", "2T11:00", "2T11:30"), 2),
    "cancel": later(delete("X"), 3),
    "send": fire("X", "1h", "2T09:00", now="2T09:01"),
}


def beside_each_other(ground: str, setup: list[Any], operations: Mapping[str, Request]) -> list[Scenario]:
    names = list(operations)
    return [
        scenario(f"{ground}: {a} | {b}", setup, A=operations[a], B=later(operations[b]))
        for i, a in enumerate(names)
        for b in names[i:]
    ]


EXPIRING = [
    *beside_each_other("a hold", HELD, ON_A_HOLD),
    *beside_each_other("a request", ASKED, ON_A_REQUEST),
    *beside_each_other("attendance", ARRIVED, ON_ATTENDANCE),
    *(
        scenario(
            f"a calendar that begins to ask for approval: {name}",
            [
                book("x", "1T23:15", "2T00:15", "c", name="X", reminders=["1h"]),
                book("h", "2T10:00", "2T10:30", "c", name="H", hold={"minutes": 10}),
            ],
            A=put("d", approval=True),
            B=later(asked),
        )
        for name, asked in (
            ("give it X", patch("X", resourceIds=["c", "d"])),
            ("give it X, at another time", patch("X", "2T12:00", "2T12:30", resourceIds=["d"])),
            ("give it H", patch("H", resourceIds=["c", "d"])),
            ("give it H and confirm", patch("H", resourceIds=["c", "d"], status="scheduled")),
        )
    ),
    # It does not count in the day's own item, which holds one entry.
    *(
        scenario(
            f"a hold that fills its day and runs out: {name} | {other}",
            [
                book("t", "2T08:00", "2T16:00", "c", name="T"),
                delete("T"),
                book("h", "2T09:00", "2T09:30", "c", name="H", hold={"minutes": 10}),
            ],
            most_inline=1,
            A=clock(patch("H", status="scheduled"), seconds),
            B=later(asked),
        )
        for name, seconds in (("confirm in time", -1), ("confirm after it", 7))
        for other, asked in (
            ("book in time", clock(book("b", "2T09:30", "2T10:00", "c"), 3)),
            ("book", clock(book("e", "2T09:30", "2T10:00", "c"), 6)),
            ("book over it", clock(book("f", "2T09:15", "2T09:45", "c"), 6)),
            ("hold", clock(book("g", "2T14:00", "2T14:30", "c", hold={"minutes": 1}), 6)),
        )
    ),
    scenario(
        "three at a hold that expires: confirm | book | hold",
        HELD,
        A=ON_A_HOLD["confirm in time"],
        B=ON_A_HOLD["book over it"],
        C=ON_A_HOLD["hold over it"],
    ),
]

# --- links -------------------------------------------------------------------------------------------

# The page that sends them showed the first version. They are decided as the person's own request, if it is still that.
ON_A_LINK: dict[str, Request] = {
    "confirm by link": link("X", "confirm"),
    "cancel by link": later(link("X", "cancel"), 2),
    "move by link": later(link("X", "move", "2T11:00"), 4),
    "move": later(patch("X", "2T11:15", "2T11:45"), 6),
    "cancel": later(delete("X"), 8),
    "confirm": later(patch("X", confirmed=True), 10),
    "book there": later(book("n", "2T11:00", "2T11:15", "c"), 12),
    "send": fire("X", "1h", "2T09:00", now="2T09:01"),
}
ON_A_LINK_OF_A_HOLD: dict[str, Request] = {
    "book by link": clock(link("H", "confirm"), -1),
    "cancel by link": clock(link("H", "cancel"), -3),
    "confirm in time": ON_A_HOLD["confirm in time"],
    "book over it in time": ON_A_HOLD["book over it in time"],
    "book over it": ON_A_HOLD["book over it"],
    "sweep": ON_A_HOLD["sweep"],
}
LINKS = [
    one
    for one in (
        *beside_each_other("a link", ARRIVED, ON_A_LINK),
        *beside_each_other("a link of a hold", HELD, ON_A_LINK_OF_A_HOLD),
    )
    if "by link" in one.name  # the others are explored above
]

# --- so many a day -----------------------------------------------------------------------------------

# In Kolkata a day lasts from 18:30 UTC until 18:30 on the next. There is room at all times: only the number counts.
KOLKATA: dict[str, Any] = {"timeZone": "Asia/Kolkata", "capacity": 5}
# F lies on the day, L over the midnight before it, and X on the day after.
ON_A_DAY: dict[str, Request] = {
    "book before midnight": book("b", "1T19:00", "1T19:30", "c"),
    "book after midnight": book("e", "2T17:00", "2T17:30", "c"),
    "book on the day before": book("v", "1T18:00", "1T19:00", "c"),
    "book any": book("n", "2T10:00", "2T10:30", anyOf=["c", "d"]),
    "hold": book("g", "2T06:00", "2T06:30", "c", hold={"minutes": 1}),
    "move X to the day": patch("X", "2T08:00", "2T08:30"),
    "move L to the day": patch("L", "1T18:45", "1T19:00"),
    "move F on the day": patch("F", "2T12:00", "2T12:30"),
    "move F to the next day": patch("F", "2T18:45", "2T19:15"),
    "cancel F": delete("F"),
    "allow one more": put("c", **KOLKATA, maxPerDay=3),
    "allow one": put("c", **KOLKATA, maxPerDay=1),
}


def a_day(most: int, *, cancelled: bool = False, warm: bool = False) -> list[Any]:
    """What meets on a calendar that takes so many a day. F may be cancelled, or the processes know the day."""
    lying = [
        book("f", "1T20:00", "1T20:30", "c", name="F"),
        book("l", "1T18:00", "1T19:00", "c", name="L"),
        book("x", "2T20:00", "2T20:30", "c", name="X"),
    ]
    settings = [put("c", **KOLKATA, maxPerDay=most), put("d", **KOLKATA, maxPerDay=1)]
    return [*settings, *lying, *([delete("F")] * cancelled), *([(actor, try_out("c", "d")) for actor in "AB"] * warm)]


# The day takes one, and that is held. By the clock of whoever confirms it, that is in time.
A_HELD_DAY: list[Any] = [
    put("c", **KOLKATA, maxPerDay=1),
    put("d", **KOLKATA, maxPerDay=1),
    book("h", "2T09:00", "2T09:30", "c", name="H", hold={"minutes": 10}),
    book("x", "2T20:00", "2T20:30", "c", name="X"),
]
ON_A_HELD_DAY: dict[str, Request] = {
    "confirm H in time": clock(patch("H", status="scheduled"), -1),
    "confirm H in time on d, too": clock(patch("H", status="scheduled", resourceIds=["c", "d"]), -1),
    "confirm H as it expires": clock(patch("H", status="scheduled"), 2),
    "book at its time": clock(book("b", "2T09:15", "2T09:45", "c"), 6),
    "book on the day": clock(book("e", "2T15:00", "2T15:30", "c"), 6),
    "book in time": clock(book("s", "2T15:00", "2T15:30", "c"), 2),
    "book any": clock(book("n", "2T10:00", "2T10:30", anyOf=["c", "d"]), 6),
    "hold on the day": clock(book("g", "2T15:00", "2T15:30", "c", hold={"minutes": 1}), 6),
    "move X to the day": clock(patch("X", "2T08:00", "2T08:30"), 6),
    "allow one more": clock(put("c", **KOLKATA, maxPerDay=2), 1),
}

DAILY = [
    *beside_each_other("two a day", a_day(2), ON_A_DAY),
    *beside_each_other(
        "one a day, which is free", a_day(1, cancelled=True), {k: v for k, v in ON_A_DAY.items() if "F" not in k}
    ),
    *beside_each_other("one a day, which is full, warm", a_day(1, warm=True), ON_A_DAY),
    *(
        scenario(f"one a day, which is held: {name} | {other}", A_HELD_DAY, A=ON_A_HELD_DAY[name], B=later(asked))
        for name in ("confirm H in time", "confirm H in time on d, too", "confirm H as it expires")
        for other, asked in ON_A_HELD_DAY.items()
        if not other.startswith("confirm")
    ),
]

# --- blocks ------------------------------------------------------------------------------------------


def block(start: str, end: str, *, name: str = "", key: str = "") -> Request:
    body = {"startTime": at(start), "endTime": at(end)}
    headers = {"Idempotency-Key": key} if key else {}
    return Request("http", NOW, "POST", "/calendars/c/blocks", body, headers, name=name)


def unblock(name: str) -> Request:
    return Request("http", NOW, "DELETE", f"/calendars/c/blocks/{{{name}}}")


# F and the hold H lie where it is blocked, X does not, and P is a block already.
BESIDE_A_BLOCK: list[Any] = [
    book("f", "1T23:30", "2T00:30", "c", name="F"),
    book("x", "2T10:00", "2T10:30", "c", name="X"),
    book("h", "2T01:00", "2T01:30", "c", name="H", hold={"minutes": 10}),
    block("2T05:00", "2T06:00", name="P"),
]
ON_A_BLOCK: dict[str, Request] = {
    "block": block("1T23:00", "2T02:00"),
    "block after midnight": block("2T00:15", "2T01:15"),
    "block by key": block("2T00:15", "2T01:15", key="one"),
    "book before midnight": book("b", "1T23:00", "1T23:30", "c"),
    "book after midnight": book("e", "2T01:30", "2T02:30", "c"),
    "book any": book("n", "2T00:30", "2T01:00", anyOf=["c", "d"]),
    "book beside it": book("s", "2T02:00", "2T02:15", "c"),
    "hold": book("g", "2T01:45", "2T02:00", "c", hold={"minutes": 1}),
    "confirm H": patch("H", status="scheduled"),
    "confirm H as it expires": clock(patch("H", status="scheduled"), 1),
    "move X into it": patch("X", "2T00:30", "2T01:00"),
    "move F in it": patch("F", "1T23:00", "1T23:30"),
    "move F away": patch("F", "2T12:00", "2T12:30"),
    "cancel F": delete("F"),
    "remove P": unblock("P"),
    "book where P is": book("p", "2T05:30", "2T06:30", "c"),
    "set buffer": put("c", bufferMinutes={"after": 30}),
}
BLOCKED = [
    # What has nothing to do with a block meets in the other scenarios.
    *(
        one
        for one in beside_each_other("a block", BESIDE_A_BLOCK, ON_A_BLOCK)
        if {"block", "P", "H"} & set(one.name.removeprefix("a block: ").split())
    ),
    *beside_each_other(
        "a block, warm",
        [*BESIDE_A_BLOCK, *((actor, try_out("c", "d")) for actor in "AB")],
        {name: ON_A_BLOCK[name] for name in ("block", "book before midnight", "book after midnight", "confirm H")},
    ),
    *(
        scenario(
            f"a block on a hold that runs out{', crowded' * bool(crowd)}: {name} | {other}",
            [*crowd, book("h", "2T01:00", "2T01:30", "c", name="H", hold={"minutes": 10})],
            most_inline=1 if crowd else MOST_INLINE,
            A=clock(confirmation, seconds),
            B=clock(block("1T23:00", "2T02:00"), later_by),
        )
        for crowd in ([], crowding("c"))
        for name, confirmation, seconds in (
            ("confirm H in time", patch("H", status="scheduled"), -1),
            ("confirm H in time on d, too", patch("H", status="scheduled", resourceIds=["c", "d"]), -1),
            ("confirm H as it expires", patch("H", status="scheduled"), 2),
            ("confirm H after it", patch("H", status="scheduled"), 7),
        )
        for other, later_by in (("block in time", 3), ("block at its last moment", 4), ("block", 5), ("block later", 6))
    ),
    # X leaves the first day after it was read, and another comes onto the second before that is.
    scenario(
        "a block over two days: block | cancel F, book after midnight",
        [book("f", "1T23:00", "1T23:30", "c", name="F"), book("x", "2T10:00", "2T10:30", "c", name="X")],
        A=ON_A_BLOCK["block"],
        B=[later(delete("F")), later(book("e", "2T00:30", "2T01:00", "c"))],
    ),
    scenario(
        "a block over two days: block | cancel F, cancel P, book where P was",
        [*BESIDE_A_BLOCK, ("B", try_out("c", "d"))],
        A=block("1T23:00", "2T07:00"),
        B=[later(delete("F")), later(unblock("P")), later(ON_A_BLOCK["book where P is"])],
    ),
]

# --- services ----------------------------------------------------------------------------------------


def service(id_: str, *steps: dict[str, Any], **more: Any) -> Request:
    return Request("http", NOW, "PUT", f"/services/{id_}", {"steps": list(steps), **more})


def serve(user: str, service_id: str, start: str, *, key: str = "", name: str = "", **more: Any) -> Request:
    body = {"userId": user, "serviceId": service_id, "startTime": at(start), "reminders": [], **more}
    return Request("http", NOW, "POST", "/appointments", body, {"Idempotency-Key": key} if key else {}, name=name)


def move(name: str, start: str) -> Request:
    return Request("http", NOW, "PATCH", f"/appointments/{{{name}}}", {"startTime": at(start)})


def pool(*calendars: str) -> dict[str, Any]:
    return {"anyOf": list(calendars), "assign": "inOrder"}


# `one` takes c or d for half an hour, `two` takes c and then d, and `three` has no choice.
ONE = service("one", {"durationMinutes": 30, "pools": [pool("c", "d")]})
TWO = service(
    "two",
    {"durationMinutes": 15, "resourceIds": ["c"], "gapMinutes": {"max": 30}},
    {"durationMinutes": 15, "resourceIds": ["d"]},
)
THREE = service("three", {"durationMinutes": 30, "resourceIds": ["c"]}, bufferMinutes={"before": 10, "after": 20})
SERVED: list[Any] = [
    ONE,
    TWO,
    THREE,
    serve("x", "one", "2T10:00", name="X"),
    book("y", "1T23:30", "2T00:00", "d", name="Y"),
]
ON_SERVICES: dict[str, Request] = {
    "one": serve("a", "one", "1T23:45"),
    "one by key": serve("k", "one", "1T23:45", key="one"),
    "two": serve("b", "two", "1T23:30"),
    "three": serve("g", "three", "2T00:15"),
    "hold three": serve("h", "three", "2T00:00", hold={"minutes": 1}),
    "move X": move("X", "1T23:45"),
    "cancel X": delete("X"),
    "book c": book("e", "1T23:40", "2T00:20", "c"),
    "book d": book("f", "2T00:00", "2T00:30", "d"),
    "book any": book("n", "1T23:55", "2T00:10", anyOf=["c", "d"]),
    "move Y to c": patch("Y", resourceIds=["c"]),
    "change one": service("one", {"durationMinutes": 15, "pools": [pool("d")]}),
    "change three": service("three", {"durationMinutes": 15, "resourceIds": ["d"]}),
    "buffer on c": put("c", bufferMinutes={"after": 15}),
}
# `twice` takes c for each of its steps, whose buffers lie between them, and over midnight.
TWICE = service(
    "twice",
    {"durationMinutes": 30, "resourceIds": ["c"], "gapMinutes": {"max": 60}},
    {"durationMinutes": 30, "resourceIds": ["c"]},
    bufferMinutes={"before": 5, "after": 10},
)
ON_TWICE: dict[str, Request] = {
    "twice": serve("a", "twice", "1T23:15"),
    "hold twice": serve("h", "twice", "1T23:30", hold={"minutes": 1}),
    "move X": move("X", "1T23:20"),
    "book between": book("e", "1T23:45", "1T23:50", "c"),
    "buffer on c": put("c", bufferMinutes={"after": 15}),
    "one a day": put("c", maxPerDay=1),
    "block": block("1T23:55", "2T00:05"),
}
SERVICES = [
    *(
        one
        for one in beside_each_other("steps", [TWICE, serve("x", "twice", "2T10:00", name="X")], ON_TWICE)
        if "twice" in one.name or "X" in one.name
    ),
    *(
        one
        for one in beside_each_other("services", SERVED, ON_SERVICES)
        if {"one", "two", "three", "X"} & set(one.name.removeprefix("services: ").split())
    ),
    # The processes remember the services, the calendars and the days, and that may hold no more.
    *beside_each_other(
        "services, warm",
        [
            *SERVED,
            *(
                (actor, replace(serve("t", id_, "1T23:00"), query={"dryRun": "true"}))
                for actor in "AB"
                for id_ in ("one", "three")
            ),
        ],
        {name: ON_SERVICES[name] for name in ("one", "three", "move X", "change one", "change three", "book c")},
    ),
    scenario(
        "services: change what is remembered before it is booked",
        [*SERVED, ("B", replace(serve("t", "three", "1T23:00"), query={"dryRun": "true"}))],
        A=ON_SERVICES["change three"],
        B=[delete("X"), later(ON_SERVICES["three"])],
    ),
    scenario(
        "services: one | move Y to c, back and over again",
        SERVED,
        A=later(ON_SERVICES["one"], 2),
        B=[ON_SERVICES["move Y to c"], later(patch("Y", resourceIds=["d"])), later(patch("Y", resourceIds=["c"]), 2)],
    ),
]

# --- so many a day of one person ---------------------------------------------------------------------

# In Kolkata a day lasts from 18:30 UTC until 18:30 on the next, and so over two UTC days. `e` has the zone. X lies on
# the day before, Y on the day itself, where it is served or held.
OFTEN = service("often", {"durationMinutes": 30, "pools": [pool("c", "d", "e")]}, maxPerPersonPerDay=1)
SOMETIMES: list[Any] = [put("e", timeZone="Asia/Kolkata"), OFTEN, serve("a", "often", "1T10:00", name="X")]
OF_ONE_PERSON: dict[str, Request] = {
    "before midnight": serve("a", "often", "1T19:00"),
    "after midnight": serve("a", "often", "2T17:00"),
    "hold": serve("a", "often", "2T06:00", hold={"minutes": 1}),
    "move X": move("X", "2T08:00"),
    "of another": serve("b", "often", "2T08:00"),
    "plain": book("a", "2T05:00", "2T05:30", "d"),
}
ON_Y: dict[str, Request] = {
    **OF_ONE_PERSON,
    "move Y on the day": move("Y", "1T20:00"),
    "move Y to the next day": move("Y", "2T19:00"),
    "cancel Y": delete("Y"),
    "two a day": service("often", {"durationMinutes": 30, "pools": [pool("c", "d", "e")]}, maxPerPersonPerDay=2),
}
# By the clock of each, as on other holds.
ON_A_HELD_Y: dict[str, Request] = {
    "confirm Y in time": clock(patch("Y", status="scheduled"), -1),
    "confirm Y elsewhere": clock(patch("Y", status="scheduled", startTime=at("2T12:00")), -2),
    "confirm Y as it expires": clock(patch("Y", status="scheduled"), 2),
    "move Y": clock(move("Y", "2T13:00"), -3),
    "book after it": clock(OF_ONE_PERSON["after midnight"], 6),
    "book as it expires": clock(OF_ONE_PERSON["before midnight"], 3),
    "sweep": Request("sweep", NOW + timedelta(minutes=10, seconds=11)),
}
Y_IS_SERVED = [*SOMETIMES, serve("a", "often", "2T10:00", name="Y")]
Y_IS_HELD = [*SOMETIMES, serve("a", "often", "2T10:00", name="Y", hold={"minutes": 10})]
NO_CHOICE = service("often", {"durationMinutes": 30, "resourceIds": ["e"]}, maxPerPersonPerDay=1)
PER_PERSON = [
    *beside_each_other("one a day of a person, none yet", SOMETIMES, OF_ONE_PERSON),
    *(
        one
        for one in beside_each_other("one a day of a person, has one", Y_IS_SERVED, ON_Y)
        if "Y" in one.name or "two a day" in one.name
    ),
    *beside_each_other("one a day of a person, holds one", Y_IS_HELD, ON_A_HELD_Y),
    # The processes remember the service and its calendar, and try the transaction before any read.
    *beside_each_other(
        "one a day of a person, warm",
        [
            put("e", timeZone="Asia/Kolkata"),
            NO_CHOICE,
            *((actor, replace(serve("t", "often", "1T10:00"), query={"dryRun": "true"})) for actor in "AB"),
        ],
        {name: OF_ONE_PERSON[name] for name in ("before midnight", "after midnight", "hold")},
    ),
]

# A zone that begins to count decides, though the booking takes another calendar of the pool.
ZONE = [
    scenario(
        f"the zone of a calendar that is not taken: {name} | set it, after midnight",
        [OFTEN, *setup],
        A=asked,
        B=[later(put("e", timeZone="Asia/Kolkata")), later(OF_ONE_PERSON["after midnight"])],
    )
    for name, setup, asked in (
        ("before midnight", [], OF_ONE_PERSON["before midnight"]),
        ("hold", [], serve("a", "often", "1T19:00", hold={"minutes": 1})),
        ("move", [serve("a", "often", "1T08:00", name="Z")], move("Z", "1T19:00")),
    )
]

# --- seats and sessions ------------------------------------------------------------------------------


def join(user: str, *, name: str = "", key: str = "", **more: Any) -> Request:
    body = {"userId": user, "sessionId": "{S}", "reminders": [], **more}
    headers = {"Idempotency-Key": key} if key else {}
    return Request("http", NOW, "POST", "/appointments", body, headers, name=name)


# Over midnight, so that each who joins has two entries on the session's calendar.
SESSION = book("e", "1T23:30", "2T00:30", "c", name="S", session={"seats": 2}, reminders=["1h"])
JOINED = [SESSION, join("j", name="J", reminders=["1h"])]
ON_A_SESSION: dict[str, Request] = {
    "join": join("a"),
    "join by key": join("k", key="one"),
    "join for two": join("b", seats=2),
    "cancel the session": delete("S"),
    "move the session": patch("S", "1T22:00", "1T23:00"),
    "move it for an hour more": patch("S", "1T23:30", "2T01:30"),
    "two seats less": patch("S", session={"seats": 1}),
    "one seat more": patch("S", session={"seats": 3}),
    "to another room": patch("S", resourceIds=["d"]),
    "change its details": patch("S", details={"note": "n"}),
    "book the person's time": book("a", "2T00:15", "2T00:45", "d"),
    "read the session": Request("http", NOW, "GET", "/appointments/{S}"),
    "J leaves": delete("J"),
    "J takes two": patch("J", seats=2),
    "J has a note": patch("J", details={"note": "j"}),
    "sweep": Request("sweep", NOW),
}
WITHOUT_J = {name: one for name, one in ON_A_SESSION.items() if "J" not in name}
SEATS = [
    *beside_each_other("a session", JOINED, ON_A_SESSION),
    *beside_each_other(
        "a session that nobody joined",
        [SESSION],
        {name: one for name, one in WITHOUT_J.items() if name in ("join", "join for two", "move the session")}
        | {"cancel the session": delete("S"), "two seats less": ON_A_SESSION["two seats less"]},
    ),
    scenario(
        "a session that J has left: join | move the session",
        [*JOINED, delete("J")],
        A=join("a"),
        B=later(patch("S", "1T22:00", "1T23:00")),
    ),
    scenario("the last seat: join | join", JOINED, A=join("a"), B=later(join("b"))),
    scenario("the last seat: join | join | leave", JOINED, A=join("a"), B=later(join("b")), C=later(delete("J"), 2)),
    scenario(
        "a session: join | J leaves, one seat less",
        [SESSION, join("j", name="J"), join("i", name="I")],
        A=join("a"),
        B=[later(delete("J")), later(patch("S", session={"seats": 1}))],
    ),
    scenario(
        "a session: join | J leaves, move the session",
        JOINED,
        A=join("a"),
        B=[later(delete("J")), later(patch("S", "1T22:00", "1T23:00"))],
    ),
    scenario("a session: join | cancel, sweep", JOINED, A=join("a"), B=[later(delete("S")), later(sweep("1T10:00"))]),
    scenario(
        "a session: cancel, and then sweep, beside who joins",
        JOINED,
        after={"C": "A"},
        A=delete("S"),
        B=later(join("a")),
        C=later(Request("sweep", NOW), 2),
    ),
    scenario(
        "seats: two for three places",
        [put("c", capacity=3)],
        A=book("a", "1T23:30", "2T00:30", "c", seats=2),
        B=later(book("b", "2T00:15", "2T00:45", "c", seats=2)),
    ),
    scenario(
        "seats: take more of them, and book one",
        [put("c", capacity=3), book("x", "1T23:30", "2T00:30", "c", name="X", seats=2)],
        A=patch("X", seats=3),
        B=later(book("b", "2T00:15", "2T00:45", "c")),
    ),
]
# What is left where the process of a cancel dies is the sweep's to do.
DYING = [
    scenario("a session: cancel, dying, then sweep", JOINED, after={"B": "A"}, A=delete("S"), B=Request("sweep", NOW)),
    scenario(
        "a session of two: cancel, dying, then sweep",
        [*JOINED, join("a")],
        after={"B": "A"},
        A=delete("S"),
        B=Request("sweep", NOW),
    ),
]

# --- every pair --------------------------------------------------------------------------------------

LARGE: dict[str, Any] = {
    "overrides": {f"2031-{month:02}-{day:02}": [] for month in range(1, 13) for day in range(1, 9)}
}


@dataclass(frozen=True, slots=True)
class Ground:
    """What every pair of a kind meets on: the settings of `c` and `d`, and what lies on `c`.

    Around midnight one place is left on `c`. `touched`: quarter hours there were booked before and are free again.
    `memory` is what the processes remember: nothing, what holds, or what held before anything was set or booked.
    With `most_inline` entries in a calendar day's own item, further ones go into overflow items. On a ground that is
    `crowded`, all of the above that lies on `c` lies there.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    touched: bool = False
    memory: str = "cold"
    most_inline: int = MOST_INLINE
    crowded: bool = False

    def setup(self) -> list[tuple[str, Request]]:
        learning = [(actor, try_out("c", "d")) for actor in "AB"]
        made: list[tuple[str, Request]] = learning if self.memory == "stale" else []
        if self.settings:
            made += [("S", put(calendar, **self.settings)) for calendar in "cd"]
        if self.crowded:
            made += [("S", request) for request in crowding("c")]
        if self.touched:
            made += [("S", book("t", "1T22:00", "2T02:00", "c", name="T")), ("S", delete("T"))]
        made += [("S", book(f"f{n}", "1T21:00", "2T03:00", "c")) for n in range(self.settings.get("capacity", 1) - 1)]
        made += [
            ("S", book("x", "2T10:00", "2T10:30", "c", name="X", reminders=["1h"])),
            ("S", book("w", "1T19:00", "1T19:30", "c", name="W")),
            ("S", book("y", "1T23:15", "1T23:45", "d", name="Y")),
        ]
        return made + (learning if self.memory == "warm" else [])


GROUNDS = [
    Ground("untouched"),
    Ground("touched", touched=True),
    Ground("touched, warm", touched=True, memory="warm"),
    Ground("capacity 2", {"capacity": 2}),
    Ground("capacity 2, warm", {"capacity": 2}, memory="warm"),
    Ground("capacity 2, stale", {"capacity": 2}, memory="stale"),
    Ground("buffer", {"bufferMinutes": {"after": 30}}),
    Ground("buffer, touched, warm", {"bufferMinutes": {"after": 30}}, touched=True, memory="warm"),
    Ground("large settings", LARGE),
    Ground("large settings, touched, stale", LARGE, touched=True, memory="stale"),
    Ground("becoming crowded", touched=True, most_inline=1),
    Ground("crowded, warm", memory="warm", most_inline=1, crowded=True),
    Ground("crowded, capacity 2", {"capacity": 2}, most_inline=1, crowded=True),
    Ground("crowded, buffer", {"bufferMinutes": {"after": 30}}, most_inline=1, crowded=True),
]

OPERATIONS: dict[str, tuple[Request, ...]] = {
    "book over midnight": (book("a", "1T23:00", "2T01:00", "c"),),
    "book before midnight": (book("b", "1T23:15", "1T23:45", "c"),),
    "book after midnight": (book("e", "2T00:00", "2T00:30", "c"),),
    "book any": (book("n", "1T23:00", "2T01:00", anyOf=["c", "d"]),),
    "book by key": (book("k", "1T23:15", "1T23:45", "c", key="one"),),
    "move X over midnight": (patch("X", "1T23:00", "2T01:00"),),
    "move W over midnight": (patch("W", "1T23:00", "2T01:00"),),
    "move X before midnight": (patch("X", "1T23:15", "1T23:45"),),
    "move W after midnight": (patch("W", "2T00:15", "2T00:45"),),
    "move X to d": (patch("X", resourceIds=["d"]),),
    "move Y to c": (patch("Y", resourceIds=["c"]),),
    "move X to d before midnight": (patch("X", "1T22:15", "1T22:45", resourceIds=["d"]),),
    "there and back": (patch("X", "1T23:15", "1T23:45"), patch("X", "2T10:00", "2T10:30")),
    "change details": (patch("X", details={"note": "n"}),),
    "change details of a version": (patch("X", details={"note": "v"}, if_match='"1"'),),
    "change reminders": (patch("X", reminders=["1h", "30m"]),),
    "cancel X": (delete("X"),),
    "cancel Y, book it on c": (delete("Y"), book("y", "1T23:15", "1T23:45", "c")),
    "set capacity": (put("c", capacity=3),),
    "set buffer": (put("c", bufferMinutes={"after": 60}),),
    "set hours": (put("c", workingHours={}),),
    "set capacity, book before midnight": (put("c", capacity=1), book("s", "1T23:15", "1T23:45", "c")),
    "set buffer, book after midnight": (
        put("c", bufferMinutes={"after": 60}),
        book("s", "2T01:30", "2T02:00", "c"),
    ),
    "set over a version": (put("c", capacity=2, if_match='"1"'),),
    "set much": (put("c", **LARGE, capacity=2),),
    "send": (fire("X", "1h", "2T09:00", now="2T09:03"),),
    "sweep": (sweep("2T09:03"),),
}


def pairs(ground: Ground) -> list[Scenario]:
    """Each operation beside each, itself included."""
    names = list(OPERATIONS)
    second = {name: [later(asked) for asked in requests] for name, requests in OPERATIONS.items()}
    return [
        scenario(
            f"{ground.name}: {a} | {b}", ground.setup(), most_inline=ground.most_inline, A=OPERATIONS[a], B=second[b]
        )
        for i, a in enumerate(names)
        for b in names[i:]
    ]


def triple(ground: Ground, a: str, b: str, c: str) -> Scenario:
    """Three operations at once. The third process remembers nothing."""
    second, third = ([later(asked, n) for asked in OPERATIONS[name]] for n, name in ((1, b), (2, c)))
    return scenario(
        f"{ground.name}: {a} | {b} | {c}",
        ground.setup(),
        most_inline=ground.most_inline,
        A=OPERATIONS[a],
        B=second,
        C=third,
    )


PAIRS = [one for ground in GROUNDS for one in pairs(ground)]
SCENARIOS = [
    *MIDNIGHT,
    *SEVERAL_MOMENTS,
    *CROWDED,
    *REMINDERS,
    *TWO_CHANNELS,
    *MOVED_AWAY,
    *EXPIRING,
    *LINKS,
    *DAILY,
    *BLOCKED,
    *SERVICES,
    *PER_PERSON,
    *ZONE,
    *SEATS,
    *DYING,
    *PAIRS,
]
