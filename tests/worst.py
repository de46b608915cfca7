"""The most expensive request of each kind, and a DynamoDB that is as full as they need it.

`tests/functional/test_worst.py` counts the work that they make, `make bench ARGS=worst` takes their time.
"""

from __future__ import annotations

import base64
import itertools
import json
import string
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from appointments.calendar_settings import WEEKDAYS
from appointments.model import QUARTER_HOUR
from appointments.storage.store import Storage
from conflict_detector.access import Access, Auth
from conflict_detector.api import Api
from support import api_event

NOW = datetime(2029, 12, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PAGE_BYTES = 2**20
_numbers = itertools.count()


@cache
def full_day(day: str, entries: int) -> str:
    """One calendar day as JSON, filled from end to end but for a third of each appointment's share."""
    midnight = datetime.fromisoformat(f"{day}T00:00:00+00:00")
    step = DAY / entries
    item: dict[str, Any] = {"day": {"S": day}}
    for n in range(entries):
        start = midnight + n * step
        end = start + step * 2 / 3
        item[f"a#{uuid.uuid5(uuid.NAMESPACE_OID, f'{day} {n}')}"] = {
            "S": f"{start.timestamp():.0f}-{end.timestamp():.0f}"
        }
        for quarter in range((start - midnight) // QUARTER_HOUR, (end - midnight) // QUARTER_HOUR + 1):
            item[f"q{quarter}"] = {"N": "1"}
    return json.dumps(item)


@dataclass
class FullTables:
    """A DynamoDB client: every day of every calendar holds `entries`, every calendar has the same `settings`, and every
    service is `service`.

    It counts the entries that it hands out, and reads them from JSON as a real client does.
    """

    entries: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    service: dict[str, Any] = field(default_factory=dict)
    appointments: list[dict[str, Any]] = field(default_factory=list)
    handed_out: int = 0
    own: dict[str, int] = field(default_factory=dict)

    def _item(self, key: dict[str, Any]) -> dict[str, Any] | None:
        if "appointmentId" in key:
            return None
        if key["calendarId"]["S"] == "services#":
            more = {"version": {"N": "1"}, "revision": {"S": "r"}, "updatedAt": {"S": "2029-12-01T00:00:00Z"}}
            return {**key, "settings": {"S": json.dumps(self.service)}, **more}
        if key["day"]["S"] == "settings":
            if not self.settings:
                return None
            # No two calendars are alike, and none is as it was for another request.
            own = self.own.setdefault(key["calendarId"]["S"], next(_numbers) % 3000 + 500)
            text, now = json.dumps(self.settings | {"horizonDays": own}), "2029-12-01T00:00:00Z"
            return key | {"settings": {"S": text}, "version": {"N": "1"}, "updatedAt": {"S": now}}
        if not self.entries:
            return None
        self.handed_out += self.entries
        day: dict[str, Any] = json.loads(full_day(key["day"]["S"], self.entries))
        return day | key

    def get_item(self, *, Key: dict[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803 - botocore's name
        item = self._item(Key)
        return {"Item": item} if item else {}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 - botocore's name
        answers = {
            table: [item for key in asked["Keys"] if (item := self._item(key))] for table, asked in RequestItems.items()
        }
        return {"Responses": answers, "UnprocessedKeys": {}}

    def query(self, **_: Any) -> dict[str, Any]:
        return {"Items": self.appointments}

    def get_paginator(self, _: str) -> FullTables:
        return self

    def paginate(self, **query: Any) -> Iterator[dict[str, Any]]:
        values = query["ExpressionAttributeValues"]
        day, last = (datetime.fromisoformat(values[name]["S"]) for name in (":first", ":last"))
        page: list[dict[str, Any]] = []
        size = 0
        while day <= last:
            item = self._item({"calendarId": values[":calendar"], "day": {"S": day.date().isoformat()}})
            if item:
                page.append(item)
                size += 60 * self.entries
            if size > PAGE_BYTES:
                yield {"Items": page}
                page, size = [], 0
            day += DAY
        yield {"Items": page}

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]], **_: Any) -> None:  # noqa: N803
        """Cancelled, since every day is full."""
        reasons = []
        for entry in TransactItems:
            action = entry.get("Update") or entry.get("ConditionCheck")
            item = self._item(action["Key"]) if action else None
            reasons.append({"Code": "ConditionalCheckFailed", "Item": item} if item else {"Code": "None"})
        error: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
        raise ClientError(error, "TransactWriteItems")


class Worst(NamedTuple):
    """A request, the tables that it meets, and the status that it has to get."""

    method: str
    path: str
    body: object = None
    query: dict[str, list[str]] | None = None
    entries: int = 0
    settings: dict[str, Any] | None = None
    status: int = 422
    service: dict[str, Any] | None = None

    def event(self) -> dict[str, Any]:
        return api_event(self.method, self.path, self.body, multiValueQueryStringParameters=self.query)

    def tables(self) -> FullTables:
        """With every day that the request may touch made beforehand."""
        if self.entries:
            for n in range(-10, 110):
                full_day((datetime(2030, 1, 1, tzinfo=UTC) + n * DAY).date().isoformat(), self.entries)
        appointments = LARGE if self.method == "GET" else []
        return FullTables(self.entries, self.settings or {}, self.service or {}, appointments=appointments)


def _names(beginning: str, count: int) -> list[str]:
    return [f"{beginning}-{n}" for n in range(count)]


def _object(*names: str) -> str:
    return "{" + ",".join(f'"{name}":0' for name in names) + "}"


def _booking(days: int = 0, **more: Any) -> dict[str, Any]:
    end = datetime(2030, 1, 15, 10, tzinfo=UTC) + days * DAY
    return {"userId": "u", "startTime": "2030-01-15T09:00:00Z", "endTime": f"{end:%Y-%m-%dT%H:%M:%SZ}"} | more


def _free(days: int = 62, **more: str) -> dict[str, list[str]]:
    end = datetime(2030, 1, 1, tzinfo=UTC) + days * DAY
    query = {"from": "2030-01-01T00:00:00Z", "to": f"{end:%Y-%m-%dT%H:%M:%SZ}", "durationMinutes": "5"} | more
    return {"calendarIds": _names("c", 20)} | {name: [value] for name, value in query.items()}


def _week() -> dict[str, list[str]]:
    """Eight days of which both ends lie within a UTC day, so that nine are read."""
    return {"calendarIds": _names("c", 20), "from": ["2030-01-01T12:00:00Z"], "to": ["2030-01-09T12:00:00Z"]}


def _large() -> dict[str, Any]:
    """An appointment with details as large as they may be."""
    times = {name: {"S": "2030-01-15T09:00:00Z"} for name in ("startTime", "endTime", "createdAt", "updatedAt")}
    return times | {
        "appointmentId": {"S": "00000000-0000-4000-8000-000000000000"},
        "userId": {"S": "u"},
        "resourceIds": {"L": [{"S": name} for name in _names("r", 20)]},
        "details": {"S": json.dumps({"n": [1] * 8180}, separators=(",", ":"))},
        "offsets": {"L": []},
        "reminders": {"M": {}},
        "status": {"S": "scheduled"},
        "version": {"N": "1"},
    }


LARGE = [_large()] * 101
SHORT = ["".join(letters) for letters in itertools.product(string.ascii_letters, repeat=3)]
# An hour less a minute, 24 times a day.
_OPENINGS = [{"start": f"{hour:02}:00", "end": f"{hour:02}:59"} for hour in range(24)]
OPENINGS = {"timeZone": "America/New_York", "workingHours": dict.fromkeys(WEEKDAYS, _OPENINGS)}
_EVERYBODY: dict[str, Any] = {"anyOf": _names("a", 20), "resourceIds": _names("r", 20)}
_STEPS: dict[str, Any] = {"stepMinutes": "9", "timeZone": "America/New_York"}


def _pools(steps: int, **more: Any) -> dict[str, Any]:
    """A service each step of which takes five out of 50 calendars, and no two choices are of the same ones."""
    names = _names("c", 50)
    pools = [{"anyOf": [names[(n * stride + n // 10) % 50] for n in range(20)]} for stride in (1, 3, 7, 9, 11)]
    return {"steps": [{"durationMinutes": 5, "pools": pools}] * steps, "stepMinutes": 9} | more


def _times(days: int) -> dict[str, list[str]]:
    end = datetime(2030, 1, 1, tzinfo=UTC) + days * DAY
    return {"serviceId": ["s"], "from": ["2030-01-01T00:00:00Z"], "to": [f"{end:%Y-%m-%dT%H:%M:%SZ}"]}


_SERVED: dict[str, Any] = {"userId": "u", "serviceId": "s", "startTime": "2030-01-15T09:00:00Z"}

WORST: dict[str, Worst] = {
    "36,000 fields, one of them twice": Worst("POST", "/appointments", _object(*_names("f", 36_000), "f-35999")),
    "4,096 fields, one of them twice": Worst(
        "POST", "/appointments", _object(*_names("f", 4095), "f-4094"), status=400
    ),
    "110,000 unknown fields": Worst("POST", "/appointments", _object(*SHORT[:110_000])),
    "4,096 unknown fields": Worst("POST", "/appointments", _object(*(f"{n:0240}" for n in range(4096)))),
    "1 MB of small objects": Worst("POST", "/appointments", "[" + ",".join(['{"a":{}}'] * 110_000) + "]"),
    "1 MB of settings": Worst("PUT", "/calendars/c", {"overrides": {"x" * 500_000: [], "y" * 500_000: []}}),
    "settings with nothing but faults": Worst(
        "PUT", "/calendars/c", {"overrides": {f"{n:04}": [0] * 24 for n in range(1000)}}
    ),
    "a cursor of nested brackets": Worst(
        "GET", "/appointments", query={"userId": ["u"], "cursor": [base64.urlsafe_b64encode(b"[" * 1100).decode()]}
    ),
    "a page of 100 large appointments": Worst(
        "GET", "/appointments", query={"userId": ["u"], "limit": ["100"]}, status=200
    ),
    "a week of 20 calendars, fuller than may be": Worst("GET", "/appointments", query=_week(), entries=300),
    "a week of 20 calendars, as full as may be": Worst(
        "GET", "/appointments", query=_week(), entries=300 - 25, status=200
    ),
    "41 calendars, none of which opens for long enough": Worst(
        "POST", "/appointments", _booking(**_EVERYBODY), settings=OPENINGS
    ),
    "41 calendars of 600 appointments a day": Worst(
        "POST", "/appointments", _booking(**_EVERYBODY), entries=600, status=409
    ),
    "41 calendars of 600 appointments a day, one second asked for": Worst(
        "POST", "/appointments", _booking(**_EVERYBODY, endTime="2030-01-15T09:00:01Z"), entries=600, status=409
    ),
    "any of 20 calendars for a month": Worst(
        "POST", "/appointments", _booking(30, anyOf=_names("a", 20)), entries=70, status=409
    ),
    "any of 20 fuller calendars for a month": Worst(
        "POST", "/appointments", _booking(30, anyOf=_names("a", 20)), entries=1000
    ),
    "3 calendars for a month": Worst(
        "POST", "/appointments", _booking(30, resourceIds=_names("r", 2)), entries=500, status=409
    ),
    "availability of 20 full calendars": Worst("GET", "/availability", query=_free(**_STEPS), entries=1000),
    "availability of 20 calendars, as full as may be": Worst(
        "GET", "/availability", query=_free(**_STEPS), entries=117, status=200
    ),
    "availability of any of 20 calendars, as full as may be": Worst(
        "GET", "/availability", query=_free(**_STEPS, mode="any"), entries=117, status=200
    ),
    "availability of 20 calendars with 24 openings a day": Worst(
        "GET", "/availability", query=_free(**_STEPS), settings=OPENINGS, status=200
    ),
    "availability of any of 20 calendars with 24 openings a day": Worst(
        "GET", "/availability", query=_free(**_STEPS, mode="any"), settings=OPENINGS, status=200
    ),
    "availability, more than one answer holds": Worst(
        "GET", "/availability", query=_free(13, stepMinutes="2", mode="any") | {"calendarIds": _names("c" * 120, 20)}
    ),
    "pools that share 50 calendars with 24 openings a day": Worst(
        "GET", "/availability", query=_times(62), entries=45, settings=OPENINGS, service=_pools(4)
    ),
    "days of pools that share 50 calendars, as full as may be": Worst(
        "GET", "/availability/days", query=_times(30), entries=45, service=_pools(1), status=200
    ),
    "pools that share 50 calendars with 24 openings a day, booked": Worst(
        "POST",
        "/appointments",
        _SERVED,
        entries=150,
        settings=OPENINGS,
        service=_pools(4, strictSteps=True),
        status=409,
    ),
}


def worst_api(client: Any) -> Api:
    """The API over a client that stands in for DynamoDB; none of these requests makes a timer."""
    timers: Any = None
    return Api(Storage.of(client, "A", "C"), timers, Access(Auth.NONE), clock=lambda: NOW)
