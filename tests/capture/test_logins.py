"""Users of Flask-HTTPAuth, of Flask-JWT-Extended, and of several login systems in one app."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, g, session
from flask.testing import FlaskClient
from flask_httpauth import HTTPBasicAuth, HTTPDigestAuth, HTTPTokenAuth
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    get_jwt_identity,
    jwt_required,
    verify_jwt_in_request,
)
from flask_login import LoginManager, UserMixin, current_user

from flask_tracking import MemoryExporter, Record, Tracking
from flask_tracking.runtime import guard

Only = Callable[[], Record]
KEY = "k" * 32


class Account:
    """A user as apps write them for themselves."""

    def __init__(self, number: int) -> None:
        self.id = number

    def __str__(self) -> str:
        return f"account {self.id}"


class LoginUser(UserMixin):
    """A user of Flask-Login."""

    id = "session"


def user_of(record: Record) -> tuple[str | None, str | None]:
    """Return what a record says of its user."""
    return record.user_id, record.user_repr


def basic(name: str, password: str) -> dict[str, str]:
    """Return the header of a browser's password."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def add_password_view(app: Flask, check: Callable[[str, str], Any], **options: Any) -> FlaskClient:
    """Add a view that wants a password."""
    auth = HTTPBasicAuth()
    auth.verify_password(check)

    @app.get("/")
    @auth.login_required(**options)
    def index() -> str:
        return f"you are {auth.current_user()}"

    return app.test_client()


@pytest.mark.parametrize(
    ("user", "described"),
    [
        ("ada", ("ada", "ada")),
        (True, ("client", "client")),
        (Account(17), ("17", "account 17")),
        ({"username": "ada", "hash": "secret"}, ("ada", "ada")),
        ({"sub": 3}, ("3", "3")),
    ],
)
def test_user_of_httpauth(
    app: Flask, tracking: Tracking, only_record: Only, user: Any, described: Any
) -> None:
    """What Flask-HTTPAuth's check returned is the user: a name, an object or a dict."""
    client = add_password_view(app, lambda name, password: user)
    assert client.get("/", headers=basic("client", "right")).text.startswith("you are ")
    assert user_of(only_record()) == described
    assert not guard.failures


@pytest.mark.parametrize("options", [{}, {"optional": True}])
def test_unverified_name_is_no_user(
    app: Flask, tracking: Tracking, only_record: Only, options: dict[str, bool]
) -> None:
    """A name with a wrong password is no user, whether the view then runs or not."""
    client = add_password_view(app, lambda name, password: password == "right", **options)
    response = client.get("/", headers=basic("ada", "wrong"))
    assert response.status_code == (200 if options else 401)
    assert user_of(only_record()) == (None, None)


def test_token_beside_an_unverified_name(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """A user without an id does not get the name in a header that nobody has checked."""
    auth = HTTPTokenAuth(header="X-Key")
    auth.verify_token(lambda token: ["anything"])

    @app.get("/")
    @auth.login_required
    def index() -> str:
        return "ok"

    assert app.test_client().get("/", headers={"X-Key": "1", **basic("eve", "wrong")}).text == "ok"
    assert only_record().user_id is None


def test_digest(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """Nobody is recorded for a challenge."""
    auth = HTTPDigestAuth()
    auth.get_password(lambda name: "right")

    @app.get("/")
    @auth.login_required
    def index() -> str:
        return "ok"

    assert app.test_client().get("/").status_code == 401
    assert user_of(only_record()) == (None, None)


def add_token_views(app: Flask) -> JWTManager:
    """Add views that want a token, take one where there is one, and read none."""
    app.config["JWT_SECRET_KEY"] = KEY
    manager = JWTManager(app)

    @app.get("/")
    @jwt_required()
    def index() -> str:
        return f"you are {get_jwt_identity()}"

    @app.get("/optional")
    @jwt_required(optional=True)
    def optional() -> str:
        return f"you are {get_jwt_identity()}"

    @app.get("/open")
    def open_to_all() -> str:
        return "anyone"

    @app.get("/boom")
    def boom() -> str:
        verify_jwt_in_request()
        raise ValueError

    return manager


def bearer(app: Flask, identity: str = "ada", **options: Any) -> dict[str, str]:
    """Return the header of a token."""
    with app.app_context():
        return {"Authorization": f"Bearer {create_access_token(identity, **options)}"}


@pytest.mark.parametrize("path", ["/", "/optional"])
def test_user_of_a_token(app: Flask, tracking: Tracking, only_record: Only, path: str) -> None:
    """The identity of a verified token is the user."""
    add_token_views(app)
    assert app.test_client().get(path, headers=bearer(app)).text == "you are ada"
    assert user_of(only_record()) == ("ada", "ada")


def test_user_of_a_token_that_is_loaded(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """A user that was looked up for a token gives the text; the token's identity is the id."""
    manager = add_token_views(app)
    manager.user_lookup_loader(lambda header, claims: Account(17))
    assert app.test_client().get("/", headers=bearer(app)).text == "you are ada"
    assert user_of(only_record()) == ("ada", "account 17")


def test_own_claim(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """JWT_IDENTITY_CLAIM says which claim is the identity."""
    app.config["JWT_IDENTITY_CLAIM"] = "name"
    add_token_views(app)
    assert app.test_client().get("/", headers=bearer(app)).text == "you are ada"
    assert user_of(only_record()) == ("ada", "ada")


def test_user_of_a_token_that_fails(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """The user of a view that raises is recorded."""
    add_token_views(app)
    app.logger.disabled = True
    assert app.test_client().get("/boom", headers=bearer(app)).status_code == 500
    assert user_of(only_record()) == ("ada", "ada")


@pytest.mark.parametrize("path", ["/", "/optional"])
@pytest.mark.parametrize("fault", ["signature", "expired", "revoked", "missing user"])
def test_token_that_fails_a_check(
    app: Flask, tracking: Tracking, only_record: Only, path: str, fault: str
) -> None:
    """The identity of a token that fails one of the checks is recorded nowhere as a user."""
    manager = add_token_views(app)
    headers = bearer(app, expires_delta=dt.timedelta(seconds=-1 if fault == "expired" else 60))
    if fault == "signature":
        app.config["JWT_SECRET_KEY"] = KEY[::-1] + "other"
    elif fault == "revoked":
        manager.token_in_blocklist_loader(lambda header, claims: True)
    elif fault == "missing user":
        manager.user_lookup_loader(lambda header, claims: None)
    assert app.test_client().get(path, headers=headers).status_code in (401, 422)
    assert user_of(only_record()) == (None, None)


def test_token_that_no_view_reads(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """A token is not verified for us: where the view does not ask, there is no user."""
    add_token_views(app)
    assert app.test_client().get("/open", headers=bearer(app)).text == "anyone"
    assert user_of(only_record()) == (None, None)


@pytest.mark.parametrize("reads_user", [False, True])
def test_token_beside_a_session(
    app: Flask, tracking: Tracking, memory: MemoryExporter, reads_user: bool
) -> None:
    """A verified token wins over a session that nobody has read, a loaded user over the token."""
    add_token_views(app)
    manager = LoginManager(app)
    manager.user_loader(lambda user_id: LoginUser() if user_id == "session" else None)

    @app.get("/both")
    @jwt_required()
    def both() -> str:
        return str(current_user.get_id()) if reads_user else "unread"

    client = app.test_client()
    with client.session_transaction() as stored:
        stored["_user_id"] = "session"
    expected = "session" if reads_user else "unread"
    assert client.get("/both", headers=bearer(app)).text == expected
    assert memory.records[-1].user_id == ("session" if reads_user else "ada")
    with client.session_transaction() as stored:
        stored["_user_id"] = "deleted"
    assert client.get("/both", headers=bearer(app)).text == ("None" if reads_user else "unread")
    assert memory.records[-1].user_id == "ada"


def test_set_user_wins_over_a_token(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """What the app says by set_user wins over every login system."""
    add_token_views(app)

    @app.get("/said")
    @jwt_required()
    def said() -> str:
        tracking.span.set_user("acme")
        return "ok"

    assert app.test_client().get("/said", headers=bearer(app)).text == "ok"
    assert user_of(only_record()) == ("acme", "acme")


def test_session_is_not_read_for_a_token(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """An app without Flask-Login is not asked for a session: no ``Vary``, and nobody in its place."""
    add_token_views(app)

    @app.get("/session")
    def write() -> str:
        session["_user_id"] = "somebody else's"
        g.something = 1
        return "ok"

    assert app.test_client().get("/session").text == "ok"
    assert user_of(only_record()) == (None, None)
