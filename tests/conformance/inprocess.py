"""The test client's column: scenes played through ``werkzeug.test``, without a socket."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

from werkzeug.test import run_wsgi_app

from flask_tracking.testing.observation import Observation
from flask_tracking.testing.watch import Watch

from . import journal
from .exchange import HOST, HangUp, Head, Release, Request, Scene, Take
from .site import Site

NAME = "test client"


class TestClient:
    """Plays one scene with a site."""

    __test__ = False

    def __init__(self, site: Site, scene: Scene, release: Callable[[], None]) -> None:
        self._site = site
        self._scene = scene
        self._release = release
        self._watches: list[Watch] = []
        self._errors: list[io.StringIO] = []
        self._body: Iterable[bytes] = ()
        self._chunks: Iterator[bytes] = iter(())

    def play(self) -> Observation:
        """Play it; what the app notes is found in the journal."""
        journal.current_scene.set(self._scene.name)
        for step in self._scene.steps:
            self._guard(self._take_step, step)
        self._guard(self._read_to_the_end)
        answers = tuple(answer for watch in self._watches for answer in watch.answers)
        fate = "; ".join(watch.fate for watch in self._watches)
        printed = tuple(text for errors in self._errors if (text := errors.getvalue()))
        return Observation(answers, fate, log=printed)

    def _guard(self, function: Callable[..., None], *args: Any) -> None:
        # What comes out of the app is kept by the watch; a server goes on, whatever it was.
        try:
            function(*args)
        except BaseException as error:  # noqa: B036
            if isinstance(error, KeyboardInterrupt):
                raise
            self._close()

    def _take_step(self, step: object) -> None:
        match step:
            case Request() | Head():
                self._read_to_the_end()
                self._start(step.request if isinstance(step, Head) else step)
            case Take(pieces):
                for _ in range(pieces):
                    next(self._chunks)
            case Release():
                self._release()
            case HangUp():
                self._close()

    def _start(self, request: Request) -> None:
        watch = Watch(self._site, journal.note)
        self._watches.append(watch)
        environ = make_environ(request, self._scene)
        if "wsgi.errors" in environ:
            self._errors.append(environ["wsgi.errors"])
        self._body, _, _ = run_wsgi_app(watch, environ)
        self._chunks = iter(self._body)

    def _read_to_the_end(self) -> None:
        for _ in self._chunks:
            pass
        self._close()

    def _close(self) -> None:
        body, self._body, self._chunks = self._body, (), iter(())
        if hasattr(body, "close"):
            body.close()


def make_environ(request: Request, scene: Scene) -> dict[str, Any]:
    """Return the environ that a server would make."""
    path, _, query = request.target.partition("?")
    body = request.body
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": HOST,
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": HOST,
        "HTTP_X_APP": scene.app,
        "HTTP_X_SCENE": scene.name,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if request.pieces:
        environ |= {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    elif body or request.method in ("POST", "PUT"):
        environ["CONTENT_LENGTH"] = str(len(body))
    for name, value in request.headers:
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    if scene.call is not None:
        scene.call(environ)
    return environ
