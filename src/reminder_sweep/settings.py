"""What the template tells the reminder sweep, read and checked once, when the function starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from appointments.timers import TimerSettings, timer_settings

if TYPE_CHECKING:
    from collections.abc import Mapping


class Settings(NamedTuple):
    """Names of what the function uses."""

    appointments_table: str
    timers: TimerSettings

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Raises KeyError or ValueError at start, rather than failing in the middle of a sweep."""
        return cls(env["APPOINTMENTS_TABLE"], timer_settings(env))
