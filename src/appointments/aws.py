"""How the functions make their AWS clients."""

from __future__ import annotations

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
    config = Config(
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    return _session().create_client(service, config=config)
