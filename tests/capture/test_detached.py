"""Copies of objects hold what is loaded, and cannot ask a database for the rest."""

from __future__ import annotations

import builtins
import contextvars
import inspect
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.ext.associationproxy import association_proxy
from sqlalchemy.ext.hybrid import hybrid_property
from werkzeug.local import LocalProxy

from flask_tracking.capture.detached import detach
from flask_tracking.capture.orm import UNLOADED, UnloadedError, is_asking
from flask_tracking.capture.reach import MAX_NODES
from flask_tracking.capture.snapshot import describe_exception, foreign_text, snapshot
from flask_tracking.capture.users import describe_user
from flask_tracking.runtime import guard


class Base(orm.DeclarativeBase):
    """Declarative classes."""


class Role(Base):
    """What users have, and of which they print the name."""

    __tablename__ = "role"
    id = orm.mapped_column(sa.Integer, primary_key=True)
    name = orm.mapped_column(sa.String)
    user_id = orm.mapped_column(sa.ForeignKey("user.id"))

    def __repr__(self) -> str:
        return f"<Role {self.name}>"


class Row(Base):
    """A row that says what the test asks for."""

    __tablename__ = "user"
    id = orm.mapped_column(sa.Integer, primary_key=True)
    first = orm.mapped_column(sa.String)
    last = orm.mapped_column(sa.String)
    notes = orm.mapped_column(sa.String, deferred=True)
    initials = orm.column_property(sa.func.substr(first, 1, 1))
    roles = orm.relationship(Role)
    late_roles: orm.DynamicMapped[Role] = orm.relationship(Role, viewonly=True)
    written_roles: orm.WriteOnlyMapped[Role] = orm.relationship(Role, viewonly=True)
    role_names = association_proxy("roles", "name")
    say: Callable[[Any], str] = lambda self: "nothing"  # noqa: E731

    @hybrid_property
    def full(self) -> str:
        """Both names."""
        return f"{self.first} {self.last}"

    def __repr__(self) -> str:
        return type(self).say(self)


class Pair(Base):
    """A row with a key of two columns, and no text of its own."""

    __tablename__ = "pair"
    left = orm.mapped_column(sa.Integer, primary_key=True)
    right = orm.mapped_column(sa.String, primary_key=True)


class Imperative:
    """A class that is mapped afterwards."""

    def __repr__(self) -> str:
        return f"imperative {self.id} {self.first}"  # type: ignore[attr-defined]


class DataBase(orm.MappedAsDataclass, orm.DeclarativeBase):
    """Mapped dataclasses: their ``repr`` reads every attribute."""


class DataRow(DataBase):
    """A row whose ``repr`` is that of a dataclass."""

    __tablename__ = "data"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]


USERS = sa.Table("user", sa.MetaData())
USERS.append_column(sa.Column("id", sa.Integer, primary_key=True))
USERS.append_column(sa.Column("first", sa.String))
orm.registry().map_imperatively(Imperative, USERS)


class Bank(NamedTuple):
    """A session, and what its database was asked."""

    session: orm.Session
    traffic: list[str]


@pytest.fixture
def bank() -> Iterator[Bank]:
    """A database with one row of each class; nothing may be asked of it from here on."""
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    Base.metadata.create_all(engine)
    DataBase.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.add(Row(id=17, first="Ada", last="L.", notes="none", roles=[Role(id=1, name="admin")]))
        session.add_all([Pair(left=1, right="b"), DataRow(id=3, name="data")])
        session.commit()
        bank = Bank(session, [])
        sa.event.listen(engine, "before_cursor_execute", lambda *args: bank.traffic.append(args[2]))
        sa.event.listen(engine, "checkout", lambda *_: bank.traffic.append("checkout"))
        yield bank
    engine.dispose()


@pytest.fixture
def row(bank: Bank) -> Any:
    """A loaded row, of which neither the deferred column nor the relationships are loaded."""
    loaded = bank.session.get(Row, 17)
    bank.traffic.clear()
    return loaded


def say(monkeypatch: pytest.MonkeyPatch, text: Callable[[Any], str]) -> None:
    """Let the class of rows print what a test wants."""
    monkeypatch.setattr(Row, "say", text)


def load_roles(row: Any) -> None:
    """Load the roles and the deferred column of a row."""
    assert (len(row.roles), row.notes) == (1, "none")


@pytest.mark.parametrize(
    "text",
    [
        lambda row: row.first,
        lambda row: row.full,
        lambda row: row.initials,
        lambda row: f"{row.full.upper()} {getattr(row, 'nothing', '-')}",
    ],
)
def test_what_is_loaded_is_said(
    bank: Bank, row: Any, monkeypatch: pytest.MonkeyPatch, text: Callable[[Any], str]
) -> None:
    """A loaded row prints itself as it always does, and says no more when it is expired."""
    say(monkeypatch, text)
    expected = text(row)
    assert foreign_text(repr, row) == expected
    assert snapshot({"row": [row]}).value == {"row": [expected]}
    bank.session.commit()
    assert foreign_text(repr, row) == "<Row 17>"
    bank.session.close()
    assert foreign_text(repr, row) == "<Row 17>"
    assert bank.traffic == []
    assert not guard.failures


@pytest.mark.parametrize(
    "text",
    [
        lambda row: row.notes,
        lambda row: str(row.roles),
        lambda row: f"{len(row.roles)} roles",
        lambda row: f"{row.first} {list(row.role_names)}",
        lambda row: str(list(row.late_roles)),
        lambda row: str(row.late_roles),
        lambda row: str(row.written_roles.select()),
        lambda row: str(orm.object_session(row).get(Row, 17)),  # type: ignore[union-attr]
        lambda row: str(sa.inspect(row).session.execute(sa.text("select 1"))),
        lambda row: row.__setattr__("first", "Eve") or "set",
        lambda row: str(row.roles.append(Role())),
    ],
)
def test_what_is_not_loaded_is_not_loaded(
    bank: Bank, row: Any, monkeypatch: pytest.MonkeyPatch, text: Callable[[Any], str]
) -> None:
    """A text that needs a relationship, a deferred column or the session is left out."""
    say(monkeypatch, text)
    assert foreign_text(repr, row) == foreign_text(str, row) == "<Row 17>"
    assert bank.traffic == []
    assert not bank.session.dirty
    assert not guard.failures


def test_related_objects_are_copied(bank: Bank, row: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a row's loaded relationships say is said, up to where something is not loaded."""
    say(monkeypatch, lambda row: f"{row.notes} {row.roles}")
    load_roles(row)
    bank.traffic.clear()
    assert foreign_text(repr, row) == "none [<Role admin>]"
    bank.session.expire(row.roles[0])
    assert foreign_text(repr, row) == "<Row 17>"
    assert bank.traffic == []


def test_rows_of_every_mapping(bank: Bank) -> None:
    """Imperative mappings, dataclasses and composite keys are described alike."""
    found = [bank.session.get(Imperative, 17), bank.session.get(DataRow, 3)]
    found.append(bank.session.get(Pair, (1, "b")))  # type: ignore[arg-type]
    bank.traffic.clear()
    loaded = ["imperative 17 Ada", "DataRow(id=3, name='data')", "<Pair 1,b>"]
    assert [foreign_text(repr, row) for row in found] == loaded
    bank.session.commit()
    expired = ["<Imperative 17>", "<DataRow 3>", "<Pair 1,b>"]
    assert [foreign_text(repr, row) for row in found] == expired
    assert [describe_user(row)[:2] for row in found] == [("17", "17"), ("3", "3"), ("1,b", "1,b")]
    assert bank.traffic == []


def test_new_and_deleted_rows(bank: Bank, row: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row without a key yet has its class, a deleted one its key; pending ones are not flushed."""
    new = Pair()
    bank.session.add(new)
    bank.session.delete(row)
    say(monkeypatch, lambda row: row.notes)
    assert (foreign_text(repr, new), foreign_text(repr, row)) == ("<Pair>", "<Row 17>")
    assert describe_user(new) == (None, None, None)
    assert bank.traffic == []


def test_queries_are_not_sent(bank: Bank, row: Any) -> None:
    """Queries, lazy collections and rows of a result are named; neither flushed, sent nor counted."""
    bank.session.add(Pair(left=2, right="c"))
    (result,) = bank.session.execute(sa.select(Role, Role.id)).all()
    values = [row.late_roles, bank.session.query(Row), row.role_names, result]
    bank.session.expire(result[0])
    bank.session.add(Pair(left=3, right="d"))
    bank.traffic.clear()
    copied = snapshot({"values": values}).value
    assert copied == {"values": ["<AppenderQuery>", "<Query>", "<_AssociationList>", "<Row>"]}
    assert [foreign_text(str, value) for value in values] == copied["values"]
    assert bank.traffic == []


class Wrapper:
    """A user that is no row but holds one, as apps write them for Flask-Login."""

    def __init__(self, row: Any) -> None:
        self.row = row

    def get_id(self) -> str:
        """Return the id of the row."""
        return str(self.row.id)

    def __repr__(self) -> str:
        return f"wrapped {self.row.first}"


class Slotted:
    """The same in a slot."""

    __slots__ = ("__row", "unset")

    def __init__(self, row: Any) -> None:
        self.__row = row

    def __repr__(self) -> str:
        return f"slotted {self.__row.first}"


@dataclass
class Dated:
    """The same as a dataclass, which holds itself as well."""

    row: Any
    me: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.me = self


class Beside(Wrapper):
    """The same beside much else."""

    def __init__(self, crowd: Any, row: Any) -> None:
        self.crowd = crowd
        super().__init__(row)

    def __repr__(self) -> str:
        return f"beside {self.row}"


class View(Mapping[str, Any]):
    """A mapping that reads from an object."""

    def __init__(self, row: Any) -> None:
        self._row = row

    def __getitem__(self, key: str) -> Any:
        return getattr(self._row, key)

    def __iter__(self) -> Iterator[str]:
        return iter(["first"])

    def __len__(self) -> int:
        return 1


class Tupled(NamedTuple):
    """The same as a tuple with names."""

    first: Any


class ShopError(Exception):
    """An exception that keeps its object to itself."""

    def __init__(self, row: Any) -> None:
        self.row = row
        super().__init__()

    def __str__(self) -> str:
        return f"no {self.row.first}"


@pytest.mark.parametrize(
    ("make", "loaded", "expired"),
    [
        (Wrapper, "wrapped Ada", "<Wrapper>"),
        (Slotted, "slotted Ada", "<Slotted>"),
        (Dated, "Dated(row=Ada)", "<Dated>"),
        (lambda row: Wrapper(SimpleNamespace(first=[row])), "wrapped [Ada]", "<Wrapper>"),
        (lambda row: deque([{"a": (row,)}]), "deque([{'a': (Ada,)}])", "<deque>"),
        (lambda row: Wrapper(Tupled(row)), "wrapped Ada", "<Wrapper>"),
        (lambda row: Wrapper(row).get_id, "<method>", "<method>"),
        (KeyError, "Ada", "<Row 17>"),
        (lambda row: LookupError("no", row), "('no', Ada)", "('no', <Row 17>)"),
        (lambda row: OSError(2, row), "[Errno 2] Ada", "[Errno 2] <Row 17>"),
        (ShopError, "no Ada", "<ShopError>"),
    ],
)  # fmt: skip
def test_what_holds_a_row(
    bank: Bank, row: Any, monkeypatch: pytest.MonkeyPatch, make: Any, loaded: str, expired: str
) -> None:
    """An ordinary object that leads to a row says what is loaded, and asks nothing."""
    say(monkeypatch, lambda row: row.first)
    holder = make(row)
    assert foreign_text(str, holder) == loaded
    bank.session.commit()
    assert foreign_text(str, holder) == expired
    assert bank.traffic == []
    assert not guard.failures


def test_user_that_holds_a_row(bank: Bank, row: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user that wraps a row has the row's id while it is loaded."""
    user = Wrapper(row)
    assert describe_user(user) == ("17", "wrapped Ada", None)
    bank.session.commit()
    assert describe_user(user) == (None, None, None)
    assert bank.traffic == []


class Late:
    """A user that looks its row up when it is asked for its name."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.id = 17

    def __str__(self) -> str:
        return f"late {self.session.get(Row, self.id, populate_existing=True).first}"


def test_user_that_holds_a_session(bank: Bank) -> None:
    """What can ask a database for anything is taken out of the copy; what is there is said."""
    sessions = orm.scoped_session(orm.sessionmaker(bank.session.get_bind()))
    users = [Late(bank.session), Late(sessions)]
    assert str(users[0]) == "late Ada"
    with bank.session.connection() as connection:
        bank.traffic.clear()
        users += [Late(connection), Late(connection.engine)]
        assert [describe_user(user) for user in users] == [("17", "17", None)] * 4
        assert [foreign_text(str, user) for user in users] == ["<Late>"] * 4
        assert describe_exception(ShopError(users[0])).message == "<ShopError>"
        assert bank.traffic == []


def test_traceback_of_causes(bank: Bank, row: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A traceback shows its causes and contexts, each with what its text can say."""
    say(monkeypatch, lambda row: row.first)
    bank.session.commit()
    try:
        try:
            try:
                raise KeyError("plain")
            except KeyError:
                raise ShopError(row)  # noqa: B904
        except ShopError as error:
            raise ValueError("asked for", row) from error
    except ValueError as error:
        described = describe_exception(error)
        assert (error.args, error.__cause__.args) == (("asked for", row), ())  # type: ignore[union-attr]
    lines = described.traceback.splitlines()
    assert [line for line in lines if line and line[0] != " " and "Error" in line] == [
        "KeyError: 'plain'",
        "tests.capture.test_detached.ShopError: <exception str() failed>",
        "ValueError: ('asked for', <Row 17>)",
    ]
    assert lines.count("Traceback (most recent call last):") == 3
    assert "test_traceback_of_causes" in lines[1]
    assert bank.traffic == []


@pytest.mark.skipif(not hasattr(builtins, "ExceptionGroup"), reason="Python 3.11")
def test_group_of_exceptions(bank: Bank, row: Any) -> None:
    """A group of exceptions shows each of them."""
    bank.session.commit()
    group = vars(builtins)["ExceptionGroup"]("two", [KeyError(row), ValueError("plain")])
    described = describe_exception(group)
    assert described.message == "two (2 sub-exceptions)"
    assert "KeyError: <Row 17>\n" in described.traceback
    assert "ValueError: plain\n" in described.traceback
    assert bank.traffic == []


def test_object_is_not_changed(bank: Bank, row: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a text sets is set on the copy; nothing of the copy is left."""
    copies: list[Any] = []

    def set_and_say(row: Any) -> str:
        row.seen = True
        copies.append(weakref.ref(row))
        return "seen"

    say(monkeypatch, set_and_say)
    assert foreign_text(repr, row) == "seen"
    assert "seen" not in vars(row)
    assert [copy() for copy in copies] == [None]


def test_finalizer_does_not_run(row: Any) -> None:
    """No copy is made of an object with ``__del__``, which would run for the copy as well."""
    ended = []

    class Cursor(Wrapper):
        def __del__(self) -> None:
            ended.append(self)

    cursor = Cursor(row)
    assert detach(cursor) is UNLOADED
    assert foreign_text(repr, cursor) == "<Cursor>"
    assert ended == []


@pytest.mark.parametrize(
    "value", [None, 1, "a", Wrapper(1), KeyError(1), [Wrapper], Row, {}, Tupled(2), partial]
)
def test_everything_else_is_as_it_was(value: Any) -> None:
    """What leads to no row is converted itself."""
    assert detach(value) is value


def test_search_has_an_end(row: Any) -> None:
    """A row is looked for within bounds: past them an object counts as one without."""
    far: Any = row
    for _ in range(10):
        far = [far]
    assert detach(far) is far
    crowd = [object() for _ in range(MAX_NODES)]
    holder = SimpleNamespace(crowd=[*crowd, row])
    assert detach(holder) is holder
    # What is near is found first, whatever stands before it.
    assert foreign_text(repr, Beside([[crowd]], row)) == "beside nothing"


def test_mapping_over_a_row(bank: Bank, row: Any) -> None:
    """A mapping of somebody else's that reads from a row is not walked, as that would load it."""
    mapping = View(row)
    bank.session.commit()
    assert snapshot({"view": mapping}).value["view"] == "<View>"
    assert bank.traffic == []


def test_unloaded_value_raises() -> None:
    """Whatever is done with a value that is not there raises."""
    uses: list[Callable[[Any], Any]] = [str, repr, bool, len, iter, hash, int, format]
    uses += [lambda value: value.name, lambda value: value == 1, lambda value: isinstance(value, str)]
    context = contextvars.Context()
    context.run(is_asking.set, True)
    for use in uses:
        with pytest.raises((UnloadedError, TypeError)):
            context.run(use, UNLOADED)


def test_whoever_looks_at_all_objects_may_look_at_an_unloaded_value() -> None:
    """gevent's ``patch_all`` asks every object of the process for its class, debuggers for more."""
    assert not isinstance(UNLOADED, threading.RLock().__class__)
    assert not hasattr(UNLOADED, "__wrapped__")
    assert inspect.unwrap(UNLOADED) is UNLOADED


def test_classes_are_not_kept_alive(row: Any, collect: Callable[[], None]) -> None:
    """What is remembered of a class goes with the class."""

    class Brief:
        __slots__ = ("row",)
        row: Any

    brief = Brief()
    brief.row = row
    assert detach(brief) is not brief
    kind = weakref.ref(Brief)
    del brief, Brief
    collect()
    assert kind() is None


def test_other_proxies_are_not_looked_into() -> None:
    """A proxy within an object is resolved by the object's own text only."""

    def fail() -> Any:
        raise AssertionError

    value = Wrapper(LocalProxy(fail))
    assert detach(value) is value
