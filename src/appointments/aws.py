"""How the functions make their AWS clients."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from botocore.config import Config
from botocore.session import Session

# boto3's own client comes from this session too; the rest of boto3 would be imported at every cold start for nothing.
_session = cache(Session)


def client(service: str, *, connect_timeout: float = 1.0, read_timeout: float = 3.0, attempts: int = 3) -> Any:
    """A client as boto3 makes it, with short timeouts (seconds): a person waits, and a Lambda is billed while it hangs.

    `attempts` counts the first call; botocore repeats throttled and failed calls with jitter.
    """
    config = configuration(connect_timeout=connect_timeout, read_timeout=read_timeout, attempts=attempts)
    made = _session().create_client(service, config=config)
    if service == "dynamodb":
        read_items_as_they_are(made)
    return made


def configuration(*, connect_timeout: float, read_timeout: float, attempts: int) -> Config:
    """What every client is configured with, and what spares it work that it would do anew for every call."""
    return Config(
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        # The service checks every request itself, and the tests' clients check ours: a second time costs 7 % of a call.
        parameter_validation=False,
        # The SDK's own words for what calls, put together here once and not twice for each call, at another 7 %.
        user_agent=_session().user_agent(),
    )


def read_items_as_they_are(dynamodb: Any) -> None:
    """Spare botocore the walk through every attribute of what DynamoDB reads; most of a large answer's time is that.

    Its parser builds from the JSON what the JSON is already, except for binary values, of which the tables have
    none. Were botocore to drop this event, it would parse as ever.
    """
    for operation in ("Query", "BatchGetItem"):
        dynamodb.meta.events.register(f"before-parse.dynamodb.{operation}", _take_as_it_is)


def _take_as_it_is(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    if response_dict["status_code"] == 200:
        customized_response_dict.update(json.loads(response_dict["body"]))
        response_dict["body"] = b"{}"
