"""Who asked: Flask-Login, other login systems, and objects that misbehave."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import mongoengine
import pytest
from bson import ObjectId
from flask import Flask
from flask_login import LoginManager, UserMixin, current_user, login_user

from flask_tracking import MemoryExporter, Record, Tracking
from flask_tracking.capture.users import describe_user
from flask_tracking.record import UserRef

Only = Callable[[], Record]


class User(UserMixin):
    """A user that notes how often it was loaded."""

    loads = 0

    def __init__(self, user_id: str) -> None:
        self.id = user_id

    def __str__(self) -> str:
        return f"user {self.id}"


def add_login(app: Flask) -> None:
    """Add Flask-Login, a login page, a page that asks for the user and one that does not."""
    User.loads = 0
    manager = LoginManager(app)

    @manager.user_loader
    def load(user_id: str) -> User:
        User.loads += 1
        return User(user_id)

    @app.get("/login")
    def login() -> str:
        login_user(User("42"))
        return "in"

    @app.get("/me")
    def me() -> str:
        return f"you are {current_user.get_id()}"

    @app.get("/public")
    def public() -> str:
        return "anyone"

    @app.get("/boom")
    def boom() -> str:
        raise ValueError


def user_of(record: Record) -> tuple[str | None, str | None, UserRef | None]:
    """Return all that a record says of its user."""
    return record.user_id, record.user_repr, record.user


def test_user_that_the_view_loaded(app: Flask, tracking: Tracking, memory: MemoryExporter) -> None:
    """A Flask-Login user that is loaded is recorded by id and text."""
    add_login(app)
    client = app.test_client()
    assert client.get("/me").text == "you are None"
    assert client.get("/login").text == "in"
    assert client.get("/me").text == "you are 42"
    assert [user_of(record) for record in memory.records] == [
        (None, None, None),
        ("42", "user 42", None),
        ("42", "user 42", None),
    ]


def test_user_that_no_view_loaded(app: Flask, tracking: Tracking, memory: MemoryExporter) -> None:
    """A user that was not loaded is not loaded by us; the session names it."""
    add_login(app)
    client = app.test_client()
    client.get("/login")
    memory.clear()
    assert client.get("/public").text == "anyone"
    assert User.loads == 0
    assert user_of(memory.records[0]) == ("42", "42", None)


def test_load_user(app: Flask, memory: MemoryExporter) -> None:
    """TRACKING_LOAD_USER loads the user after the response is made."""
    app.config["TRACKING_LOAD_USER"] = True
    Tracking(app, exporter=memory)
    add_login(app)
    client = app.test_client()
    client.get("/login")
    memory.clear()
    assert client.get("/public").text == "anyone"
    assert User.loads == 1
    assert user_of(memory.records[0]) == ("42", "user 42", None)


@pytest.mark.parametrize("testing", [False, True])
def test_user_of_a_failure(app: Flask, memory: MemoryExporter, testing: bool) -> None:
    """The user of a failing request is recorded, whether the exception propagates or not."""
    app.config["TRACKING_LOAD_USER"] = True
    app.testing = testing
    app.logger.disabled = True
    Tracking(app, exporter=memory)
    add_login(app)
    client = app.test_client()
    client.get("/login")
    memory.clear()
    if testing:
        with pytest.raises(ValueError):
            client.get("/boom")
    else:
        assert client.get("/boom").status_code == 500
    assert user_of(memory.records[0]) == ("42", "user 42", None)


def test_login_that_cannot_load(
    app: Flask, memory: MemoryExporter, caplog: pytest.LogCaptureFixture
) -> None:
    """A loader that raises costs the user's name and nothing else."""
    app.config["TRACKING_LOAD_USER"] = True
    Tracking(app, exporter=memory)
    manager = LoginManager(app)
    secret = "hunter" + "2"

    @manager.user_loader
    def load(user_id: str) -> User:
        raise ConnectionError(f"postgres://{secret}@db")

    app.add_url_rule("/", "index", lambda: "ok")
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"] = "42"
    assert client.get("/").text == "ok"
    assert client.get("/").text == "ok"
    assert user_of(memory.records[0]) == (None, None, None)
    messages = [record.getMessage() for record in caplog.records if record.name == "flask_tracking"]
    assert messages == ["loading the Flask-Login user failed with ConnectionError"]
    assert secret not in caplog.text


def test_user_loader(app: Flask, memory: MemoryExporter, only_record: Only) -> None:
    """user_loader= serves other login systems, with an object or an id."""
    Tracking(app, exporter=memory, user_loader=lambda: User("7"))
    app.add_url_rule("/", "index", lambda: "ok")
    assert app.test_client().get("/").text == "ok"
    assert user_of(only_record()) == ("7", "user 7", None)


def test_user_loader_that_returns_the_proxy(app: Flask, memory: MemoryExporter) -> None:
    """user_loader= may return current_user, which is loaded then: the app asks for it."""
    Tracking(app, exporter=memory, user_loader=lambda: current_user)
    add_login(app)
    client = app.test_client()
    client.get("/login")
    assert client.get("/public").text == "anyone"
    assert User.loads == 1
    assert user_of(memory.records[-1]) == ("42", "user 42", None)


def test_user_loader_that_raises(app: Flask, memory: MemoryExporter, only_record: Only) -> None:
    """A user_loader that raises harms nothing."""

    def loader() -> Any:
        raise LookupError

    Tracking(app, exporter=memory, user_loader=loader)
    app.add_url_rule("/", "index", lambda: "ok")
    assert app.test_client().get("/").text == "ok"
    assert user_of(only_record()) == (None, None, None)


def test_set_user_wins(app: Flask, tracking: Tracking, only_record: Only) -> None:
    """What code says by set_user wins over what Flask-Login knows."""
    add_login(app)

    @app.get("/token")
    def token() -> str:
        tracking.span.set_user("acme:42", "Acme Corp.")
        login_user(User("1"))
        return "ok"

    assert app.test_client().get("/token").text == "ok"
    assert user_of(only_record()) == ("acme:42", "Acme Corp.", None)


class Account(mongoengine.Document):
    """A MongoEngine user."""

    email = mongoengine.StringField()
    meta = {"collection": "accounts", "allow_inheritance": True}


class Plain:
    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


class Nasty:
    id = "n"

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Nastier(Nasty):
    id = None  # type: ignore[assignment]

    def get_id(self) -> str:
        raise RuntimeError("no id")


KEY = ObjectId()


@pytest.mark.parametrize(
    ("user", "described"),
    [
        (None, (None, None, None)),
        ("acme:42", ("acme:42", "acme:42", None)),
        (42, ("42", "42", None)),
        (User("7"), ("7", "user 7", None)),
        (Plain(id=3), ("3", "3", None)),
        (Plain(pk=4), ("4", "4", None)),
        (Plain(), (None, None, None)),
        (Plain(is_anonymous=True, get_id=lambda: None), (None, None, None)),
        (Account(), (None, None, None)),
        (Account(id=KEY), (str(KEY), str(KEY), UserRef("Account", "accounts", KEY))),
        (Nasty(), ("n", "n", None)),
        (Nastier(), (None, "<unreadable Nastier>", None)),
        ("\ud800" + " x" * 2000, ("\\ud800" + " x" * 499 + " ",) * 2 + (None,)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_kind_of_user(user: Any, described: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Each kind of user has an id and a text as far as it gives them."""
    caplog.set_level(logging.CRITICAL)
    assert describe_user(user) == described
