"""What users hand over is copied at once, within bounds, into what MongoDB can hold."""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import pathlib
import types
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from unittest import mock

import bson
import pytest
from bson import Decimal128, ObjectId
from werkzeug.local import LocalProxy

from flask_tracking.capture.snapshot import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    MAX_REPR,
    Snapshot,
    describe_exception,
    foreign_text,
    snapshot,
)
from flask_tracking.runtime import guard
from flask_tracking.runtime.text import LONGEST_WORD, clean_text

SECRET = "hunter2"
TOO_MANY = "custom data has too many values: the rest was cut"
TOO_LARGE = "custom data is too large: a text was cut"
AS_REPR = "objects in custom data were stored as their repr"
AS_TEXT = "integers past 64 bits were stored as text"
SURROGATES = "lone surrogates in custom data were escaped"

PLAIN = (
    type(None), bool, int, float, str, bytes, dt.datetime, ObjectId, Decimal128, dict, list,
)  # fmt: skip
"""Exactly these types leave the request thread as custom data, no class derived from them."""

EAST = dt.timezone(dt.timedelta(hours=5, minutes=30))
AN_ID = ObjectId("0123456789abcdef01234567")
A_UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")


def short(value: object) -> str:
    """Name a parameter, which may be long or broken."""
    try:
        return repr(value)[:30]
    except Exception:
        return type(value).__name__


def assert_plain(value: Any) -> None:
    """Assert that nothing in `value` is alive."""
    assert type(value) in PLAIN
    if isinstance(value, dict):
        for key, item in value.items():
            assert type(key) is str
            assert_plain(item)
    elif isinstance(value, list):
        for item in value:
            assert_plain(item)


def take(value: object) -> Snapshot:
    """Take a snapshot, and assert what holds for each: it is plain, and MongoDB can hold it."""
    taken = snapshot(value)
    assert_plain(taken.value)
    assert bson.decode(bson.encode({"v": taken.value})).keys() == {"v"}
    return taken


class Colour(enum.Enum):
    """A plain enum."""

    RED = 1


class Level(enum.IntEnum):
    """An enum that is a number."""

    HIGH = 7


class Kind(str, enum.Enum):
    """An enum that is a text."""

    ORDER = "order"


class Point(NamedTuple):
    """A tuple with names."""

    x: int
    y: int


@dataclasses.dataclass
class Order:
    """An object with an ordinary ``repr``."""

    number: int


class Loud(str):
    """A text that shouts when it is asked for itself."""

    __slots__ = ()

    def __str__(self) -> str:
        return self.upper()


class Odd(int):
    """A number of its own kind."""


class Share(float):
    """A float of its own kind."""


class Blob(bytes):
    """Bytes of their own kind."""


class Stamp(dt.datetime):
    """A time of its own kind."""


class OwnId(ObjectId):
    """An id of its own kind."""


class Broken:
    """An object that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError(SECRET)


class Detached:
    """A lazy object that has lost its session: it raises whatever it is asked."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError(SECRET)

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(SECRET)

    def __repr__(self) -> str:
        raise RuntimeError(SECRET)


class Liar:
    """An object whose ``repr`` is no text."""

    def __repr__(self) -> str:
        return 17  # type: ignore[return-value]


class Row(Mapping[str, Any]):
    """A mapping that loads its values when they are asked for, until its connection breaks."""

    def __init__(self, working: int = 2) -> None:
        self.left = working

    def __getitem__(self, key: str) -> Any:
        if not self.left:
            raise ConnectionError(SECRET)
        self.left -= 1
        return key.upper()

    def __iter__(self) -> Iterator[str]:
        return iter("abc")

    def __len__(self) -> int:
        return 3


class Endless(list[int]):
    """A list that has no end."""

    def __iter__(self) -> Iterator[int]:
        while True:
            yield 1

    def __len__(self) -> int:
        return 2**62


SAME: list[Any] = [
    None, True, False, 0, -1, 17, 2**63 - 1, -(2**63), 0.5, float("inf"),
    "", "text", "nul \0 in a text", "日本語", "👩", "x" * 5000, b"", b"\x00\xff",
    AN_ID, Decimal128("1.50"), dt.datetime(2026, 11, 24, 12, 0),
    {}, [], {"a": {"b": [1, None]}}, {"$set": 1, "a.b": 2, "": 3},
]  # fmt: skip


@pytest.mark.parametrize("value", SAME, ids=short)
def test_what_mongodb_holds_is_as_it_was(value: Any) -> None:
    """What BSON has a type for is copied as it is, without a note."""
    taken = take(value)

    assert taken.value == value
    assert type(taken.value) is type(value)
    assert taken.notes == ()
    assert taken.is_plain


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ((1, "a"), [1, "a"]),
        ({17}, [17]),
        (frozenset({"a"}), ["a"]),
        (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (collections.defaultdict(list, a=[1]), {"a": [1]}),
        ({"a": 1}.keys(), ["a"]),
        (Point(3, 4), [3, 4]),
        (bytearray(b"bytes"), b"bytes"),
        (Loud("quiet"), "quiet"),
        (Odd(5), 5),
        (Share(0.5), 0.5),
        (Blob(b"blob"), b"blob"),
        (Level.HIGH, 7),
        (Kind.ORDER, "order"),
        (bson.Int64(5), 5),
        (bson.Binary(b"data", 2), b"data"),
        (bson.SON([("a", 1)]), {"a": 1}),
        (decimal.Decimal("19.90"), Decimal128("19.90")),
        (decimal.Decimal("1E+6000"), Decimal128("1E+6000")),
        (decimal.Decimal("NaN"), Decimal128("NaN")),
        (decimal.Decimal("-Infinity"), Decimal128("-Infinity")),
        (dt.date(2026, 11, 24), "2026-11-24"),
        (dt.time(12, 30), "12:30:00"),
        (A_UUID, "12345678-1234-5678-1234-567812345678"),
        (
            dt.datetime(2026, 11, 24, 17, 30, tzinfo=EAST),
            dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.timezone.utc),
        ),
        (Stamp(2026, 11, 24), dt.datetime(2026, 11, 24)),
        (
            Stamp(2026, 11, 24, 17, 30, tzinfo=EAST),
            dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.timezone.utc),
        ),
        (OwnId(AN_ID), AN_ID),
    ],
    ids=short,
)
def test_what_is_nearly_plain_becomes_plain(value: object, stored: object) -> None:
    """Relatives of plain types become the plain type with the same content."""
    taken = take(value)

    assert taken.value == stored
    assert type(taken.value) is type(stored)


def test_truth_stays_truth() -> None:
    """True, False and None inside of something do not become numbers."""
    taken = take({"yes": [True], "no": (False,), "none": {None}})

    assert taken.value["yes"][0] is True
    assert taken.value["no"][0] is False
    assert taken.value["none"][0] is None


def test_times_are_utc() -> None:
    """A time with a zone is stored in UTC: the moment is the same, the zone is not kept."""
    taken = take(dt.datetime(2026, 11, 24, 17, 30, tzinfo=EAST))

    assert taken.value.tzinfo is dt.timezone.utc
    assert taken.value.hour == 12


def test_not_a_number_stays_one() -> None:
    """NaN is stored as NaN."""
    assert take(float("nan")).value != take(float("nan")).value
    assert take([float("nan")]).value[0] != 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Colour.RED, "<Colour.RED: 1>"),
        (Order(17), "Order(number=17)"),
        (1 + 2j, "(1+2j)"),
        (dt.timedelta(seconds=90), "datetime.timedelta(seconds=90)"),
        (pathlib.PurePosixPath("/a"), "PurePosixPath('/a')"),
        (range(3), "range(0, 3)"),
        (int, "<class 'int'>"),
        (array.array("B", [1, 2]), "array('B', [1, 2])"),
        (collections.deque([1]), "deque([1])"),
        (ValueError("wrong"), "ValueError('wrong')"),
        (bson.Timestamp(1, 2), "Timestamp(1, 2)"),
    ],
    ids=short,
)
def test_other_objects_become_their_repr(value: object, text: str) -> None:
    """What BSON has no type for is stored as its ``repr``, and a note says so."""
    taken = take({"object": value})

    assert taken.value == {"object": text}
    assert taken.notes == (AS_REPR,)
    assert not taken.is_plain


def test_open_file(tmp_path: pathlib.Path) -> None:
    """An open file is stored as its ``repr`` and is neither read nor closed."""
    path = tmp_path / "upload.txt"
    path.write_text("content")
    with path.open() as file:
        taken = take({"file": file})

        assert "upload.txt" in taken.value["file"]
        assert taken.notes == (AS_REPR,)
        assert file.read() == "content"


def test_generator_is_not_consumed() -> None:
    """A generator is stored as its ``repr`` and still gives all that it would have given."""
    numbers = (number for number in (1, 2, 3))

    assert take(numbers).value.startswith("<generator object")
    assert list(numbers) == [1, 2, 3]


def test_long_repr_is_cut() -> None:
    """Of a ``repr`` the beginning is kept."""
    taken = take(collections.deque("x" * 5000))

    assert len(taken.value) == MAX_REPR
    assert taken.value.startswith("deque(['x', 'x'")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (2**63, "9223372036854775808"),
        (-(2**63) - 1, "-9223372036854775809"),
        (2**80, "1208925819614629174706176"),
        (Odd(2**64), "18446744073709551616"),
        (10**1000, "1" + "0" * 1000),
        (2**4095, str(2**4095)),
    ],
    ids=short,
)
def test_integer_past_64_bits(number: int, text: str) -> None:
    """An integer past 64 bits is stored as its digits, and a note says so."""
    taken = take({"n": number})

    assert taken.value == {"n": text}
    assert taken.notes == (AS_TEXT,)


@pytest.mark.parametrize("number", [2**4096, -(2**4096), 1 << 50_000_000], ids=["+", "-", "huge"])
def test_integer_without_an_end(number: int) -> None:
    """An integer that would take long to print is not printed, and a note says so."""
    taken = take(number)

    assert taken.value == "<an integer past 4096 bits>"
    assert taken.notes == ("an integer past 4096 bits was cut",)


@pytest.mark.parametrize("text", ["0." + "1" * 50, "1" * 50, "1E+7000", "1E-7000"])
def test_decimal_past_34_digits(text: str) -> None:
    """A decimal that MongoDB's has no room for is stored as its digits, and a note says so."""
    taken = take(decimal.Decimal(text))

    assert taken.value == text
    assert taken.notes != ()


def test_decimal_of_a_million_digits_is_cut() -> None:
    """Of a decimal without an end the beginning is kept."""
    taken = take(decimal.Decimal("7" * 1_000_000))

    assert set(taken.value) == {"7"}
    assert len(taken.value) <= MAX_BYTES


@pytest.mark.parametrize(
    "key",
    ["a\0b", "\0", b"a\0b", Order],
    ids=short,
)
def test_nul_in_a_key(key: object) -> None:
    """A key with a NUL, which BSON cannot hold, is kept with the NUL escaped."""
    taken = take({key: 1})

    ((stored, value),) = taken.value.items()
    assert "\0" not in stored
    assert value == 1


def test_nul_in_a_key_is_noted() -> None:
    """A note says that a NUL in a key was escaped."""
    taken = take({"a\0b": {"c\0": 1}})

    assert taken.value == {"a\\x00b": {"c\\x00": 1}}
    assert taken.notes == ("NUL in keys of custom data was escaped",)


@pytest.mark.parametrize(
    ("key", "stored"),
    [
        (1, "1"),
        (0.5, "0.5"),
        (None, "None"),
        (True, "True"),
        ((1, 2), "(1, 2)"),
        (b"raw", "b'raw'"),
        (Loud("quiet"), "quiet"),
        (AN_ID, "ObjectId('0123456789abcdef01234567')"),
        ("half \ud800", "half \\ud800"),
        ("$where", "$where"),
        ("a.b", "a.b"),
        ("", ""),
        (Broken(), "<unreadable Broken>"),
        (10**30, "1" + "0" * 30),
    ],
    ids=short,
)
def test_keys_become_text(key: object, stored: str) -> None:
    """A key of any kind becomes a text."""
    assert take({key: "value"}).value == {stored: "value"}


def test_key_past_all_bounds_costs_itself_only() -> None:
    """A key that Python refuses to print does not cost its neighbours."""
    taken = take({"a": 1, 10**5000: 2})

    assert taken.value["a"] == 1
    assert len(bson.encode(taken.value)) < 3000


def test_long_keys_count() -> None:
    """Keys count towards the size as values do."""
    taken = take({f"{number}" + "k" * 10_000: 1 for number in range(100)})

    assert len(bson.encode({"v": taken.value})) < MAX_BYTES + 10_000
    assert TOO_LARGE in taken.notes


def test_bounds_are_the_documented_ones() -> None:
    """The bounds are 32 levels, 1,000 values, 64 KiB, and 1,000 characters of a ``repr``."""
    assert (MAX_DEPTH, MAX_NODES, MAX_BYTES, MAX_REPR) == (32, 1000, 64 * 1024, 1000)


def test_cycle_in_a_dict() -> None:
    """A dict that holds itself is cut where it comes round, and a note says so."""
    data: dict[str, Any] = {"a": 1}
    data["self"] = data

    taken = take(data)

    assert taken.value == {"a": 1, "self": "<cycle>"}
    assert taken.notes == ("a cycle in custom data was cut",)


def test_cycle_through_several() -> None:
    """A cycle through lists and dicts is cut as well."""
    inner: list[Any] = []
    outer = {"inner": inner}
    inner.append((outer, 1))

    assert take(outer).value == {"inner": [["<cycle>", 1]]}


def test_what_occurs_twice_is_no_cycle() -> None:
    """A value that occurs twice, side by side, is copied twice."""
    shared = [1]

    taken = take([shared, shared, {"again": shared}])

    assert taken.value == [[1], [1], {"again": [1]}]
    assert taken.notes == ()


@pytest.mark.parametrize("wrap", [lambda item: [item], lambda item: (item,), lambda item: {"in": item}])
def test_depth_is_bounded(wrap: Callable[[Any], Any]) -> None:
    """What is nested deeper than 32 is cut there, and a note says so."""
    data: Any = "bottom"
    for _ in range(5000):
        data = wrap(data)

    taken = take(data)

    value, depth = taken.value, 0
    while isinstance(value, (list, dict)):
        (value,) = value.values() if isinstance(value, dict) else value
        depth += 1
    assert (value, depth) == ("<too deep>", MAX_DEPTH)
    assert taken.notes == (f"custom data deeper than {MAX_DEPTH} was cut",)


def test_depth_of_32_is_whole() -> None:
    """What is nested 32 deep is copied whole."""
    data: Any = "bottom"
    for _ in range(MAX_DEPTH):
        data = {"in": data}

    taken = take(data)

    assert taken.value == data
    assert taken.notes == ()


@pytest.mark.parametrize(
    "data",
    [
        list(range(5000)),
        dict.fromkeys(map(str, range(5000)), 0),
        set(range(5000)),
        [[0] * 100] * 100,
        [{"a": [0] * 40, "b": [0] * 40} for _ in range(100)],
        Endless(),
        [[[]] * 2000, "last"],
    ],
    ids=lambda data: type(data).__name__,
)
def test_number_of_values_is_bounded(data: Any) -> None:
    """Of more than 1,000 values the first are kept, and a note says so."""
    taken = take(data)

    def count(value: Any) -> int:
        items = value.values() if isinstance(value, dict) else value
        return 1 + sum(map(count, items)) if isinstance(value, (dict, list)) else value != "<cut>"

    assert count(taken.value) <= MAX_NODES
    assert TOO_MANY in taken.notes


def test_1000_values_are_whole() -> None:
    """A list with 999 items, itself the thousandth value, is copied whole."""
    data = list(range(MAX_NODES - 1))

    taken = take(data)

    assert taken.value == data
    assert taken.notes == ()


@pytest.mark.parametrize(
    "data", ["x" * 20_000_000, "ü" * 10_000_000, "日" * 7_000_000, "👩" * 5_000_000], ids=short
)
def test_text_of_20_megabytes(data: str) -> None:
    """Of a text of 20 MB the first 64 KiB are kept, whole characters only, and a note says so."""
    taken = take({"text": data})

    stored = taken.value["text"]
    assert data.startswith(stored)
    assert MAX_BYTES - LONGEST_WORD - 10 <= len(stored.encode()) <= MAX_BYTES
    assert taken.notes == (TOO_LARGE,)


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_bytes_of_20_megabytes(kind: type[bytes] | type[bytearray]) -> None:
    """Of 20 MB of bytes the first 64 KiB are kept, and a note says so."""
    taken = take(kind(20_000_000))

    assert taken.value == bytes(MAX_BYTES - LONGEST_WORD)
    assert taken.notes == ("custom data is too large: bytes were cut",)


def test_all_texts_share_the_room() -> None:
    """64 KiB is for all values together: what comes later is cut."""
    taken = take(["a" * 40_000, "b" * 40_000, "c" * 40_000])

    first, second, third = taken.value
    assert (len(first), third) == (40_000, "")
    assert second == "b" * (MAX_BYTES - 40_000 - LONGEST_WORD)
    assert taken.size == MAX_BYTES - LONGEST_WORD


@pytest.mark.parametrize("text", ["half \ud800 pair", "\udfff", "\ud83d" * 2000, "ü\udc80"], ids=ascii)
def test_lone_surrogates_are_escaped(text: str) -> None:
    """Half a surrogate pair, which UTF-8 cannot hold, is escaped, and a note says so."""
    taken = take({"text": text})

    assert taken.value["text"] == text.encode("utf-8", "backslashreplace").decode()
    assert taken.notes == (SURROGATES,)


def test_surrogates_escape_within_the_room() -> None:
    """Escapes, which are longer than what they stand for, do not exceed the room."""
    taken = take("\ud800" * MAX_BYTES)

    assert len(taken.value) <= MAX_BYTES
    assert taken.size <= MAX_BYTES


@pytest.mark.parametrize("make", [Broken, Liar, Detached, Row], ids=lambda kind: str(kind.__name__))
def test_object_that_raises_costs_itself_only(
    caplog: pytest.LogCaptureFixture, make: Callable[[], object]
) -> None:
    """An object that raises when it is looked at is unreadable, is noted, and costs no neighbour."""
    taken = take({"before": 1, "object": make(), "after": [2]})

    assert (taken.value["before"], taken.value["after"]) == (1, [2])
    assert taken.value["object"].startswith("<unreadable")
    assert taken.notes != ()
    assert not taken.is_plain
    assert len(caplog.records) == 1
    assert SECRET not in caplog.text
    assert sum(guard.failures.values()) == 1


def test_mapping_that_works_is_copied() -> None:
    """A mapping that loads its values is asked for them now, and is not asked again."""
    taken = take(Row(3))

    assert taken.value == {"a": "A", "b": "B", "c": "C"}
    assert not taken.is_plain


@pytest.mark.parametrize(
    "value",
    ["alice", 17, True, 0.5, b"raw", AN_ID, dt.datetime(2026, 11, 24), A_UUID, {"a": 1}, [1], {1}],
    ids=short,
)
@pytest.mark.parametrize(
    "wrap",
    [lambda value: LocalProxy(lambda: value), lambda value: mock.MagicMock(spec=type(value))],
    ids=["LocalProxy", "Mock"],
)
def test_pretender_does_not_cross_the_queue(wrap: Any, value: object) -> None:
    """An object that pretends to be of a plain type is copied or shown, and does not get through."""
    taken = take({"before": 1, "pretender": wrap(value), "after": [2]})

    assert (taken.value["before"], taken.value["after"]) == (1, [2])
    assert taken.value["pretender"] != "<unreadable>"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_base_exception_passes(error: type[BaseException]) -> None:
    """An exception that ends the process is not held up by a snapshot."""

    class Leaving:
        def __repr__(self) -> str:
            raise error

    with pytest.raises(error):
        snapshot([Leaving()])


def test_later_changes_do_not_matter() -> None:
    """What is changed after it was handed over is stored as it was."""
    inner = [1]
    raw = bytearray(b"raw")
    data = {"inner": inner, "raw": raw}

    taken = take(data)
    inner.append(2)
    raw[:] = b"new"
    data["late"] = inner

    assert taken.value == {"inner": [1], "raw": b"raw"}


def test_data_itself_is_not_touched() -> None:
    """What is handed over is left as it is."""
    data = {"a\0": [(1, {2})], "n": 2**80, "x": "x" * 100_000}
    copy = {"a\0": [(1, {2})], "n": 2**80, "x": "x" * 100_000}

    take(data)

    assert data == copy


class LazyList(list[int]):
    """A list that runs a query when it is walked."""

    def __iter__(self) -> Iterator[int]:
        return iter([1, 2])


class LazySet(collections.abc.Set[int]):
    """A set that runs a query when it is walked."""

    def __contains__(self, item: object) -> bool:
        return False

    def __iter__(self) -> Iterator[int]:
        return iter([1, 2])

    def __len__(self) -> int:
        return 2


@pytest.mark.parametrize(
    "value", [LazyList([0, 0]), LazySet(), [LazySet()]], ids=["list", "set", "inner set"]
)
def test_foreign_containers_are_not_plain(value: object) -> None:
    """A container that runs code of its own when it is walked is not to be asked again."""
    taken = take(value)

    assert taken.value in ([1, 2], [[1, 2]])
    assert not taken.is_plain


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (17, 8),
        (None, 8),
        (0.5, 8),
        ("text", 4),
        ("ü", 2),
        (b"12345", 5),
        (["ab", "cd"], 4),
        ({"k": "v"}, 2),
        ([1, 0.5, 2**80], 16 + 8 + 25),
        ([AN_ID, A_UUID], 32),
    ],
    ids=short,
)
def test_size(value: object, size: int) -> None:
    """The size counts what values and keys hold."""
    assert take(value).size == size


def test_notes_are_said_once() -> None:
    """A note that holds for many values is given once; different notes are given in their order."""
    taken = take([2**80, 2**81, Order(1), Order(2)])

    assert taken.notes == (AS_TEXT, AS_REPR)


@pytest.mark.parametrize(
    ("convert", "value", "text"),
    [
        (repr, "a", "'a'"),
        (str, 17, "17"),
        (str, "x" * 5000, ""),
        (str, "a word or two " * 500, ("a word or two " * 500)[:996]),
        (str, "half \ud800", "half \\ud800"),
        (repr, Broken(), "<unreadable Broken>"),
        (str, Broken(), "<unreadable Broken>"),
        (repr, Liar(), "<unreadable Liar>"),
        (lambda value: None, 17, "<unreadable int>"),
        (mock.Mock(spec=[], return_value="text"), 17, "text"),
        (mock.Mock(spec=[], side_effect=ValueError), 17, "<unreadable int>"),
    ],
)
def test_foreign_text(convert: Any, value: object, text: str) -> None:
    """A conversion that somebody else wrote gives a text that can be stored, whatever it does."""
    assert foreign_text(convert, value) == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [("", ""), ("plain", "plain"), ("Ünïcödé 👩", "Ünïcödé 👩"), ("\ud83d!", "\\ud83d!"), ("\0", "\0")],
)
def test_clean_text(text: str, cleaned: str) -> None:
    """A text that UTF-8 can hold is as it was; of others the lone surrogates are escaped."""
    assert clean_text(text) == cleaned
    assert cleaned.encode().decode() == cleaned


def raised(error: BaseException, cause: BaseException | None = None, depth: int = 0) -> BaseException:
    """Raise `error` `depth` calls down and return it, so that it has a traceback."""

    def fall(left: int) -> None:
        if left:
            fall(left - 1)
        raise error from cause

    try:
        fall(depth)
    except BaseException as caught:
        return caught
    raise AssertionError


class OutOfStock(Exception):
    """An exception of the app's own."""

    class Nested(Exception):
        """One inside it."""


@pytest.mark.parametrize(
    ("error", "name", "message"),
    [
        (ValueError("wrong"), "ValueError", "wrong"),
        (KeyError("missing"), "KeyError", "'missing'"),
        (OutOfStock(17, "left"), f"{__name__}.OutOfStock", "(17, 'left')"),
        (OutOfStock.Nested(), f"{__name__}.OutOfStock.Nested", ""),
        (decimal.InvalidOperation("no"), "decimal.InvalidOperation", "no"),
        (SystemExit(3), "SystemExit", "3"),
    ],
    ids=short,
)
def test_exception_becomes_text(error: BaseException, name: str, message: str) -> None:
    """An exception becomes its qualified name, its message and its traceback."""
    described = describe_exception(raised(error))

    assert (described.type, described.message) == (name, message)
    assert described.traceback.startswith("Traceback (most recent call last):\n")
    assert "in raised\n" in described.traceback
    assert described.traceback.splitlines()[-1].startswith(name)


def test_exception_of_the_main_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception of the script that was started is named without ``__main__``."""
    monkeypatch.setattr(OutOfStock, "__module__", "__main__")

    assert describe_exception(OutOfStock()).type == "OutOfStock"


def test_causes_are_in_the_traceback() -> None:
    """The traceback has the exception's cause as well."""
    cause = raised(ValueError("the cause"))

    described = describe_exception(raised(LookupError("the error"), cause))

    assert described.message == "the error"
    assert "ValueError: the cause" in described.traceback
    assert "direct cause of the following exception" in described.traceback
    assert described.traceback.rstrip().endswith("LookupError: the error")


def test_exception_without_a_traceback() -> None:
    """An exception that was never raised has its name and message all the same."""
    described = describe_exception(ValueError("never raised"))

    assert described == ("ValueError", "never raised", "ValueError: never raised\n")


def test_exception_that_cannot_be_shown() -> None:
    """An exception whose ``str`` raises is recorded with its type and its traceback."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError(SECRET)

    described = describe_exception(raised(Mute()))

    assert described.type.endswith(".Mute")
    assert described.message == "<unreadable Mute>"
    assert "in raised\n" in described.traceback


def test_exception_with_hostile_cause() -> None:
    """An exception whose traceback cannot be formatted is recorded without one."""

    class Hostile(Exception):
        @property
        def __cause__(self) -> Any:  # type: ignore[override]
            raise RuntimeError(SECRET)

    described = describe_exception(Hostile("message"))

    assert described.message == "message"
    assert described.traceback == "<unreadable>"


def test_long_message_is_cut() -> None:
    """Of an exception's message the beginning is kept, and the traceback stays bounded, end first."""
    described = describe_exception(raised(ValueError("xx " * 500_000)))

    assert described.message == "xx " * 333
    assert described.traceback.startswith("…\n")
    assert MAX_BYTES - LONGEST_WORD <= len(described.traceback) <= MAX_BYTES + 10


def test_deep_traceback_keeps_its_end() -> None:
    """Of a traceback of many frames the newest are kept."""
    described = describe_exception(raised(ValueError("deep"), depth=300))

    assert "in raised\n" not in described.traceback
    assert described.traceback.rstrip().endswith("ValueError: deep")
    assert len(described.traceback) < MAX_BYTES


def test_surrogates_in_an_exception_are_escaped() -> None:
    """Message and traceback can be stored, whatever characters the message has."""
    described = describe_exception(raised(ValueError("half \ud800")))

    assert described.message == "half \\ud800"
    assert bson.encode({"v": list(described)})


def test_exception_is_not_kept() -> None:
    """The description is text alone: it keeps neither the exception nor its frames alive."""
    described = describe_exception(raised(ValueError("wrong")))

    assert [type(part) for part in described] == [str, str, str]
