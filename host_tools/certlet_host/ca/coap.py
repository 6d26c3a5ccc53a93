"""CMP over CoAP (RFC 9482): the responder behind POST, bounded in size, on the loopback interface."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import aiocoap
from aiocoap import error, resource

HOST = "127.0.0.1"
PATH = (".well-known", "cmp")
FORMAT = 259  # application/pkixcmp
_MAX_BODY = 100 * 1024
_START_SECONDS = 10

Exchange = Callable[[bytes], tuple[int, bytes]]  # request -> HTTP status and reply; called in any thread


class _Cmp(resource.Resource):
    """The whole of the server: `/.well-known/cmp` and all that is below it."""

    def __init__(self, exchange: Exchange):
        super().__init__()
        self._exchange = exchange

    async def needs_blockwise_assembly(self, request: aiocoap.Message) -> bool:
        """Ask for assembly, after a look at what assembly itself does not mind: the path, the type and the size."""
        if request.opt.uri_path[:2] != PATH:
            raise error.NotFound
        if request.opt.content_format != FORMAT:
            raise error.UnsupportedContentFormat
        block = request.opt.block1
        if (request.opt.size1 or 0) > _MAX_BODY or (block and block.start + len(request.payload) > _MAX_BODY):
            raise error.RequestEntityTooLarge
        return True

    async def render_post(self, request: aiocoap.Message) -> aiocoap.Message:
        status, reply = await asyncio.to_thread(self._exchange, request.payload)
        return aiocoap.Message(code=_code(status), payload=reply, content_format=FORMAT)


def _code(status: int) -> aiocoap.Code:
    """The response code that comes nearest to an HTTP status; 2.05 is success."""
    if status == 200:
        return aiocoap.CONTENT
    detail = status % 100
    return aiocoap.Code(status // 100 << 5 | (detail if detail < 32 else 0))


@contextmanager
def serve(exchange: Exchange, port: int) -> Iterator[int]:
    """Answer by `exchange` in a thread of its own; gives the port, a free one for 0. OSError when the port is taken."""
    port = _free(port)
    # aiocoap names peers and tokens at level info; its warnings stay.
    logging.getLogger("coap-server").setLevel(logging.WARNING)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="coap", daemon=True)
    thread.start()

    async def start() -> aiocoap.Context:
        # The one transport that binds to a single IPv4 address; it needs nothing of the platform.
        return await aiocoap.Context.create_server_context(
            _Cmp(exchange), (HOST, port), transports=["simplesocketserver"]
        )

    try:
        context = asyncio.run_coroutine_threadsafe(start(), loop).result(_START_SECONDS)
        try:
            yield port
        finally:
            asyncio.run_coroutine_threadsafe(context.shutdown(), loop).result(_START_SECONDS)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_START_SECONDS)
        loop.close()


def _free(port: int) -> int:
    """The port, or a free one; aiocoap shares its port with anyone, so whether it is taken shows only here."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, port))
        return probe.getsockname()[1]
