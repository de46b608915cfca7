"""What the template tells the reminder sweep, read and checked once, when the function starts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from appointments.timers import TimerSettings, timer_settings

if TYPE_CHECKING:
    from collections.abc import Mapping


class Settings(NamedTuple):
    """Names of what the function uses. `retention` is how long data outlives its appointment."""

    appointments_table: str
    calendars_table: str
    retention: timedelta
    timers: TimerSettings

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Raises KeyError or ValueError at start, rather than failing in the middle of a sweep."""
        return cls(
            env["APPOINTMENTS_TABLE"],
            env["CALENDARS_TABLE"],
            timedelta(days=int(env["RETENTION_DAYS"])),
            timer_settings(env),
        )
