"""What the template tells the reminder sender, read and checked once, when the function starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Settings:
    """Names of what the function uses."""

    appointments_table: str
    calendars_table: str
    notification_topic_arn: str

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Raises KeyError at start, rather than failing on some later reminder."""
        return cls(
            appointments_table=env["APPOINTMENTS_TABLE"],
            calendars_table=env["CALENDARS_TABLE"],
            notification_topic_arn=env["NOTIFICATION_TOPIC_ARN"],
        )
