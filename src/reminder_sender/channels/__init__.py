"""The channels that reminders are sent on: a module each, and a line in CHANNELS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reminder_sender.channels.topic import Topic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reminder_sender.channels.channel import Channel, ChannelKind

# In the order in which they are sent on. The message id of the first is the one that the API answers.
CHANNELS: tuple[ChannelKind, ...] = (Topic,)


def channels_from(env: Mapping[str, str]) -> list[Channel]:
    """The channels that a function's environment configures. Raises KeyError or ValueError for what it lacks."""
    return [channel for kind in CHANNELS if (channel := kind.from_env(env))]
