"""Recorded requests with assertions that say readably what was recorded instead."""

from __future__ import annotations

import dataclasses
import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn, TypeVar, overload

from ..cli.text_table import Column, render_columns
from ..errors import FilterError
from ..filters import Filter
from ..record import ChildTiming, ExceptionInfo, Record
from ..record_summary import summarize
from ..runtime.text import count_of, visible
from .stored_text import find_text

__all__ = ["RecordedRequest", "RecordedRequests", "RecordedSpan"]

__tracebackhide__ = True  # of pytest: a failure shows the test that asserts, not how that is done

A = TypeVar("A", bound="_Assertions")
MAX_SHOWN = 20
"""Requests that a message lists."""
INDENT = "  "
NOTHING = (
    "No request was recorded in this test. Settings like TRACKING_EXCLUDE and calls like "
    "span.discard() leave requests out."
)
_FIELDS = tuple(field.name for field in dataclasses.fields(Record))


class _Assertions(ABC):
    """Assertions about one recorded request, or about each of several."""

    @abstractmethod
    def _requests(self) -> Sequence[Record]:
        """Return those that are meant.

        Raises:
            AssertionError: there are none.
        """

    def assert_status(self: A, *expected: int) -> A:
        """Assert that each request was answered with one of the `expected` status codes.

        Returns:
            The same object, for further assertions.
        """
        wanted = " or ".join(map(str, expected))
        return self._assert_each(
            lambda one: one.status_code in expected,
            lambda one: f"{name_request(one)} was answered {_status(one)}, expected {wanted}",
        )

    def assert_faster_than(self: A, limit_ms: float) -> A:
        """Assert that each request took less than `limit_ms`, to the last byte of its response."""
        return self._assert_each(
            lambda one: one.execution_time is not None and one.execution_time < limit_ms,
            lambda one: f"{name_request(one)} took {_took(one)}, expected less than {limit_ms:,g} ms",
        )

    def assert_no_secret(self: A, secret: str) -> A:
        """Assert that no stored field contains `secret`, as it is or encoded.

        Percent-encoding, base64 and the escapes of JSON are looked through.

        Raises:
            AssertionError: a field contains it; the message names the fields.
            ValueError: `secret` is empty.
        """
        if not secret:
            raise ValueError("assert_no_secret() was given an empty text, which every field contains.")
        return self._assert_each(
            lambda one: not find_text(one, secret),
            lambda one: (
                f"The secret of {name_request(one)} is stored in {', '.join(find_text(one, secret))}"
            ),
            hint="Add its name to TRACKING_REDACT_NAMES, or its format to TRACKING_REDACT_PATTERNS.",
        )

    def assert_children(
        self: A, name: str, *, at_least: int | None = None, at_most: int | None = None
    ) -> A:
        """Assert how many child spans called `name` each request had; without bounds, at least one.

        Args:
            name: as in ``span.child("db query")``.
            at_least: by default 0 beside `at_most`.
            at_most: by default any number.
        """
        if at_least is at_most is None:
            at_least = 1
        bounds = {"at least": at_least, "at most": at_most}
        given = [(word, bound) for word, bound in bounds.items() if bound is not None]
        wanted = " and ".join(f"{word} {bound}" for word, bound in given)
        spans = "child span" if given[-1][1] == 1 else "child spans"
        return self._assert_each(
            lambda one: _is_within(_count_children(one, name), at_least, at_most),
            lambda one: (
                f"{name_request(one)}: expected {wanted} {spans} {name!r}; "
                f"recorded: {_list_children(one)}"
            ),
        )

    def _assert_each(
        self: A,
        holds: Callable[[Record], bool],
        say: Callable[[Record], str],
        hint: str = "",
    ) -> A:
        wrong = [say(one) for one in self._requests() if not holds(one)]
        if wrong:
            raise AssertionError("\n".join([*wrong[:MAX_SHOWN], *filter(None, [hint])]))
        return self


class RecordedRequest(Record, _Assertions):
    """A record with assertions about it. Its fields are those of `Record`.

    .. versionadded:: 2.0
    """

    def _requests(self) -> Sequence[Record]:
        return [self]

    def __repr__(self) -> str:
        """Name the request as the messages do."""
        return f"<RecordedRequest {name_request(self)} {_status(self)} {self.id}>"


class RecordedRequests(_Assertions, Sequence[RecordedRequest]):
    """The requests of a test, in the order in which they ended.

    Made by the fixture ``tracking_records``. It shows the records at the time of its use. An
    assertion about it is one about each request, and fails where there is none.

    .. versionadded:: 2.0
    """

    def __init__(self, read: Callable[[], Sequence[Record]], description: str = "") -> None:
        """Show the records that `read` returns.

        Args:
            read: called at each use.
            description: which ones they are, for messages.
        """
        self._read = self._read_all = read
        self._description = description
        self._path = ""
        """The path that these have, if they were selected by one."""

    def where(self, text: str = "", /, **fields: Any) -> RecordedRequests:
        """Return some of the requests: ``where(path="/orders")``, ``where("status:5xx or slow:>1s")``.

        Args:
            text: a filter, as for the commands.
            **fields: fields of `Record` with the value that each must have.

        Raises:
            FilterError: the filter is wrong.
            TypeError: a record has no such field.
        """
        for name in fields:
            _check_field(name)
        wanted = _parse(text)
        parts = [self._description, text, *(f"{name}={value!r}" for name, value in fields.items())]
        found = RecordedRequests(
            lambda: [one for one in self._read() if wanted.matches(one) and _has_values(one, fields)],
            ", ".join(filter(None, parts)),
        )
        found._read_all = self._read_all
        paths = ["".join(term.parts) for term in wanted.terms() if term.key == "path"]
        found._path = str(fields.get("path") or next(iter(paths), self._path))
        return found

    def one(self, text: str = "", /, **fields: Any) -> RecordedRequest:
        """Return the only request, or the only one that `where` finds.

        Raises:
            AssertionError: there is none, or more than one.
        """
        found = self.where(text, **fields)
        requests = list(found)
        if len(requests) == 1:
            return requests[0]
        raise AssertionError(
            f"Expected one request{found._name_criteria()}, but {_count(len(requests))} recorded."
            f"{found._list()}"
        )

    def assert_none(self, text: str = "", /, **fields: Any) -> None:
        """Assert that no request was recorded, or none that `where` finds."""
        found = self.where(text, **fields)
        if found:
            raise AssertionError(
                f"Expected no request{found._name_criteria()}, but {_count(len(found))} recorded."
                f"{found._list()}"
            )

    def _name_criteria(self) -> str:
        return self._description and f" with {self._description}"

    def _requests(self) -> Sequence[Record]:
        return self._read() or self._fail()

    def _fail(self) -> NoReturn:
        """Say that there are no such requests, and what was recorded instead."""
        recorded = len(self._read_all())
        if not recorded:
            raise AssertionError(NOTHING)
        raise AssertionError(
            f"None of the {count_of(recorded, 'recorded request')} matches {self._description}."
            f"{self._list()}"
        )

    def _list(self) -> str:
        """Return these requests, or else all that were recorded."""
        records = self._read() or self._read_all()
        if not records:
            return f" {NOTHING}"
        nearest = None if self._read() else _find_hidden(records, self._path)
        similar = f"\nThe most similar path:\n{list_requests([nearest])}" if nearest else ""
        return f"{similar}\nRecorded:\n{list_requests(records)}"

    @overload
    def __getitem__(self, index: int) -> RecordedRequest: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[RecordedRequest]: ...

    def __getitem__(self, index: int | slice) -> RecordedRequest | Sequence[RecordedRequest]:
        """Return a request, or those of a slice.

        Raises:
            IndexError: there are fewer; the message says what was recorded.
        """
        requests = [_as_request(one) for one in self._read()]
        try:
            return requests[index]
        except IndexError:
            problem = f"No request has the index {index}: {_count(len(requests))} recorded."
        raise IndexError(f"{problem}{self._list()}")

    def __iter__(self) -> Iterator[RecordedRequest]:
        return map(_as_request, self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        """Name the newest requests, on one line."""
        records = self._read()
        named = [f"{name_request(one)} {one.status_code or '-'}" for one in records[-MAX_SHOWN:]]
        return f"<RecordedRequests: {', '.join(named) or 'none'}>"


class RecordedSpan:
    """Data that the view of the last request added to its span.

    Made by the fixture ``tracking_span``; it reads the record, so secrets are redacted.

    .. versionadded:: 2.0
    """

    def __init__(self, requests: RecordedRequests) -> None:
        """Show the last of `requests`."""
        self._all = requests

    @property
    def request(self) -> RecordedRequest:
        """The last request that was recorded.

        Raises:
            AssertionError: there is none.
        """
        return (list(self._all) or self._all._fail())[-1]

    @property
    def data(self) -> Any:
        """The custom data: of ``span.set``, ``span.update`` and ``request._tracking_data``."""
        return self.request.custom_data

    @property
    def user_id(self) -> str | None:
        """The user, by ``span.set_user`` or from the login extension."""
        return self.request.user_id

    @property
    def children(self) -> tuple[ChildTiming, ...]:
        """The child spans, in the order in which they began."""
        return self.request.children

    @property
    def exception(self) -> ExceptionInfo | None:
        """The exception, by ``span.record_exception`` or because the view raised it."""
        return self.request.exception

    @property
    def kept_reason(self) -> str | None:
        """Why the record is kept: the reason of ``span.keep``, ``error`` or ``slow``; else None."""
        return self.request.kept_reason

    def __repr__(self) -> str:
        """Name the request, and show the custom data."""
        requests = list(self._all)
        shown = f"{name_request(requests[-1])} {requests[-1].custom_data!r}" if requests else "none"
        return f"<RecordedSpan: {shown}>"

    def __getitem__(self, name: str) -> Any:
        """Return a value of the custom data.

        Raises:
            AssertionError: the view has not set it; the message says what it has set.
        """
        data = self.data
        if not isinstance(data, dict) or name not in data:
            raise AssertionError(f"{name_request(self.request)} did not set {name!r}. It set: {data!r}")
        return data[name]


def _parse(text: str) -> Filter:
    try:
        return Filter.parse(text)
    except FilterError as error:
        raise error.with_traceback(None) from None  # a test shows no frames of the parser


def _count(number: int) -> str:
    return "1 was" if number == 1 else f"{number or 'none'} were"


def name_request(record: Record) -> str:
    """Return method and path of a request, on one line."""
    path = visible(summarize(record).path_and_query or "-")
    return f"{visible(record.method or '-')} {path}"


def list_requests(records: Sequence[Record]) -> str:
    """Return a line for each of the newest requests, indented."""
    shown = records[-MAX_SHOWN:]
    columns = [
        Column("method", [visible(one.method or "-") for one in shown]),
        Column("path", [visible(summarize(one).path_and_query or "-") for one in shown]),
        Column("status", [str(one.status_code or "-") for one in shown]),
        Column("took", [_took(one) for one in shown], is_number=True),
        Column("outcome", ["" if one.outcome == "ok" else one.outcome for one in shown]),
        Column("id", [str(one.id) for one in shown]),
    ]
    lines = [INDENT + line for line in render_columns(columns).splitlines()]
    left_out = len(records) - len(shown)
    return "\n".join([f"{INDENT}({count_of(left_out, 'earlier request')})"] * bool(left_out) + lines)


def _find_hidden(records: Sequence[Record], path: str) -> Record | None:
    """Return the record whose path is most similar to `path`, unless a list shows it anyway."""
    by_path = {str(one.path): one for one in records}
    nearest = difflib.get_close_matches(path, by_path, n=1)
    found = by_path[nearest[0]] if nearest else None
    return None if found in records[-MAX_SHOWN:] else found


def _as_request(record: Record) -> RecordedRequest:
    return RecordedRequest.from_values(vars(record))  # type: ignore[return-value]


def _has_values(record: Record, fields: dict[str, Any]) -> bool:
    return all(getattr(record, name) == value for name, value in fields.items())


def _check_field(name: str) -> None:
    if name not in _FIELDS:
        nearest = difflib.get_close_matches(name, _FIELDS, n=1)
        hint = f"Did you mean {nearest[0]!r}?" if nearest else f"There are: {', '.join(_FIELDS)}."
        raise TypeError(f"A record has no field {name!r}. {hint}")


def _status(record: Record) -> str:
    status = str(record.status_code or "-")
    if record.exception is not None:
        message = visible(f"{record.exception.type}: {record.exception.message}")
        return f"{status} ({message})"
    return status if record.outcome == "ok" else f"{status} ({record.outcome})"


def _took(record: Record) -> str:
    return "-" if record.execution_time is None else f"{record.execution_time:,.1f} ms"


def _is_within(count: int, at_least: int | None, at_most: int | None) -> bool:
    return (at_least is None or count >= at_least) and (at_most is None or count <= at_most)


def _count_children(record: Record, name: str) -> int:
    return sum(child.name == name for child in record.children)


def _list_children(record: Record) -> str:
    counts = dict.fromkeys(child.name for child in record.children)
    return ", ".join(f"{_count_children(record, name)} × {name!r}" for name in counts) or "none"
