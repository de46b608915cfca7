"""What one process remembers of calendars between requests. No I/O.

It decides which call comes first, never an answer: what is remembered may be stale in any way, so whatever is
written on it is written on condition that it still holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from appointments.calendars import CalendarSettings
    from appointments.model import CalendarDay, DayKey
    from appointments.services import Service

# Calendars and days to remember: 14 KB of settings and 8 KB of a day at most. When that is reached everything is
# forgotten: it happens seldom, costs a call per calendar, and is the whole of the book-keeping.
MAX_REMEMBERED = 1000


class KnownSettings(NamedTuple):
    """A calendar's settings as they were read or remembered.

    `version` counts them (0: never configured), and a restored table counts anew. `revision` never repeats; None where
    they were written before there were revisions. Large settings are not `small`: they are read each time, and the
    default is remembered in their place.
    """

    settings: CalendarSettings
    version: int
    revision: str | None = None
    small: bool = True

    @property
    def token(self) -> tuple[int, str | None]:
        """Equal for the same settings only."""
        return self.version, self.revision

    @property
    def mark(self) -> str | None:
        """The token as a calendar day keeps it, to tell by which settings it was last booked; None for the default."""
        return f"{self.version} {self.revision or ''}" if self.version else None


class KnownService(NamedTuple):
    """A service as it was read or remembered, with its body as JSON; None where there is no such service.

    `version`, `revision` and `small` are as those of settings.
    """

    service_id: str
    service: Service | None = None
    body: str = ""
    version: int = 0
    revision: str | None = None
    small: bool = True

    @property
    def token(self) -> tuple[int, str | None]:
        """Equal for the same service only."""
        return self.version, self.revision


# The two imports below are made when something is decided: whoever sends reminders has the table without.


@cache
def unconfigured() -> KnownSettings:
    """Those of a calendar that nobody configured."""
    from appointments.calendars import UNCONFIGURED  # noqa: PLC0415

    return KnownSettings(UNCONFIGURED, 0)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Memory:
    """Settings by calendar, and the quarter hours of each day that are known to have been touched."""

    settings: dict[str, KnownSettings] = field(default_factory=dict)
    touched: dict[DayKey, set[int]] = field(default_factory=dict)
    services: dict[str, KnownService] = field(default_factory=dict)

    def recall_settings(self, calendar_id: str) -> KnownSettings:
        """A calendar that nothing is known of is taken for one that nobody configured: most of them are people."""
        return self.settings.get(calendar_id) or unconfigured()

    def learn_settings(self, calendar_id: str, remembered: KnownSettings) -> None:
        """Remember settings as they were just read."""
        if len(self.settings) >= MAX_REMEMBERED:
            self.settings.clear()
        kept = remembered if remembered.small else remembered._replace(settings=unconfigured().settings)
        self.settings[calendar_id] = kept

    def learn_service(self, known: KnownService) -> None:
        """Remember a service as it was just read."""
        if len(self.services) >= MAX_REMEMBERED:
            self.services.clear()
        self.services[known.service_id] = known

    def learn_day(self, day: CalendarDay) -> None:
        """Remember a day as it was just read.

        One that can hold no more counts as touched throughout. Who does not know it yet may still add to quarter
        hours that nobody has touched, 96 appointments at most, for which its item has room.
        """
        from appointments.calendars import is_crowded  # noqa: PLC0415

        if len(self.touched) >= MAX_REMEMBERED:
            self.touched.clear()
        self.touched[day.key] = set(range(96) if is_crowded(day) else day.counters)

    def touch(self, key: DayKey, quarters: Iterable[int]) -> None:
        """Remember that quarter hours were just touched."""
        if len(self.touched) >= MAX_REMEMBERED:
            self.touched.clear()
        self.touched.setdefault(key, set()).update(quarters)

    def is_touched(self, key: DayKey, quarters: Iterable[int]) -> bool:
        """Whether any of the quarter hours is known to have been touched."""
        known = self.touched.get(key)
        return known is not None and not known.isdisjoint(quarters)
