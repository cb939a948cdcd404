"""``python -m tests.conformance.serve_asgi PORT``: apps that are ASGI applications."""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from . import journal
from .exchange import PROBE
from .serve import application as site
from .serve import end_in_order

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def call(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Do for ASGI applications what `Site` does for WSGI applications."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    journal.current_scene.set(headers.get("x-scene", ""))
    app = site.apps.get(headers.get("x-app", ""))
    if app is not None and scope["path"] != PROBE:
        await app(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"probe"})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


def main() -> None:
    """Run it under uvicorn, Connexion's own server."""
    import uvicorn

    uvicorn.run(call, host="127.0.0.1", port=int(sys.argv[1]))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end_in_order)
    main()
