"""The address that people use: passes every request unchanged to the deployed API on the engine.

The engine serves an API under a path that changes with its id; users want `http://127.0.0.1:3000`, as
`sam local start-api` has it.
"""

from __future__ import annotations

import json
from io import BytesIO
from types import TracebackType
from typing import Self

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from multidict import CIMultiDict
from yarl import URL

from local import LocalError
from local.engine import HOST
from local.loop import Loop
from local.mailbox import Mailbox

# API Gateway takes 10 MB; what is larger must be refused by it or by the function, not here.
LARGEST_BODY = 11 * 1024 * 1024
# API Gateway answers 504 after 29 s; wait for that answer rather than invent one.
PATIENCE = ClientTimeout(total=60, sock_connect=5)
# API Gateway compresses larger answers for those who accept gzip, as the template says; the engine does not.
COMPRESS_FROM = 4096
# Headers about one connection, which a proxy may not pass on (RFC 9110, 7.6.1).
HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding")
) | {"upgrade", "content-length"}


def passed_on(headers: CIMultiDict[str]) -> CIMultiDict[str]:
    """The headers that belong to the message and not to the connection."""
    named = {name.strip().lower() for value in headers.getall("Connection", []) for name in value.split(",")}
    return CIMultiDict((k, v) for k, v in headers.items() if k.lower() not in HOP_BY_HOP | named)


def problem(status: int, title: str, detail: str) -> web.Response:
    """An answer of the front door itself."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/problem+json")


def unreachable(target: str) -> web.Response:
    """The answer while the engine does not answer."""
    return problem(502, "Bad Gateway", f"The embedded engine at {target} does not answer.")


class FrontDoor:
    """Serves on 127.0.0.1:``port`` from a thread of its own, between entry and exit."""

    def __init__(self, port: int, target: str, mailbox: Mailbox | None = None) -> None:
        """``target`` is the address of the deployed stage on the engine; ``mailbox`` is shown beside it."""
        self._mailbox = mailbox
        self.url = f"http://{HOST}:{port}"
        self._port = port
        self._target = target.rstrip("/")
        self._loop = Loop("front-door")
        self._runner: web.AppRunner | None = None
        self._session: ClientSession | None = None

    def __enter__(self) -> Self:
        self._loop.start()
        try:
            self._loop.run(self._start())
        except OSError as problem:
            self.__exit__(None, None, None)
            raise LocalError(f"Port {self._port} on {HOST} cannot be used: {problem.strerror}") from problem
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.run(self._stop())
        self._loop.stop()

    async def _start(self) -> None:
        # Bodies travel as bytes in both directions, compressed or not, and no cookie is kept for anyone.
        self._session = ClientSession(
            connector=TCPConnector(limit=256, keepalive_timeout=30),
            timeout=PATIENCE,
            auto_decompress=False,
            cookie_jar=DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
        app = web.Application(client_max_size=LARGEST_BODY)
        if self._mailbox:
            app.router.add_get("/mailbox", self._mailbox.listed)
            app.router.add_get("/mailbox/{name}", self._mailbox.shown)
            app.router.add_get("/mailbox/{name}/{part}", self._mailbox.part)
        app.router.add_route("*", r"/{path:[\s\S]*}", self._pass_on)  # a path may contain %0A
        self._runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=2)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._port, backlog=1024).start()

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        if self._session is None:
            return unreachable(self._target)
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return problem(413, "Content Too Large", f"A body may have {LARGEST_BODY} bytes at most.")
        # As bytes of the request line: parsing would fold percent-encoding and repeated parameters. A target in
        # absolute form (`GET http://…/path`) keeps only its path and query.
        path = request.raw_path if request.raw_path.startswith("/") else request.rel_url.raw_path_qs
        try:
            async with self._session.request(
                request.method,
                URL(self._target + path, encoded=True),
                headers=passed_on(CIMultiDict(request.headers)),
                data=BytesIO(body) if body else None,  # a large body as bytes would hold up the others
                allow_redirects=False,
            ) as answer:
                response = web.Response(
                    status=answer.status,
                    reason=answer.reason,
                    headers=passed_on(CIMultiDict(answer.headers)),
                    body=(content := await answer.read()),
                    zlib_executor_size=COMPRESS_FROM,
                )
                if len(content) >= COMPRESS_FROM and "gzip" in request.headers.get("Accept-Encoding", ""):
                    response.enable_compression(web.ContentCoding.gzip)
                return response
        except (ClientError, TimeoutError):
            return unreachable(self._target)
