"""Amazon's own DynamoDB Local, in memory, on a port of 127.0.0.1; its jar is inside an npm package."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from appointments.aws import configuration, read_items_as_they_are
from bench.places import DYNAMODB_LOCAL
from local import LocalError
from local.engine import HOST, REGION, free_port


@contextmanager
def dynamodb_local() -> Iterator[str]:
    """Start it, and give its URL."""
    if not (DYNAMODB_LOCAL / "DynamoDBLocal.jar").exists():
        raise LocalError("DynamoDB Local is not installed; bench/setup.sh says why")
    port = free_port()
    run = [
        "java",
        "-Djava.library.path=DynamoDBLocal_lib",
        "-jar",
        "DynamoDBLocal.jar",
        "-inMemory",
        "-port",
        str(port),
    ]
    with subprocess.Popen(
        run, cwd=DYNAMODB_LOCAL, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            url = f"http://{HOST}:{port}"
            _wait(url, server)
            yield url
        finally:
            server.terminate()


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    client = dynamodb_client(url)
    deadline = time.monotonic() + 30
    while server.poll() is None and time.monotonic() < deadline:
        try:
            client.list_tables()
            return
        except BotoCoreError:
            time.sleep(0.2)
    raise LocalError("DynamoDB Local did not start; it needs Java 17 or newer")


def dynamodb_client(url: str) -> Any:
    """A client such as `appointments.aws.client` makes, for an emulator and for many threads."""
    client = boto3.session.Session().client(
        "dynamodb",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - what every emulator takes
        config=configuration(connect_timeout=5, read_timeout=30, attempts=3).merge(Config(max_pool_connections=64)),
    )
    read_items_as_they_are(client)
    return client
