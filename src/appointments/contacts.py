"""Where people are reached. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

# Why nothing is sent to a phone any more.
OPTED_OUT = "opted out"


class ChannelName(StrEnum):
    """The ways to reach a person, as contacts and records name them."""

    EMAIL = "email"
    SMS = "sms"


@dataclass(frozen=True, slots=True)
class Contact:
    """Where a person is reached, and how they want to be. It is normalized: what is the same person's compares equal.

    `email` is an address whose domain is in lower case; `phone` is in E.164, such as `+4915123456789`; `locale` is a
    language, or one with a region, such as `de` or `de-CH`. `time_zone` is where the person is, by IANA's name.
    `channels` are those that the person agreed to, and only those whose address is there.
    """

    name: str | None = None
    email: str | None = None
    phone: str | None = None
    locale: str | None = None
    channels: tuple[ChannelName, ...] = ()
    time_zone: str | None = None

    def address(self, channel: ChannelName) -> str | None:
        """Where the person is reached on a channel; None where they are not, or have not agreed to it."""
        if channel not in self.channels:
            return None
        return self.email if channel is ChannelName.EMAIL else self.phone


def contact_body(contact: Contact) -> dict[str, Any]:
    """A contact as the API shows it, and as it is kept."""
    body = {name: getattr(contact, name) for name in ("name", "email", "phone", "locale")}
    body["timeZone"] = contact.time_zone
    return {name: value for name, value in body.items() if value} | {"channels": list(contact.channels)}


def contact_from_body(body: dict[str, Any]) -> Contact:
    """The inverse of `contact_body`."""
    channels = tuple(ChannelName(name) for name in body["channels"])
    name, email, phone, locale, zone = (body.get(key) for key in ("name", "email", "phone", "locale", "timeZone"))
    return Contact(name, email, phone, locale, channels, zone)
