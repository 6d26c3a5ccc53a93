"""CMP over HTTP (RFC 9811): the responder behind POST, bounded in size and time, on the loopback interface.

GET /crl gives the certificate revocation list in DER.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import h11
import uvicorn
from cryptography.hazmat.primitives import serialization
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from . import crl
from .cmp_responder import Responder, Served

HOST = "127.0.0.1"
CONTENT_TYPE = "application/pkixcmp"
PATHS = ("/.well-known/cmp", "/.well-known/cmp/{rest:path}", "/pkix", "/pkix/", "/")
_MAX_BODY = 100 * 1024
_HEADER_SECONDS, _BODY_SECONDS, _IDLE_SECONDS = 10, 30, 15


class _Protocol(H11Protocol):
    """Adds what uvicorn lacks: a time limit for the request's head."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.app_state = {**self.app_state, "protocol": self}
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_timer()
        elif self._head_timer is None:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._head_timer = self.loop.call_later(_HEADER_SECONDS, self.transport.close)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def app(responder: Responder) -> Starlette:
    """The ASGI application."""

    async def cmp(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != CONTENT_TYPE:
            return PlainTextResponse(f"Content-Type must be {CONTENT_TYPE}\n", 415)
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await _body(request)
        except TimeoutError:
            return PlainTextResponse("the body took too long\n", 408, {"connection": "close"})
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return PlainTextResponse(f"the body exceeds {_MAX_BODY} bytes\n", 413, {"connection": "close"})
        served = await run_in_threadpool(responder.serve, body, _label(request.path_params.get("rest", "")))
        return _response(request, served)

    async def revocations(_request: Request) -> Response:
        state = responder.state
        found = await run_in_threadpool(lambda: crl.make(state.authority, *state.store.revoked()))
        return Response(found.public_bytes(serialization.Encoding.DER), media_type="application/pkix-crl")

    routes = [Route(path, cmp, methods=["POST"]) for path in PATHS]
    return Starlette(routes=[Route("/crl", revocations, methods=["GET"]), *routes])


def _label(rest: str) -> str:
    """LABEL of /.well-known/cmp/p/LABEL[/OPERATION] (RFC 9811, 3.4)."""
    first, *others = rest.split("/")
    return others[0] if first == "p" and others else ""


def _response(request: Request, served: Served) -> Response:
    """The reply as HTTP, in the odd ways that can be provoked too."""
    headers = {"cache-control": "no-cache"}
    if served.transport == "redirect":
        return Response(status_code=307, headers={"location": "/pkix/elsewhere"})
    if served.transport in ("chunked", "close-delimited"):
        if served.transport == "close-delimited":
            # To h11 the client is one that knows no chunks.
            request.state.protocol.conn.their_http_version = b"1.0"
        return StreamingResponse(_pieces(served.reply), served.status, headers, CONTENT_TYPE)
    if served.transport == "close":
        headers["connection"] = "close"
    return Response(served.reply, served.status, headers, CONTENT_TYPE)


async def _pieces(reply: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(reply), 100):
        yield reply[start : start + 100]


async def _body(request: Request) -> bytes | None:
    """The whole body, None as soon as it is too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            return None
    return bytes(body)


def listen(port: int) -> socket.socket:
    """A listening socket on the loopback interface; port 0 takes a free one. OSError when the port is taken."""
    # The protocol is named because asyncio switches Nagle off only where it is: 40 ms a reply otherwise.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def server(responder: Responder, started: Callable[[], None] = lambda: None) -> uvicorn.Server:
    """A server for `run(sockets=[listener])`, which ends on SIGINT, SIGTERM or `should_exit`.

    `started` is called when requests are answered.
    """

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started()

    return Server(
        uvicorn.Config(
            app(responder), http=_Protocol, ws="none", lifespan="off", log_config=None, access_log=False,
            server_header=False, proxy_headers=False, timeout_keep_alive=_IDLE_SECONDS, timeout_graceful_shutdown=3,
            limit_concurrency=1200, h11_max_incomplete_event_size=16 * 1024,
        )
    )
