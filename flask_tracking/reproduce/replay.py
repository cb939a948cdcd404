"""Send a recorded request again, and compare the response with the recorded one.

A request that may change something, goes to another machine, or is not whole, is refused until the
caller says otherwise.
"""

from __future__ import annotations

import dataclasses
import http.client
import ipaddress
import json
import re
import shlex
import ssl
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import Context
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import SplitResult, quote, quote_plus, urlsplit

from flask import Flask, current_app
from werkzeug.test import Client

from ..config import Settings
from ..errors import ReplayError
from ..record import Record
from ..redaction.redactor import Redactor
from ..registry import ENVIRON_KEY, find_tracked, literals_of
from ..runtime.text import count_of
from .differences import Difference, compare_responses
from .request import Gap, Part, Parts, RequestParts, find_gaps, read_cookies, read_request
from .stable import find_cut

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from bson import ObjectId

__all__ = ["Replay", "Values", "replay"]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
REPLAY_HEADER = "X-Tracking-Replay-Of"
TIMEOUT_S = 30.0
"""For connecting, for each part of the response, and for all of its body."""
MAX_RESPONSE_BYTES = 16 * 1024 * 1024
"""Of a longer response the rest is not read: it may be a stream without an end."""

_TARGET_SAFE = "/:@!$&'()*+,;=~?%[]{}|^`\"<>\\"
_ENDS_HEADER = re.compile(rb"[\r\n\0]")

Values = Mapping[str, str | bytes]
"""Values for what was redacted, by the names of the gaps."""


class Replay(NamedTuple):
    """A request that was sent again.

    `record` has the new response and is compared with the recorded one: `differences`, which do not
    contain the body unless `is_body_compared`. The replay's own record is `record_id`.

    .. versionadded:: 2.0
    """

    record: Record
    """The record with the new response, redacted; its id and times are those of the recorded one."""
    differences: list[Difference]
    """In the order status, headers, body; empty where both responses are the same."""
    is_body_compared: bool
    """False where the record does not have the whole body."""
    record_id: ObjectId | None
    """Of the replay's own record; None where another process stores it, or nobody does."""

    def __repr__(self) -> str:
        """Name the recorded request and the new status, without quoting data of clients."""
        found = count_of(len(self.differences), "difference")
        return f"<Replay of {self.record.id}: {self.record.status_code}, {found}>"


class Obstacle(NamedTuple):
    """A reason for not sending a request."""

    reason: str
    argument: str
    """What allows it, in Python."""
    option: str
    """What allows it, of the command."""


class Sent(NamedTuple):
    """A request with all its values."""

    method: str
    target: bytes
    headers: list[tuple[str, bytes]]
    body: bytes


class Answer(NamedTuple):
    """The response to it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    record_id: ObjectId | None = None


def replay(
    record: Record,
    to: str | None = None,
    *,
    values: Values | None = None,
    as_user: str | None = None,
    unsafe: bool = False,
    any_host: bool = False,
) -> Replay:
    """Send the request of `record` again, and compare the response with the recorded one.

    Without `to` the current app answers, in this process, through its test client. What it raises is
    raised here, too, where it is set up so: in debug mode, and under test. Redirects are not followed.

    Args:
        record: of a request.
        to: the URL of a server, like ``http://localhost:5000``, which may have a path of its own.
        values: values for redacted or truncated parts, by name; the error names missing ones.
        as_user: the id of the user who is logged in by Flask-Login; only in the current app. None sends
            the recorded cookies.
        unsafe: send other methods than GET, HEAD and OPTIONS, too.
        any_host: send it to another machine, too.

    Raises:
        ReplayError: the replay is refused, or no app or server answers.
        TrackingError: the record has no request.

    .. versionadded:: 2.0
    """
    request = read_request(record)
    obstacles = [] if unsafe else list(_find_risks(request))
    redactor = _make_redactor()
    answer = (
        _replay_in_app(record, request, values or {}, as_user, obstacles)
        if to is None
        else _replay_to_url(record, request, to, values or {}, as_user, any_host, obstacles)
    )
    return _compare(record, answer, redactor)


def _find_risks(request: RequestParts) -> Iterator[Obstacle]:
    if request.method not in SAFE_METHODS:
        reason = f"{request.method} may change something."
        yield Obstacle(reason, "Allow it with unsafe=True.", "Allow it with --unsafe.")


def _refuse(obstacles: Sequence[Obstacle]) -> None:
    """Raise an error that names all of them, so that one further call is enough."""
    if obstacles:
        raise ReplayError(
            " ".join(f"{one.reason} {one.argument}" for one in obstacles),
            for_commands=" ".join(f"{one.reason} {one.option}" for one in obstacles),
        )


def _replay_in_app(
    record: Record,
    request: RequestParts,
    values: Values,
    as_user: str | None,
    obstacles: Sequence[Obstacle],
) -> Answer:
    if not current_app:
        _refuse([*obstacles, *_find_missing(record, request, request.client_path, values)])
        raise ReplayError("No app is current. Replay inside `with app.app_context():`, or to a URL.")
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    if as_user is not None and not _has_flask_login(app):
        raise ReplayError("The app has no Flask-Login: leave out --as-user.", is_argument_wrong=True)
    needed = request if as_user is None else _set_session(request, app, b"")
    missing = list(_find_missing(record, needed, request.client_path, values))
    if missing and as_user is None:
        missing += _suggest_login(record, request, app, values)
    _refuse([*obstacles, *missing])
    if as_user is not None:
        request = _log_in(request, app, as_user)
    sent = _fill(record, request, request.client_path, values)
    # In a context of its own, as a server has it: else the request would share the caller's ``g``.
    return Context().run(_ask_app, app, request, sent)


def _replay_to_url(
    record: Record,
    request: RequestParts,
    url: str,
    values: Values,
    as_user: str | None,
    any_host: bool,
    obstacles: Sequence[Obstacle],
) -> Answer:
    base = _check_url(url)
    if as_user is not None:
        raise ReplayError("Only the app itself can log a user in: leave out --to, or --as-user.")
    target = request.target if _is_path(request.target) else request.path
    missing = _find_missing(record, request, target, values)
    _refuse([*obstacles, *([] if any_host else _find_host_risks(base)), *missing])
    return _ask_server(base, _fill(record, request, target, values))


def _make_redactor() -> Redactor:
    """Return what redacts the new response as the recorded one was, with the settings of today."""
    tracked = find_tracked()
    if tracked is None:
        return Redactor(Settings())
    find_literals = literals_of(current_app._get_current_object()) if current_app else tuple  # type: ignore[attr-defined]
    return Redactor(tracked.settings, find_literals, callback=tracked.redact)


def _check_url(url: str) -> SplitResult:
    try:
        base = urlsplit(url)
        host, _ = base.hostname, base.port
        (host or "").encode("idna")  # as a socket does, and with the same errors
    except ValueError:
        raise _refuse_url(url) from None
    if (
        base.scheme not in ("http", "https")
        or not host
        or "@" in base.netloc
        or base.query
        or base.fragment
    ):
        raise _refuse_url(url)
    return base


def _refuse_url(url: str) -> ReplayError:
    message = f"Invalid URL {url!r}: expected one like http://localhost:5000."
    return ReplayError(message, is_argument_wrong=True)


def _find_host_risks(base: SplitResult) -> Iterator[Obstacle]:
    host = base.hostname or ""
    if not _is_loopback(host):
        reason = f"{host} is another machine."
        yield Obstacle(reason, "Allow it with any_host=True.", "Allow it with --yes.")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_path(target: Parts) -> bool:
    return isinstance(target[0], bytes) and target[0].startswith(b"/")


def _find_missing(
    record: Record, request: RequestParts, target: Parts, values: Values
) -> Iterator[Obstacle]:
    """Yield what has to be given for the request to be whole.

    Raises:
        ReplayError: a value is given that nothing needs.
    """
    gaps = _find_all_gaps(request, target)
    names = [gap.name for gap in gaps]
    if unknown := sorted(values.keys() - set(names)):
        raise ReplayError(
            f"Unknown name: {', '.join(unknown)}. Missing values: {', '.join(names) or 'none'}.",
            is_argument_wrong=True,
        )
    missing = [gap for gap in gaps if gap.name not in values]
    is_unread = record.request_body_note == "not read"
    unread = [gap.name for gap in missing if gap.place == "body" and is_unread]
    for name in unread:
        yield Obstacle(
            "The app did not read the body, so the record lacks it.",
            f"Give it with values={{{name!r}: ...}}; b'' sends none.",
            f"Give it with --set {name}=PATH; --set {name}= sends none.",
        )
    if removed := [gap.name for gap in missing if gap.name not in unread]:
        yield Obstacle(
            f"Redacted or cut values are missing: {', '.join(removed)}.",
            "Give each with values={name: value}.",
            "Give each with --set name=value.",
        )


def _find_all_gaps(request: RequestParts, target: Parts) -> tuple[Gap, ...]:
    return find_gaps(target, *(value for _, value in request.headers), request.body)


def _suggest_login(
    record: Record, request: RequestParts, app: Flask, values: Values
) -> Iterator[Obstacle]:
    """Yield how to do without the redacted cookie of a session of Flask-Login."""
    session = dict(read_cookies(request)).get(app.config["SESSION_COOKIE_NAME"], ())
    names = [gap.name for gap in find_gaps(session) if gap.name not in values]
    if names and record.user_id is not None and _has_flask_login(app):
        yield Obstacle(
            f"Instead of {names[0]},",
            f"as_user={record.user_id!r} logs the user in.",
            f"--as-user {shlex.quote(record.user_id)} logs the user in.",
        )


def _fill(record: Record, request: RequestParts, target: Parts, values: Values) -> Sent:
    headers = [(name, _join_header(name, value, values)) for name, value in request.headers]
    headers = [one for one in headers if one[0].lower() != "accept-encoding"]
    headers.append((REPLAY_HEADER, str(record.id).encode()))
    return Sent(request.method, _join(target, values), headers, _join(request.body, values))


def _join_header(name: str, parts: Parts, values: Values) -> bytes:
    for gap in find_gaps(parts):
        if _ENDS_HEADER.search(_encode(gap, values[gap.name])):
            raise ReplayError(
                f"Invalid value of {gap.name}: a header cannot contain a line end or a NUL.",
                is_argument_wrong=True,
            )
    data = _join(parts, values)
    return _drop_repeated_scheme(data, parts[0]) if name.lower() == "authorization" and parts else data


def _drop_repeated_scheme(credentials: bytes, scheme: Part) -> bytes:
    """Return ``Bearer x`` for ``Bearer Bearer x``: records keep the scheme, people copy the header."""
    if isinstance(scheme, bytes) and credentials[len(scheme) :].lower().startswith(scheme.lower()):
        return scheme + credentials[2 * len(scheme) :]
    return credentials


def _join(parts: Parts, values: Values) -> bytes:
    return b"".join(
        part if isinstance(part, bytes) else _encode(part, values[part.name]) for part in parts
    )


def _encode(gap: Gap, value: str | bytes) -> bytes:
    """Return a value as it is written in its place."""
    if isinstance(value, bytes):
        return value
    if gap.encoding == "url":
        return (quote_plus(value) if gap.place == "body" else quote(value, safe="")).encode()
    if gap.encoding == "json text":
        return json.dumps(value)[1:-1].encode()
    return value.encode()


def _log_in(request: RequestParts, app: Flask, user_id: str) -> RequestParts:
    """Return the request with a session of Flask-Login instead of the recorded one."""
    client = app.test_client()
    base_url = f"{request.scheme}://{request.host}"
    with client.session_transaction(base_url=base_url) as session:
        session["_user_id"] = user_id
        session["_fresh"] = True
    name = app.config["SESSION_COOKIE_NAME"]
    sessions = app.session_interface
    domain = sessions.get_cookie_domain(app) or urlsplit(base_url).hostname or ""
    made = client.get_cookie(name, domain, sessions.get_cookie_path(app))
    if made is None:
        raise ReplayError("The app keeps no session in a cookie, so no user can be logged in.")
    # In a context of its own, as the request will be.
    if not Context().run(_is_loaded, app, base_url, f"{name}={made.value}"):
        raise ReplayError(f"User {user_id} was not loaded by Flask-Login: no user has this id.")
    return _set_session(request, app, made.value.encode())


def _is_loaded(app: Flask, base_url: str, cookie: str) -> bool:
    """Tell whether Flask-Login knows a user of this session."""
    with app.test_request_context(base_url=base_url, headers={"Cookie": cookie}):
        return sys.modules["flask_login"].current_user.get_id() is not None


def _has_flask_login(app: Flask) -> bool:
    return "flask_login" in sys.modules and hasattr(app, "login_manager")


def _set_session(request: RequestParts, app: Flask, value: bytes) -> RequestParts:
    """Return the request with another value of the cookie of its session."""
    cookies = {**dict(read_cookies(request)), app.config["SESSION_COOKIE_NAME"]: (value,)}
    parts = [part for key, held in cookies.items() for part in (f"; {key}=".encode(), *held)]
    parts[0] = parts[0].removeprefix(b"; ") if isinstance(parts[0], bytes) else parts[0]
    headers = [one for one in request.headers if one[0].lower() != "cookie"]
    return request._replace(headers=(*headers, ("Cookie", tuple(parts))))


def _ask_app(app: Flask, request: RequestParts, sent: Sent) -> Answer:
    environs: list[WSGIEnvironment] = []
    headers = [(name, value.decode("latin-1")) for name, value in sent.headers]
    # The client fails on a `Host` that is none, so only the app gets it.
    hosts = [value for name, value in headers if name.lower() == "host"]

    def watched(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environs.append({**environ, "HTTP_HOST": hosts[0]} if hosts else environ)
        return app(environs[0], start_response)

    response = Client(watched, use_cookies=False).open(
        sent.target.decode("latin-1"),
        base_url=f"{request.scheme}://{request.host}",
        method=sent.method,
        headers=[one for one in headers if one[0].lower() != "host"],
        data=sent.body,
    )
    try:
        body = _read(response.iter_encoded())
    finally:
        response.close()
    span = environs[0].get(ENVIRON_KEY)
    return Answer(response.status_code, tuple(response.headers), body, getattr(span, "id", None))


def _read(chunks: Iterable[bytes]) -> bytes:
    body = bytearray()
    deadline = monotonic() + TIMEOUT_S
    for chunk in chunks:
        body += chunk
        if len(body) >= MAX_RESPONSE_BYTES or monotonic() > deadline:
            break
    return bytes(body[:MAX_RESPONSE_BYTES])


def _ask_server(base: SplitResult, sent: Sent) -> Answer:
    connection = _connect(base)
    # No line of a request has anything but ASCII in it here.
    target = "".join(quote(part, safe=_TARGET_SAFE) for part in (base.path.rstrip("/"), sent.target))
    try:
        connection.putrequest(sent.method, target, skip_accept_encoding=True)
        for name, value in sent.headers:
            connection.putheader(name, value)
        if sent.body or sent.method in ("POST", "PUT", "PATCH"):
            connection.putheader("Content-Length", str(len(sent.body)))
        connection.endheaders(sent.body or None)
        response = connection.getresponse()
        body = _read(iter(lambda: response.read1(65536), b""))
    except (OSError, http.client.HTTPException) as error:
        raise ReplayError(f"{base.netloc} does not answer: {type(error).__name__}.") from None
    finally:
        connection.close()
    return Answer(response.status, tuple(response.getheaders()), body)


def _connect(base: SplitResult) -> http.client.HTTPConnection:
    host = base.hostname or ""
    if base.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, base.port, timeout=TIMEOUT_S, context=context)
    return http.client.HTTPConnection(host, base.port, timeout=TIMEOUT_S)


def _compare(record: Record, answer: Answer, redactor: Redactor) -> Replay:
    parts: dict[str, Any] = {
        "status_code": answer.status,
        "response_headers": answer.headers,
        "response_body": answer.body,
        "response_body_size": len(answer.body),
        "response_body_note": None,
    }
    (replayed,) = redactor.redact([dataclasses.replace(record, **parts)])
    differences = compare_responses(record, replayed)
    return Replay(replayed, differences, find_cut(record) is None, answer.record_id)
