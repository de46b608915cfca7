"""Reads JSON bodies and query parameters, field by field, and collects every fault."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, Self

from appointments.errors import BadRequestError, Fault, InvalidRequestError
from appointments.times import InvalidTimeError, has_offset, load_zone, parse_offset, parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from appointments.times import Offset

    # Query parameters by name, each with every value that was sent for it.
    Query = Mapping[str, Sequence[str]]

# Names in one JSON object. The largest `details` have some 3,000, the largest settings 1,000.
MAX_NAMES = 4096
MAX_CALENDARS = 20
# Of a calendar and of a service.
MAX_TITLE = 200
MAX_REMINDERS = 5
# The years that EventBridge's cron fields know, and so reminders.
FIRST_YEAR, LAST_YEAR = 1970, 2199
CALENDAR_ID_RULE = "must be 1 to 128 characters out of letters, digits and . _ : @ + = ~ | -"

_CALENDAR_ID = re.compile(r"[A-Za-z0-9._:@+=~|-]{1,128}", re.ASCII)
# Compiled at their first use: a start waits for none that few requests need.
_SPACE_FOR_PLUS = r"(?<![0-9]{4}-[0-9]{2}-[0-9]{2}) (?=[0-9]{2}:[0-9]{2}$)"
_TIME_OF_DAY = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_WHOLE = r"0|[1-9][0-9]{0,5}"


def read_object(body: str | None) -> dict[str, Any]:
    """Read a body. Raises BadRequestError if it is not JSON, InvalidRequestError if it is not an object."""
    try:
        value = _decoder.decode(body or "")
        # A lone surrogate such as "\ud800" is legal JSON, but not text: nothing downstream could encode it.
        if body and ("\\u" in body or not body.isascii()):
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as exc:  # UnicodeEncodeError is a ValueError
        raise BadRequestError("The body is not valid JSON.") from exc
    if not isinstance(value, dict):
        raise InvalidRequestError([Fault("", "must be a JSON object")])
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    """A number such as 1e999 is JSON, but infinity could not be answered as JSON."""
    number = float(text)
    if math.isinf(number):
        raise BadRequestError(f"The body has a number that is too large: {text[:32]}")
    return number


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """With two values for one name, either could be the wrong one."""
    if len(pairs) > MAX_NAMES:
        raise InvalidRequestError([Fault("", f"must not have an object with more than {MAX_NAMES} names")])
    value = dict(pairs)
    if len(value) < len(pairs):
        duplicate = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise BadRequestError(f"The body contains the field {printable(duplicate)} twice.")
    return value


# With hooks, `json.loads` would make one anew for each body.
_decoder = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_object_without_duplicates)


def is_calendar_id(text: str) -> bool:
    """Whether a text can be the id of a calendar."""
    return _CALENDAR_ID.fullmatch(text) is not None


def check_calendar_id(text: str) -> None:
    """Raises InvalidRequestError where a text in a path cannot be the id of a calendar."""
    if not is_calendar_id(text):
        raise InvalidRequestError([Fault("calendarId", CALENDAR_ID_RULE)])


def printable(name: str) -> str:
    """A name as the caller sent it, made safe and short enough to be answered."""
    return name.encode("unicode_escape").decode()[:64]


@dataclass(slots=True, eq=False, repr=False)
class Reader:
    """Reads one field at a time; a field that is absent or at fault reads as None or empty."""

    body: Mapping[str, Any]
    fields: tuple[str, ...]
    required: tuple[str, ...] = ()
    faults: list[Fault] = field(default_factory=list)
    kind: str = "field"
    # The zone of what is changed. It applies if the body has none; the time-zone data may have lost it since.
    kept_zone: str | None = None

    def __post_init__(self) -> None:
        unknown = self.body.keys() - self.fields
        if unknown:
            known = (
                f"the {self.kind}s are {', '.join(self.fields)}" if self.fields else f"there are no {self.kind}s here"
            )
            for name in sorted(unknown):
                self.fault(printable(name), f"is unknown; {known}")

    @classmethod
    def of_query(
        cls, query: Query, fields: tuple[str, ...], required: tuple[str, ...] = (), lists: tuple[str, ...] = ()
    ) -> Self:
        """A reader of query parameters. Each may be sent once, or several times if it is one of `lists`."""
        # A "+" that was not encoded arrives as a space; after the clock it can only have been the sign of an offset.
        values = {name: re.sub(_SPACE_FOR_PLUS, "+", sent[-1]) for name, sent in query.items()}
        values |= {name: ",".join(query[name]) for name in lists if name in query}
        reader = cls(values, fields, required, kind="query parameter")
        for name, sent in query.items():
            if len(sent) > 1 and name not in lists:
                reader.fault(printable(name), "is sent more than once")
        return reader

    def fault(self, name: str, message: str) -> None:
        """Add a fault of one field."""
        self.faults.append(Fault(name, message))

    def text(self, name: str) -> str | None:
        """A string."""
        if name not in self.body:
            if name in self.required:
                self.fault(name, "is required")
            return None
        value = self.body[name]
        if isinstance(value, str):
            return value
        self.fault(name, "must be a string")
        return None

    def short_text(self, name: str, most: int) -> str:
        """A string of so many characters; empty where it is absent."""
        text = self.text(name) or ""
        if len(text) > most:
            self.fault(name, f"must have at most {most} characters")
        return text

    def calendar_id(self, name: str) -> str | None:
        """The id of one calendar."""
        value = self.text(name)
        if value is not None and not is_calendar_id(value):
            self.fault(name, CALENDAR_ID_RULE)
            return None
        return value

    def calendar_ids(self, name: str) -> tuple[str, ...]:
        """The ids of several calendars, each once: a list in a body, separated by commas in a query."""
        if name not in self.body and name not in self.required:
            return ()
        values: object = self.body.get(name, [])
        if self.kind == "query parameter":
            values = values.split(",") if isinstance(values, str) and values else []
            if not values:
                self.fault(name, "is required; separate several by commas")
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            self.fault(name, "must be a list of strings")
            return ()
        if len(values) > MAX_CALENDARS:
            self.fault(name, f"must have at most {MAX_CALENDARS} elements")
            return ()
        for index, value in enumerate(values):
            if not is_calendar_id(value):
                self.fault(f"{name}[{index}]", CALENDAR_ID_RULE)
        return tuple(dict.fromkeys(values))

    def choice(self, name: str, allowed: Sequence[str]) -> str | None:
        """One of several strings."""
        text = self.text(name)
        if text is None or text in allowed:
            return text
        self.fault(name, f"must be {' or '.join(allowed)}")
        return None

    def whole(self, name: str, least: int, most: int) -> int | None:
        """A whole number."""
        if name not in self.body:
            if name in self.required:
                self.fault(name, "is required")
            return None
        value = self.body[name]
        if self.kind == "query parameter" and re.fullmatch(_WHOLE, value):
            value = int(value)
        return self.whole_value(name, value, least, most)

    def whole_value(self, name: str, value: object, least: int, most: int) -> int | None:
        """A whole number that lies deeper in the body; `name` says where."""
        if isinstance(value, float) and value.is_integer():  # 1.0 is an integer of JSON Schema
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self.fault(name, f"must be a whole number from {least} to {most}")
        return None

    def flag(self, name: str) -> bool:
        """True or false, which is the default."""
        value = self.body.get(name, False)
        if not isinstance(value, bool):
            self.fault(name, "must be true or false")
        return value is True

    def minutes(self, name: str, least: int, most: int) -> timedelta | None:
        """A whole number of minutes."""
        value = self.whole(name, least, most)
        return None if value is None else timedelta(minutes=value)

    def zone(self) -> ZoneInfo | None:
        """The time zone, or the one that is kept."""
        name = self.text("timeZone") if "timeZone" in self.body else self.kept_zone
        if name is None:
            return None
        try:
            return load_zone(name)
        except InvalidTimeError as exc:
            if "timeZone" in self.body:
                self.fault("timeZone", str(exc))
            return None

    def time(self, name: str, zone: ZoneInfo | None, *, exact: bool = True) -> datetime | None:
        """A point in time, in UTC. Local times are read in `zone`, as `parse_time` says."""
        text = self.text(name)
        if text is None:
            return None
        # If the zone itself is at fault, a local time can still be checked for its form, but not placed.
        unplaced = zone is None and ("timeZone" in self.body or bool(self.kept_zone)) and not has_offset(text)
        try:
            moment = parse_time(text, load_zone("UTC") if unplaced else zone, exact=exact)
        except InvalidTimeError as exc:
            self.fault(name, str(exc))
            return None
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            self.fault(name, f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}")
            return None
        if unplaced and "timeZone" not in self.body:
            self.fault(
                name,
                f"is a local time of {self.kept_zone}, the appointment's own zone, which is not known any more: "
                f"add an offset (Z or e.g. -05:00), or send `timeZone`",
            )
        return None if unplaced else moment

    def reminder_offsets(self) -> tuple[str, ...] | None:
        """The reminders asked for, each span once; None if the default applies."""
        if "reminders" not in self.body:
            return None
        value = self.body["reminders"]
        if not isinstance(value, list) or not all(isinstance(offset, str) for offset in value):
            self.fault("reminders", "must be a list of strings")
            return ()
        if len(value) > MAX_REMINDERS:
            self.fault("reminders", f"must have at most {MAX_REMINDERS} elements")
            return ()
        seen: dict[Offset, str] = {}
        for index, offset in enumerate(value):
            try:
                span = parse_offset(offset)
            except InvalidTimeError as exc:
                self.fault(f"reminders[{index}]", str(exc))
                continue
            if span in seen:
                self.fault(f"reminders[{index}]", f"is the same span as {seen[span]}; send each once")
            seen[span] = offset
        return tuple(value)

    def quiet_hours(self) -> tuple[int, int] | None:
        """The minutes of the day at which quiet hours begin and end."""
        match self.body.get("quietHours"):
            case None if "quietHours" not in self.body:
                return None
            case {"start": str(start), "end": str(end), **others} if not others and start != end:
                if re.fullmatch(_TIME_OF_DAY, start) and re.fullmatch(_TIME_OF_DAY, end):
                    return int(start[:2]) * 60 + int(start[3:]), int(end[:2]) * 60 + int(end[3:])
        self.fault("quietHours", 'must be like {"start": "21:00", "end": "08:00"}, and the two must differ')
        return None

    def raise_faults(self) -> None:
        """Raise InvalidRequestError if there is any fault."""
        if self.faults:
            raise InvalidRequestError(self.faults)
