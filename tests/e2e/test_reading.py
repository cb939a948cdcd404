"""Bodies that an app reads in parts, on real servers."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import pytest
import requests
from werkzeug.serving import WSGIRequestHandler, make_server

from ..servers import gunicorn
from . import reading

pytestmark = pytest.mark.integration

LINES = [b"first line\n", b"second line\n", b"the third one\n"]
BODY = b"".join(LINES)


class Quiet(WSGIRequestHandler):
    """Logs no requests."""

    def log_request(self, code: object = "-", size: object = "-") -> None:
        pass


@contextlib.contextmanager
def werkzeug() -> Iterator[str]:
    """Run the app on Werkzeug's server; yields its URL."""
    server = make_server("127.0.0.1", 0, reading.make_app(), request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("is_chunked", [False, True], ids=["Content-Length", "chunked"])
@pytest.mark.parametrize(
    "serve",
    [werkzeug, lambda: gunicorn("tests.e2e.reading:make_app()", "--workers", "1")],
    ids=["werkzeug", "gunicorn"],
)
def test_every_way_to_read(
    serve: Callable[[], contextlib.AbstractContextManager[str]], is_chunked: bool
) -> None:
    """The app reads what was sent; what it read is stored, and noted unless it was all."""
    parts = {"readline": LINES[0], "some of readline": LINES[0][:8]}
    with serve() as url, requests.Session() as session:
        for name in reading.READERS:
            sent = iter(LINES) if is_chunked else BODY
            headers = {"Content-Type": "text/plain", "Connection": "close"}
            response = session.post(f"{url}/stream/{name}", data=sent, headers=headers)
            read = parts.get(name, BODY)
            assert "".join(response.json()).encode() == read
            ((body, size, note),) = session.get(f"{url}/recorded").json()
            # Of what was cut in a word the word is not stored.
            assert body.encode() == (b"first " if name == "some of readline" else read), name
            assert note == ("not read" if name in parts else None), name
            assert size == (len(read) if is_chunked else len(BODY)), name
