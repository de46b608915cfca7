"""The desk and the booking page: files that the build made (web/), read only when somebody asks for them.

Nobody signs in to get them, and nothing in them is secret: what a page shows, it asks the API for.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from appointments.errors import RouteNotFoundError
from conflict_detector.access import Auth
from conflict_detector.responses import json_response

if TYPE_CHECKING:
    from conflict_detector.request import Call
    from conflict_detector.responses import Response

FILES = Path(__file__).parent / "files"

_HTML = "text/html; charset=utf-8"
_KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
_ASSET = re.compile(r"[\w-]+\.(css|js)", re.ASCII)
# The name of such a file holds a digest of its content.
_FOR_EVER = "public, max-age=31536000, immutable"
# Where the booking page looks for the name of the clinic.
_NAME = '<meta name="application-name" content="{}">'


def get_desk(call: Call) -> Response:
    """`GET /desk`: 200."""
    return _page("desk", f"'self' {call.pages.domain}".rstrip(), "'none'")


def get_book(call: Call) -> Response:
    """`GET /book`: 200."""
    page = _page("book", "'self'", call.pages.framed_by or "'none'")
    named = _NAME.format(html.escape(call.pages.name))
    return page | {"body": page["body"].replace(_NAME.format(""), named, 1)}


def get_asset(call: Call, file: str) -> Response:
    """`GET /assets/{file}`: 200."""
    kind = _ASSET.fullmatch(file)
    if kind is None or not (FILES / file).is_file():
        raise RouteNotFoundError
    return _file(file, _KINDS[kind[1]], {"Cache-Control": _FOR_EVER})


def get_settings(call: Call) -> Response:
    """`GET /desk/settings`: 200, with what the pages have to know of their stack."""
    call.request.refuse_parameters()
    pages = call.pages
    body: dict[str, Any] = {"auth": pages.auth, "defaultLocale": pages.locale, "version": _version()}
    if pages.auth is Auth.COGNITO and pages.domain:
        body["signIn"] = {"domain": pages.domain, "clientId": pages.client_id}
    return json_response(body)


def _version() -> str:
    return (FILES / "version.txt").read_text(encoding="utf-8")


def _page(name: str, connects: str, framed_by: str) -> Response:
    """A page. Nothing comes from elsewhere; it talks to `connects`, and is framed by `framed_by` only."""
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src {connects}; base-uri 'none'; form-action 'none'; frame-ancestors {framed_by}"
    )
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
    return _file(f"{name}.html", _HTML, headers)


def _file(name: str, content_type: str, headers: dict[str, str]) -> Response:
    headers = {"Content-Type": content_type, "X-Content-Type-Options": "nosniff", **headers}
    return {"statusCode": 200, "headers": headers, "body": (FILES / name).read_text(encoding="utf-8")}
