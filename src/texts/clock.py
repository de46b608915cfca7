"""Dates and times as a language and a region write them. The patterns are those of CLDR, made by `local/dates.py`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

FOLDER = Path(__file__).parent / "dates"
# A quoted text, a field such as `EEEE`, or one other character.
_PARTS = re.compile(r"'(?P<quoted>[^']*)'|(?P<field>([a-zA-Z])\3*)|(?P<other>.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Clock:
    """How one locale writes times. What it is given is the wall time, in the zone that is meant."""

    written: Mapping[str, Any]

    def date(self, local: datetime) -> str:
        """`Thursday, November 26, 2026`."""
        return self._filled("date", local)

    def day(self, local: datetime) -> str:
        """`Thu, Nov 26`."""
        return self._filled("day", local)

    def weekday(self, local: datetime) -> str:
        """`Thu`."""
        return self._fill("E", local)

    def month(self, local: datetime) -> str:
        """`November`, as in a date."""
        return self._fill("MMMM", local)

    def short(self, local: datetime) -> str:
        """`11/26`."""
        return self._filled("short", local)

    def time(self, local: datetime) -> str:
        """`10:00 AM`, in the hours of the locale."""
        return self._filled("time", local)

    def times(self, start: datetime, end: datetime) -> str:
        """From when to when on one day: `10:00 - 10:30 AM`, with the locale's dash."""
        ranges = self.written["range"]
        differing = "m"
        if start.hour != end.hour:
            differing = "H" if "H" in ranges else "h"
        if "a" in ranges and (start.hour < 12) != (end.hour < 12):
            differing = "a"
        first, second = ranges[differing]
        return self._fill(first, start) + self._fill(second, end)

    def span(self, start: str, end: str) -> str:
        """From one date with a time to another one."""
        return str(self.written["from_to"]).replace("{0}", start).replace("{1}", end)

    def both(self, date: str, time: str) -> str:
        """A date, and a time on it."""
        return str(self.written["both"]).replace("{1}", date).replace("{0}", time)

    def offset(self, local: datetime) -> str:
        """`GMT+1`, `GMT+5:30`, `GMT`."""
        sign, hours, minutes = f"{local:%z}"[0], int(f"{local:%z}"[1:3]), f"{local:%z}"[3:5]
        ahead = f"{sign}{hours}" + (f":{minutes}" if minutes != "00" else "") if hours or minutes != "00" else ""
        return str(self.written["offset"]).replace("%s", ahead).strip()

    def zone(self, zone: ZoneInfo) -> str | None:
        """`Central European Time`, or a city; None where CLDR has no name."""
        name = self.written["zones"].get(_zones().get(zone.key)) or self.written["cities"].get(zone.key)
        return str(name) if name else None

    def place(self, local: datetime, other: ZoneInfo | None = None) -> str:
        """The zone of an aware time, as people read it; with its offset where the name alone tells too little."""
        zone = local.tzinfo
        name = self.zone(zone) if isinstance(zone, ZoneInfo) else None
        if name is None:
            return self.offset(local)
        same = other is not None and name == self.zone(other)
        return f"{name}, {self.offset(local)}" if same or is_vague(local) else name

    def _filled(self, pattern: str, local: datetime) -> str:
        return self._fill(self.written[pattern], local)

    def _fill(self, pattern: str, local: datetime) -> str:
        return "".join(self._part(match, local) for match in _PARTS.finditer(pattern))

    def _part(self, match: re.Match[str], local: datetime) -> str:
        field = match["field"]
        if not field:
            return match["quoted"] or match["other"] or "'"
        if field in self.written["names"]:
            index = {"M": local.month - 1, "L": local.month - 1, "a": local.hour // 12}.get(field[0], local.weekday())
            return str(self.written["names"][field][index])
        numbers = {
            "y": local.year,
            "M": local.month,
            "d": local.day,
            "H": local.hour,
            "h": (local.hour - 1) % 12 + 1,
            "m": local.minute,
        }
        return f"{numbers[field[0]]:0{len(field)}}"


def parts_of(locale: str) -> tuple[str, str | None]:
    """The language of a locale, and its region: `de`, `CH` of `de-CH`, and of `de_Latn_CH`."""
    language, *others = re.split("[-_]", locale)
    regions = [part.upper() for part in others if re.fullmatch("[A-Za-z]{2}|[0-9]{3}", part)]
    return language.lower(), next(iter(regions), None)


def is_vague(local: datetime) -> bool:
    """Whether a time needs its zone: a clock that is put back shows it twice, or nobody said where it is: in UTC."""
    is_twice = local.utcoffset() != local.replace(fold=1 - local.fold).utcoffset()
    return is_twice or str(local.tzinfo) == "UTC"


# Few are kept: which regions are asked for, strangers say.
@lru_cache(maxsize=64)
def clock(language: str, region: str | None = None) -> Clock | None:
    """How a language writes times, in a region where that differs. None where nobody has made its file."""
    path = FOLDER / f"{language}.json"
    if not language.isalpha() or not path.exists():
        return None
    written = json.loads(path.read_text("utf-8"))
    regions = written.pop("regions")
    special = regions.get(region, {})
    if isinstance(special, str):
        special = regions[special]
    both = {key: written[key] | special.get(key, {}) for key in ("zones", "cities")}
    return Clock(written | special | both)


@cache
def _zones() -> dict[str, str]:
    found: dict[str, str] = json.loads((FOLDER.parent / "zones.json").read_text("utf-8"))
    return found
