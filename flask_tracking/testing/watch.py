"""Watch an app from where its server stands, and from inside."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any
from unittest import mock

import flask
from flask import Flask
from itsdangerous.timed import TimestampSigner

from .observation import Answer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Watch", "catch_log", "freeze_signatures", "note_signals"]

SIGNALS = (
    "request_started",
    "request_finished",
    "got_request_exception",
    "request_tearing_down",
    "appcontext_pushed",
    "appcontext_tearing_down",
    "appcontext_popped",
    "before_render_template",
    "template_rendered",
    "message_flashed",
)
"""Flask's own."""


class Watch:
    """The outermost WSGI application: passes everything on and keeps what passed."""

    def __init__(self, wsgi_app: WSGIApplication, note: Callable[[str], object]) -> None:
        """Watch `wsgi_app`.

        Args:
            wsgi_app: the app to call.
            note: takes what happens at this boundary, so that its order among the app's own notes
                is seen.
        """
        self.wsgi_app = wsgi_app
        self._note = note
        self.begin()

    def begin(self) -> None:
        """Forget what was seen."""
        self._starts: list[tuple[str, tuple[tuple[str, str], ...]]] = []
        self._chunks: list[bytes] = []
        self._escaped = ""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: Any, *exc_info: Any) -> Any:
            write = start_response(status, headers, *exc_info)
            self._starts.append((status, tuple(headers)))
            self._note(f"server: start_response({status!r})")
            return self._keeping(write) if callable(write) else write

        with self._keep_escaping():
            iterable = self.wsgi_app(environ, start)
        return _WatchedIterable(iterable, self)

    def _keeping(self, write: Callable[[bytes], object]) -> Callable[[bytes], object]:
        def keep_and_write(data: bytes) -> object:
            self._keep(data)
            return write(data)

        return keep_and_write

    def _keep(self, chunk: bytes) -> None:
        self._chunks.append(bytes(chunk))
        self._note(f"server: got {len(chunk)} bytes")

    @contextlib.contextmanager
    def _keep_escaping(self) -> Iterator[None]:
        try:
            yield
        except StopIteration:
            raise
        except BaseException as error:
            self._escaped = f"{type(error).__name__}: {error}"
            self._note(f"server: {self._escaped}")
            raise

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The response that passed, with the headers that were given last; none if there was none."""
        return (Answer(*self._starts[-1], tuple(self._chunks)),) if self._starts else ()

    @property
    def fate(self) -> str:
        """The exception that the app raised, or ``ended``."""
        return self._escaped or "ended"


class _WatchedIterable:
    def __init__(self, iterable: Iterable[bytes], watch: Watch) -> None:
        self._iterable = iterable
        self._watch = watch
        self._iterator: Iterator[bytes] | None = None

    def __iter__(self) -> _WatchedIterable:
        return self

    def __next__(self) -> bytes:
        with self._watch._keep_escaping():
            if self._iterator is None:
                self._iterator = iter(self._iterable)
            chunk = next(self._iterator)
        self._watch._keep(chunk)
        return chunk

    def close(self) -> None:
        self._watch._note("server: close")
        close = getattr(self._iterable, "close", None)
        if close is not None:
            with self._watch._keep_escaping():
                close()


def note_signals(app: Flask, note: Callable[[str], object]) -> None:
    """Note every signal that `app` sends, and every call of its teardown functions."""

    # Not the app itself: blinker would never release it.
    app_name = app.name

    def listen(name: str) -> None:
        def receiver(_: Flask, **sent: Any) -> None:
            detail = sent.get("exception", sent.get("exc"))
            if "response" in sent:
                detail = sent["response"].status
            note(f"{app_name}: {name} {detail!r}")

        getattr(flask, name).connect(receiver, app, weak=False)

    for name in SIGNALS:
        listen(name)

    def note_teardown(name: str) -> Callable[[BaseException | None], None]:
        def teardown(error: BaseException | None) -> None:
            note(f"{app_name}: {name} {error!r}")

        return teardown

    app.teardown_request(note_teardown("teardown_request"))
    app.teardown_appcontext(note_teardown("teardown_appcontext"))


class _Entries(logging.Handler):
    def __init__(self, note: Callable[[str], object]) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s: %(message)s"))
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] != "flask_tracking":  # our own lines are not the app's
            self._note(self.format(record))


@contextlib.contextmanager
def catch_log(note: Callable[[str], object], *names: str) -> Iterator[None]:
    """Note every entry of the log, but those of flask_tracking.

    Args:
        note: takes each entry, with its traceback.
        *names: loggers that do not propagate to the root.
    """
    handler = _Entries(note)
    loggers = [logging.getLogger(name) for name in ("", *names)]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)


@contextlib.contextmanager
def freeze_signatures() -> Iterator[None]:
    """Sign cookies as of one fixed moment, so that their values can be compared as they are."""
    with mock.patch.object(TimestampSigner, "get_timestamp", lambda self: 1_800_000_000):
        yield
