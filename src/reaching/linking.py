"""Links for messages. A message goes out without one rather than not at all."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from appointments.aws import client
from appointments.link_keys import LinkKeys
from appointments.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def links_from(env: Mapping[str, str]) -> Callable[[str], str | None]:
    """What makes the link of an appointment. Its parts are made, and the address read, for the first one."""

    @cache
    def keys() -> LinkKeys:
        found = client("ssm").get_parameter(Name=env["LINK_BASE_PARAMETER"])
        return LinkKeys(client("kms"), env["LINK_KEY_ID"], found["Parameter"]["Value"])

    @lru_cache(maxsize=64)  # a reminder by email and by SMS has one
    def made(appointment_id: str) -> str:
        return keys().link_for(appointment_id)

    def link_for(appointment_id: str) -> str | None:
        try:
            return made(appointment_id)
        except (ClientError, BotoCoreError):
            logger.exception("Message without a link")
            return None

    return link_for
