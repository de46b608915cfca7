"""How the functions make their AWS clients."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config


def client(service: str, *, connect_timeout: float = 1.0, read_timeout: float = 3.0, attempts: int = 3) -> Any:
    """A boto3 client with short timeouts (seconds): a person waits, and a Lambda is billed while it hangs.

    `attempts` counts the first call; botocore repeats throttled and failed calls with jitter.
    """
    config = Config(
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    return boto3.client(service, config=config)  # type: ignore[call-overload]  # a plain str names the service
