"""Answers over HTTP, whatever they are about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from appointments.json_text import to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Response = dict[str, Any]

# The resources of API Gateway that ask who is calling: any path.
_ANY_PATH = ("/", "/{proxy+}")
_VARIABLE = re.compile(r"\{(\w+)(\+?)\}")
# What a page from another origin may send, and read of an answer beside its body.
CORS_REQUEST_HEADERS = (
    "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, X-Amz-Date, X-Amz-Security-Token, "
    "X-Amz-Content-Sha256"
)
CORS_ANSWER_HEADERS = "Allow, ETag, Location, Retry-After"


def route_path(event: Mapping[str, Any]) -> str:
    """The path below the root of the API, encoded. API Gateway leaves the base path of a custom domain in `path`."""
    path: str = event["path"]
    resource: str = event.get("resource") or "/"
    if resource not in _ANY_PATH:
        # Nobody signed in to get here: whatever a variable holds, it stays there and leads to no other route. It is one
        # segment, unless it stands for all that follow, and may be encoded or not.
        held = event["pathParameters"]
        return _VARIABLE.sub(lambda name: quote(unquote(held[name[1]]), safe="/" if name[2] else ""), resource)
    proxy: str = (event.get("pathParameters") or {}).get("proxy") or ""
    below_root = "/" + "/".join(path.split("/")[-1 - proxy.count("/") :])
    # `proxy` may be encoded or not.
    return below_root if proxy and unquote(below_root) == f"/{unquote(proxy)}" else path


def base_url(event: Mapping[str, Any]) -> str:
    """What comes before the path in the API's own URLs, such as `https://api.example.org/prod`.

    Empty where the event does not name its host, as on the local engine.
    """
    context = event.get("requestContext") or {}
    if not context.get("domainName"):
        return ""
    # The stage, or the base path of a custom domain, comes first in this path. What follows may be encoded or not.
    prefix = unquote(context.get("path", event["path"])).removesuffix(unquote(route_path(event)))
    return f"https://{context['domainName']}{prefix}"


def json_response(body: Mapping[str, Any], version: int | None = None) -> Response:
    """200 with a body that no cache keeps, and its version, where it has one, as a strong entity tag (RFC 9110)."""
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    if version is not None:
        headers["ETag"] = f'"{version}"'
    return {"statusCode": 200, "headers": headers, "body": to_json(body)}


def preflight_response(methods: Iterable[str]) -> Response:
    """What a browser asks before it sends a page's request to another origin. It keeps the answer for a day."""
    headers = {
        "Access-Control-Allow-Methods": ", ".join(methods),
        "Access-Control-Allow-Headers": CORS_REQUEST_HEADERS,
        "Access-Control-Max-Age": "86400",
    }
    return {"statusCode": 204, "headers": headers, "body": ""}


def shared_with(origin: str, response: Response) -> Response:
    """The response, readable for pages of that origin; of `*`, for pages of any."""
    headers = {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": CORS_ANSWER_HEADERS}
    return response | {"headers": response["headers"] | headers}
