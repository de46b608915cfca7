"""The contract and its page: files, read only when somebody asks for them.

Swagger UI itself comes from the Powertools package, which is deployed anyway: the page needs no other host.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import aws_lambda_powertools

from appointments.errors import RouteNotFoundError

if TYPE_CHECKING:
    from conflict_detector.request import Call
    from conflict_detector.responses import Response

PAGE = Path(__file__).parent / "page"
SWAGGER_UI = Path(aws_lambda_powertools.__file__).parent / "event_handler" / "openapi" / "swagger_ui"


class _File(NamedTuple):
    path: Path
    content_type: str
    cache: str = "no-cache"


_FILES = {
    "openapi.json": _File(PAGE / "openapi.json", "application/json"),
    "docs": _File(PAGE / "index.html", "text/html; charset=utf-8"),
    "docs/page.css": _File(PAGE / "page.css", "text/css; charset=utf-8"),
    "docs/page.js": _File(PAGE / "page.js", "text/javascript; charset=utf-8"),
    "docs/swagger-ui.css": _File(SWAGGER_UI / "swagger-ui.min.css", "text/css; charset=utf-8", "public, max-age=86400"),
    "docs/swagger-ui.js": _File(
        SWAGGER_UI / "swagger-ui-bundle.min.js", "text/javascript; charset=utf-8", "public, max-age=86400"
    ),
}
# Nothing comes from elsewhere or goes there, and no markup brings styles or scripts; icons are data: URLs.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def get(call: Call) -> Response:
    """`GET /openapi.json` and `GET /docs`: 200."""
    return _send("/".join(call.request.path))


def get_file(call: Call, file: str) -> Response:
    """`GET /docs/{file}`: 200."""
    return _send(f"docs/{file}")


def redirect(call: Call) -> Response:
    """`GET /docs/`: 308. The page names its files relative to its own address, which holds below any host and stage."""
    return {"statusCode": 308, "headers": {"Location": "../docs"}, "body": ""}


def _send(path: str) -> Response:
    file = _FILES.get(path)
    if file is None:
        raise RouteNotFoundError
    headers = {
        "Content-Type": file.content_type,
        "Cache-Control": file.cache,
        "Content-Security-Policy": _POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    return {"statusCode": 200, "headers": headers, "body": file.path.read_text(encoding="utf-8")}
