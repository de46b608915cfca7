"""What reaches people, put together from a function's environment."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING

from appointments.aws import client
from appointments.storage.dynamodb import Database
from appointments.wiring import links_of, undeliverable_of
from reaching.email import Mailer
from reaching.messenger import Messenger
from reaching.recipients import Recipients
from reaching.refusals import NOT_SENT, NotSentError
from reaching.sms import Texter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from appointments.contacts import ChannelName
    from appointments.storage.undeliverable import Undeliverable
    from texts.writing import Texts


def _now() -> datetime:
    return datetime.now(UTC)


def messenger_from(env: Mapping[str, str], clock: Callable[[], datetime] = _now) -> Messenger:
    """The channels that are on. Their clients are made when the first message is sent."""
    mailer = texter = None
    if env.get("EMAIL_FROM"):
        ses = cache(partial(client, "sesv2", attempts=1))
        mailer = Mailer(ses, env["EMAIL_FROM"], env["EMAIL_NAME"], env["EMAIL_CONFIGURATION_SET"])
    if env.get("SMS") == "on":
        texter = Texter(cache(partial(client, "sns", attempts=1)), env["SMS_SENDER_ID"])

    @cache
    def texts() -> Texts:
        from texts.writing import Texts  # noqa: PLC0415 - few reminders go to people

        return Texts.from_env(env)

    @cache
    def undeliverable() -> Undeliverable:
        return undeliverable_of(Database(client("dynamodb")), env["CALENDARS_TABLE"], env["CONTACT_KEY_ID"])

    def mark(channel: ChannelName, address: str, reason: str) -> None:
        undeliverable().mark(channel, address, reason, clock())

    return Messenger(mailer, texter, texts, env["EMAIL_NAME"], mark)


def links_from(env: Mapping[str, str]) -> Callable[[str], str] | None:
    """Makes the link of an appointment; None where messages have none."""
    if not env["LINK_BASE"]:
        return None
    keys = links_of(env["LINK_KEY_ID"], env["LINK_BASE"])

    # The channels of one message follow each other: they share its link, and the call that makes it.
    @lru_cache(maxsize=1)
    def link_for(appointment_id: str) -> str:
        try:
            return keys.link_for(appointment_id)
        except NOT_SENT as exc:
            raise NotSentError(f"no link was made: {type(exc).__name__}") from exc

    return link_for


def recipients_from(env: Mapping[str, str], clock: Callable[[], datetime]) -> Recipients:
    """Who is reached, on the channels that are on."""
    database = Database(client("dynamodb"))
    return Recipients(
        database,
        env["CALENDARS_TABLE"],
        undeliverable_of(database, env["CALENDARS_TABLE"], env["CONTACT_KEY_ID"]),
        messenger_from(env).channels,
        clock,
    )
