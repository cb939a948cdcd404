"""Objects of ORMs are described by what is loaded: tracking sends no statement of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import mongoengine
import peewee
import pytest
import sqlalchemy as sa
from bson import DBRef
from flask import Flask, request, session
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user, logout_user
from flask_sqlalchemy import SQLAlchemy
from pymongo.monitoring import CommandListener
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError
from werkzeug.routing import BaseConverter
from werkzeug.test import TestResponse

from flask_tracking import MemoryExporter, Record, Tracking, current_span
from flask_tracking.capture.orm import find_key, find_library, name_object
from flask_tracking.capture.snapshot import foreign_text, snapshot
from flask_tracking.capture.users import describe_user
from flask_tracking.record import UserRef
from flask_tracking.runtime import guard


class Shop:
    """An app on Flask-SQLAlchemy and Flask-Login, and what reaches its database."""

    def __init__(self, is_tracked: bool, **settings: Any) -> None:
        self.app = app = Flask("shop")
        app.secret_key = "not a secret"
        app.config.update(SQLALCHEMY_DATABASE_URI="sqlite://", TRACKING_WORKER="sync", **settings)
        app.logger.disabled = True
        self.memory = MemoryExporter()
        if is_tracked:
            Tracking(app, exporter=self.memory)
        self.db = SQLAlchemy(app)
        self.traffic: list[str] = []
        self.User = add_models(self.db)
        add_logins(app, self.db, self.User)
        add_views(app, self.db, self.User)
        with app.app_context():
            self.db.create_all()
            self.db.session.add(self.User(id=17, name="ada", token="t0ken"))
            self.db.session.add(self.User(id=18, name="eve", token="other"))
            self.db.session.commit()
            self.watch(self.db.engine)

    def watch(self, engine: sa.Engine) -> None:
        """Write down every statement, and every connection that is taken from the pool."""

        @event.listens_for(engine, "before_cursor_execute")
        def on_statement(*args: Any) -> None:
            self.traffic.append(args[2])

        @event.listens_for(engine, "checkout")
        def on_checkout(*_: Any) -> None:
            self.traffic.append("checkout")

    def close(self) -> None:
        """Close the connection of the database in memory."""
        with self.app.app_context():
            self.db.session.remove()
            self.db.engine.dispose()


def add_models(db: SQLAlchemy) -> Any:
    """Return a user class whose text needs a column, with a relationship."""

    class Order(db.Model):  # type: ignore[name-defined]
        id = db.Column(db.Integer, primary_key=True)
        user_id = db.Column(db.ForeignKey("user.id"))

    class User(UserMixin, db.Model):  # type: ignore[name-defined]
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String, unique=True)
        token = db.Column(db.String)
        orders = db.relationship(Order)

        def get_id(self) -> str:
            return f"u-{self.id}"

        def __str__(self) -> str:
            return f"{self.name} ({self.id})"

        def __repr__(self) -> str:
            return f"<User {self.name} with {len(self.orders)} orders>"

    return User


def add_logins(app: Flask, db: SQLAlchemy, User: Any) -> None:
    """Log users in by session and by header."""
    manager = LoginManager(app)

    @manager.user_loader
    def load(user_id: str) -> Any:
        return db.session.get(User, int(user_id[2:]))

    @manager.request_loader
    def load_by_header(request: Any) -> Any:
        token = request.headers.get("X-Token")
        return db.session.execute(sa.select(User).filter_by(token=token)).scalar() if token else None


def add_views(app: Flask, db: SQLAlchemy, User: Any) -> None:
    """Add views that leave the user in every state."""

    class UserConverter(BaseConverter):
        def to_python(self, value: str) -> Any:
            return db.session.get(User, int(value))

    app.url_map.converters["user"] = UserConverter

    @app.get("/login/<int:user_id>")
    def login(user_id: int) -> str:
        login_user(db.session.get(User, user_id))
        return "in"

    @app.get("/login-and-commit")
    def login_and_commit() -> str:
        user: Any = db.session.get(User, 17)
        login_user(user)
        user.name = "ada l."
        db.session.commit()
        return "in"

    @app.get("/logout")
    def logout() -> str:
        current_user.name = "gone"
        db.session.commit()
        logout_user()
        return "out"

    @app.get("/read")
    @login_required
    def read() -> str:
        return str(current_user.name)

    @app.get("/public")
    def public() -> str:
        return "anyone"

    @app.get("/commit")
    @login_required
    def commit() -> str:
        current_user.name = "ada l."
        db.session.commit()
        return "changed"

    @app.get("/rollback")
    @login_required
    def rollback() -> str:
        current_user.name = "ada l."
        db.session.rollback()
        return "unchanged"

    @app.get("/close")
    @login_required
    def close() -> str:
        db.session.commit()
        db.session.close()
        return "closed"

    @app.get("/detach")
    @login_required
    def detach() -> str:
        db.session.expire(current_user._get_current_object())
        db.session.expunge_all()
        return "detached"

    @app.get("/integrity")
    @login_required
    def integrity() -> str:
        db.session.add(User(name=current_user.name))
        db.session.commit()
        return "never"

    @app.get("/integrity-answered")
    @login_required
    def integrity_answered() -> tuple[str, int]:
        db.session.add(User(name=current_user.name))
        try:
            db.session.commit()
        except IntegrityError:
            db.session.rollback()
        return "taken", 409

    @app.get("/raise")
    @login_required
    def raise_user() -> str:
        user = current_user._get_current_object()
        db.session.commit()
        try:
            raise LookupError("no orders", [user])
        except LookupError as error:
            raise KeyError(user) from error

    @app.get("/user/<user:user>")
    def show(user: Any) -> str:
        return str(user.name)

    @app.get("/custom")
    def custom() -> str:
        user = db.session.get(User, 17)
        current_span().set("fresh", user)
        db.session.commit()
        current_span().set("expired", [user, {"user": user}])
        request._tracking_data = {"late": user}  # type: ignore[attr-defined]
        return "noted"

    @app.get("/proxy")
    def proxy() -> str:
        current_span().set("user", current_user)
        return "noted"

    @app.get("/set-proxy")
    def set_proxy() -> str:
        current_span().set_user(current_user)
        return "noted"

    @app.get("/commit-and-set-proxy")
    @login_required
    def commit_and_set_proxy() -> str:
        db.session.commit()
        current_span().set_user(current_user)
        return "set"

    @app.get("/set-user")
    def set_user() -> str:
        user = db.session.get(User, 17)
        db.session.commit()
        current_span().set_user(user, user_repr=user)
        return "set"

    @app.get("/stale")
    def stale() -> str:
        session["_user_id"] = "u-99"
        return "stale"


@pytest.fixture
def shops() -> Iterator[tuple[Shop, Shop]]:
    """Return the same app, with tracking off and on."""
    both = Shop(is_tracked=False), Shop(is_tracked=True)
    yield both
    for shop in both:
        shop.close()


Ask = Callable[..., Record]


@pytest.fixture
def ask(shops: tuple[Shop, Shop]) -> Ask:
    """Ask paths of both apps, the last one is compared: what the client and the database see."""

    def ask(*paths: str, headers: dict[str, str] | None = None) -> Record:
        seen = [see(shop, paths, headers) for shop in shops]
        assert seen[1] == seen[0]
        assert not guard.failures
        return shops[1].memory.records[-1]

    return ask


def see(shop: Shop, paths: tuple[str, ...], headers: dict[str, str] | None) -> list[Any]:
    """Return answers, with headers, and the traffic of the database."""
    client = shop.app.test_client()
    answers: list[TestResponse] = []
    shop.traffic.clear()
    for path in paths:
        answers.append(client.get(path, headers=headers))
    # A session cookie carries the second in which it was signed.
    headers_of = [[pair for pair in answer.headers if pair[0] != "Set-Cookie"] for answer in answers]
    return [[(a.status, a.text) for a in answers], headers_of, list(shop.traffic)]


def user_of(record: Record) -> tuple[Any, ...]:
    """Return all that a record says of its user."""
    return record.user_id, record.user_repr, record.user


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/read", "ada (17)"),
        ("/public", "u-17"),
        ("/commit", "u-17"),
        ("/rollback", "u-17"),
        ("/close", "u-17"),
        ("/detach", "u-17"),
        ("/integrity", "u-17"),
        ("/integrity-answered", "u-17"),
        ("/raise", "u-17"),
        ("/set-proxy", "u-17"),
    ],
)
def test_user_of_the_session(ask: Ask, path: str, text: str) -> None:
    """Whatever a view does to the user, the record has its id, and its text as long as it is loaded."""
    record = ask("/login/17", path)
    assert user_of(record) == ("u-17", text, None)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/read", "ada (17)"),
        ("/commit", "ada (17)"),
        ("/close", "ada (17)"),
        ("/integrity", "ada (17)"),
        ("/commit-and-set-proxy", "ada (17)"),
    ],
)
@pytest.mark.parametrize("before", [(), ("/stale",)], ids=["no session", "stale session"])
def test_user_of_a_header(ask: Ask, path: str, text: str, before: tuple[str, ...]) -> None:
    """A user that a header names is described as soon as it is loaded: no session names it later."""
    record = ask("/public", *before, path, headers={"X-Token": "t0ken"})
    assert user_of(record) == ("u-17", text, None)


@pytest.mark.parametrize(
    ("paths", "described"),
    [
        (["/login-and-commit"], ("u-17", "u-17", None)),
        (["/login/17", "/logout"], (None, None, None)),
        (["/login/17", "/stale", "/read"], (None, None, None)),
        (["/stale", "/public"], ("u-99", "u-99", None)),
        (["/set-proxy"], (None, None, None)),
        # Set by the view and expired: not the session's user, so it is named by its primary key.
        (["/login/18", "/set-user"], ("17", "<User 17>", None)),
    ],
)
def test_who_is_logged_in(ask: Ask, paths: list[str], described: Any) -> None:
    """Login, logout, a session of a deleted user and set_user each give the right id, or none."""
    assert user_of(ask(*paths)) == described


def test_user_of_a_header_is_not_kept_alive(shops: tuple[Shop, Shop]) -> None:
    """A user that is looked at goes when the app lets go of it, as without tracking."""
    shop = shops[1]
    left: list[int] = []

    @shop.app.get("/let-go")
    def let_go() -> str:
        current_span().set_user(shop.db.session.get(shop.User, 17))
        left.append(len(shop.db.session.identity_map))
        return "gone"

    assert shop.app.test_client().get("/let-go").text == "gone"
    assert left == [0]
    assert user_of(shop.memory.records[0]) == ("u-17", "ada (17)", None)


def test_custom_data(ask: Ask) -> None:
    """An ORM object in custom data is its class and its key, unless its own text is loaded."""
    record = ask("/custom")
    assert record.custom_data == {
        "fresh": "<User 17>",
        "expired": ["<User 17>", {"user": "<User 17>"}],
        "late": "<User 17>",
    }


def test_current_user_in_custom_data(ask: Ask) -> None:
    """Flask-Login's proxy is no reason to load the user: the id in the session stands for it."""
    assert ask("/proxy").custom_data == {"user": None}
    assert ask("/login/17", "/proxy").custom_data == {"user": "u-17"}


def test_view_args(ask: Ask) -> None:
    """What a URL converter has loaded is named by what of it is there."""
    assert ask("/user/17").view_args == {"user": "ada (17)"}


def test_exception_with_an_object(ask: Ask) -> None:
    """An exception's text names the expired objects among its arguments, and so do its causes'."""
    exception = ask("/login/17", "/raise").exception
    assert exception is not None
    assert (exception.type, exception.message) == ("KeyError", "<User 17>")
    assert "LookupError: ('no orders', <list>)\n" in exception.traceback
    assert "in raise_user" in exception.traceback
    assert exception.traceback.endswith("KeyError: <User 17>\n")


class Commands(CommandListener):
    """What is asked of MongoDB."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def started(self, event: Any) -> None:
        """Note a command."""
        self.sent.append(event.command_name)

    def succeeded(self, event: Any) -> None:
        """Do nothing."""

    def failed(self, event: Any) -> None:
        """Do nothing."""


class Team(mongoengine.Document):
    """What members refer to."""

    name = mongoengine.StringField()
    meta = {"db_alias": "orm"}

    def __str__(self) -> str:
        return f"team {self.name}"


class Address(mongoengine.EmbeddedDocument):
    """A part of a member."""

    city = mongoengine.StringField()
    team = mongoengine.ReferenceField(Team)

    def __str__(self) -> str:
        return f"in {self.city}"


class Member(mongoengine.Document):
    """A user with every kind of reference."""

    name = mongoengine.StringField()
    address = mongoengine.EmbeddedDocumentField(Address)
    team = mongoengine.ReferenceField(Team)
    teams = mongoengine.ListField(mongoengine.ReferenceField(Team))
    anything = mongoengine.GenericReferenceField()
    photo = mongoengine.FileField(db_alias="orm")
    meta = {"db_alias": "orm"}
    text: Callable[[Any], str] = lambda self: "nothing"  # noqa: E731

    def __str__(self) -> str:
        return type(self).text(self)


@pytest.fixture
def commands(database_uri: str) -> Iterator[Commands]:
    """Connect documents to a database, with one member in it."""
    commands = Commands()
    mongoengine.connect(
        host=database_uri, alias="orm", event_listeners=[commands], uuidRepresentation="standard"
    )
    team = Team(name="red").save()
    address = Address(city="Bonn", team=team)
    member = Member(name="ada", address=address, team=team, teams=[team], anything=team)
    member.photo.put(b"photo")
    member.save()
    yield commands
    mongoengine.disconnect("orm")


@pytest.mark.parametrize(
    ("text", "said", "said_later"),
    [
        (lambda member: member.name, "ada", "ada"),
        (lambda member: f"{member.name} {member.address}", "ada in Bonn", "ada in Bonn"),
        (lambda member: str(member.team), None, "team red"),
        (lambda member: f"{member.teams}", None, "[<Team: team red>]"),
        (lambda member: f"{member.anything}", None, "team red"),
        (lambda member: f"{member.address.team}", None, "team red"),
        (lambda member: f"{member.photo}", None, None),
    ],
)
def test_mongoengine_document(
    commands: Commands,
    monkeypatch: pytest.MonkeyPatch,
    text: Callable[[Any], str],
    said: str | None,
    said_later: str | None,
) -> None:
    """A document says what it holds, and what it refers to only once the app has loaded that."""
    monkeypatch.setattr(Member, "text", text)
    member = Member.objects.get()
    named, key = f"<Member {member.id}>", str(member.id)
    for expected in (said, said_later):
        commands.sent.clear()
        reference = UserRef("Member", "member", member.id)
        assert describe_user(member) == (key, expected or key, reference)
        assert foreign_text(repr, member) == (f"<Member: {expected}>" if expected else named)
        assert commands.sent == []
        text(member)  # the app's own, which may load
    assert not guard.failures


def test_mongoengine_queryset(commands: Commands) -> None:
    """A queryset is not sent to be printed."""
    members = Member.objects(name="ada")
    commands.sent.clear()
    assert snapshot({"members": members}).value == {"members": "<QuerySet>"}
    assert commands.sent == []


class Sent(logging.Handler):
    """What peewee asks its database."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.statements: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Note a statement."""
        self.statements.append(str(record.msg))


@pytest.fixture
def sent() -> Iterator[Sent]:
    """Return what peewee sends from here on."""
    logger, sent = logging.getLogger("peewee"), Sent()
    logger.addHandler(sent)
    logger.setLevel(logging.DEBUG)
    yield sent
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(sent)


def test_peewee(sent: Sent) -> None:
    """Models of peewee say what is loaded; foreign keys and back references are not followed."""
    database = peewee.SqliteDatabase(":memory:")

    class Model(peewee.Model):
        class Meta:
            database = None

    class Group(Model):
        people: Any
        name = peewee.CharField()

        def __str__(self) -> str:
            return f"{len(self.people)} people"

    class Person(Model):
        name = peewee.CharField()
        group = peewee.ForeignKeyField(Group, backref="people")

        def __str__(self) -> str:
            return str(self.name)

        def __repr__(self) -> str:
            return f"{self.name} of {self.group.name}"

    class Pair(Model):
        left = peewee.IntegerField()
        right = peewee.CharField()

        class Meta:
            primary_key = peewee.CompositeKey("left", "right")

    with database.bind_ctx([Group, Person, Pair]), database.connection_context():
        database.create_tables([Group, Person, Pair])
        Person.create(name="ada", group=Group.create(name="red"))
        Pair.create(left=1, right="b")
        person, group, pair = Person.get(), Group.get(), Pair.get()
        sent.statements.clear()
        texts = [foreign_text(repr, value) for value in (person, group, pair, group.people)]
        assert texts == ["<Person 1>", "<Group 1>", "<Pair: (1, 'b')>", "<ModelSelect>"]
        assert describe_user(person) == ("1", "ada", None)
        assert describe_user(group) == ("1", "1", None)
        assert find_key(pair) == "1,b"
        assert sent.statements == []


def make_model(module: str, name: str, **attributes: Any) -> Any:
    """Make an instance of a class whose base is named like that of a library."""
    base = type(name, (), {"__module__": module})
    user = type("User", (base,), {"__repr__": lambda self: "asked", "__str__": lambda self: "asked"})()
    vars(user).update(attributes)
    return user


class PrimaryKey:
    """A model's description of itself, as Django's."""

    class pk:
        attname = "number"


@pytest.mark.parametrize(
    ("user", "key"),
    [
        (make_model("django.db.models.base", "Model", _meta=PrimaryKey, number=17), "17"),
        (make_model("pony.orm.core", "Entity", _pkval_=(1, "b")), "1,b"),
        (make_model("sqlobject.main", "SQLObject", id=3), "3"),
        (make_model("sqlobject.main", "SQLObject"), None),
        (make_model("mongoengine.fields", "GridFSProxy", grid_id=DBRef("files", 5)), "5"),
    ],
    ids=lambda value: type(value).__mro__[-2].__name__,
)
def test_other_libraries(user: Any, key: str | None) -> None:
    """Objects of libraries that cannot be copied are named by their key, and not asked."""
    assert find_key(user) == key
    assert (
        foreign_text(repr, user) == name_object(user) == ("<User>" if key is None else f"<User {key}>")
    )
    assert describe_user(user) == (key, key, None)


def test_ordinary_classes() -> None:
    """An ordinary class belongs to no library, whatever it is called."""

    class Model:
        pass

    assert find_library(Model) is None
    assert find_key(Model()) is None
    assert name_object(Model()) == "<Model>"
