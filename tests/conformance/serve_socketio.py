"""``python -m tests.conformance.serve_socketio MODE PORT``: as Flask-SocketIO serves an app."""

from __future__ import annotations

import signal
import socket
import sys
from typing import Any

# What is patched has to be patched before anything else is imported.
MODE = sys.argv[1]
if MODE == "eventlet":
    import eventlet

    eventlet.monkey_patch()
elif MODE.startswith("gevent"):
    import gevent.monkey

    gevent.monkey.patch_all()
    if MODE == "gevent":
        sys.modules["geventwebsocket"] = None  # type: ignore[assignment]

WAKING, WOKEN = socket.socketpair()


def main() -> None:
    """Serve the site as ``socketio.run(app)`` serves an app."""
    from flask import Flask

    from .serve import application

    end_at_sigterm()
    carrier = Flask("carrier", static_folder=None)
    carrier.wsgi_app = application  # type: ignore[method-assign]
    socketio: Any = application.apps["socketio"].extensions["socketio"]
    more = {"allow_unsafe_werkzeug": True} if MODE == "threading" else {}
    socketio.run(carrier, port=int(sys.argv[2]), **more)


def end_at_sigterm() -> None:
    """Exit in a greenlet of its own: an exception in a signal handler ends whichever runs."""
    from .serve import end_in_order

    if MODE == "threading":
        signal.signal(signal.SIGTERM, end_in_order)
    elif MODE == "eventlet":
        WAKING.setblocking(False)
        signal.set_wakeup_fd(WAKING.fileno())
        signal.signal(signal.SIGTERM, lambda *_: None)
        eventlet.spawn(exit_when_woken)
    else:
        gevent.signal_handler(signal.SIGTERM, sys.exit, 0)


def exit_when_woken() -> None:
    """Wait for a signal, and exit."""
    WOKEN.recv(1)
    sys.exit(0)


if __name__ == "__main__":
    main()
