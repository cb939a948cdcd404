"""``python -m tests.conformance.serve NAME PORT``: for servers without a command of their own."""

from __future__ import annotations

import asyncio
import signal
import sys
from types import FrameType

from .site import make_application


def serve_werkzeug(port: int) -> None:
    """Run it under Werkzeug's development server."""
    from werkzeug import serving

    serving.ThreadedWSGIServer.daemon_threads = False  # what is being answered is answered at the end
    serving.run_simple("127.0.0.1", port, application, threaded=True)


def serve_waitress(port: int) -> None:
    """Run it under waitress."""
    import waitress

    waitress.serve(application, host="127.0.0.1", port=port, threads=4)


def serve_asgi(port: int) -> None:
    """Run it under an ASGI server, through asgiref."""
    from asgiref.wsgi import WsgiToAsgi
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.accesslog = config.errorlog = "-"
    asyncio.run(serve(WsgiToAsgi(application), config))


def end_in_order(signal_number: int, frame: FrameType | None) -> None:
    """Let the interpreter exit as it does at the end of a program."""
    sys.exit(0)


application = make_application()

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end_in_order)
    {"werkzeug": serve_werkzeug, "waitress": serve_waitress, "hypercorn": serve_asgi}[sys.argv[1]](
        int(sys.argv[2])
    )
