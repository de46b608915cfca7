"""The channels that reminders are sent on: a module each, and a line in CHANNELS."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from reminder_sender.channels.person import People
from reminder_sender.channels.topic import Topic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from appointments.model import Appointment
    from reaching.recipients import Reached, Recipients
    from reminder_sender.channels.channel import Channel, ChannelKind

# In the order in which they are sent on. The message id of the first is the one that the API answers.
CHANNELS: tuple[ChannelKind, ...] = (Topic, People)


def channels_from(env: Mapping[str, str]) -> list[Channel]:
    """The channels that a function's environment configures. Raises KeyError or ValueError for what it lacks."""
    return [channel for kind in CHANNELS for channel in kind.from_env(env)]


def people_from(env: Mapping[str, str], clock: Callable[[], datetime]) -> Callable[[Appointment], Reached]:
    """Who is reached about an appointment. Nothing is made for that before somebody is to be."""

    @cache
    def recipients() -> Recipients:
        from reaching.parts import recipients_from  # noqa: PLC0415 - only where people are reached

        return recipients_from(env, clock)

    return lambda appointment: recipients().of(appointment)
