"""Helpers for commands: find the app's store, and report errors in one line."""

from __future__ import annotations

import errno
import functools
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click
from bson import ObjectId
from flask import current_app

from ..errors import (
    ConfigError,
    ExportError,
    FilterError,
    NoDatabaseError,
    ReplayError,
    TrackingError,
)
from ..exporters.base import Exporter
from ..exporters.store import Problem, Store, find_store
from ..filters import Filter
from ..record import Record
from ..registry import TrackedApp, find_tracked
from ..runtime.text import count_of, suggest, visible
from ..spool import Spool, SpoolError, open_spool
from .terminal import cut_excerpt, discard_output, say, terminal_width, wrap

MORE = "See the page Messages of the docs."
"""The last sentence after an error of the database."""

SHORT_ID = re.compile(r"([0-9a-f]{6,22})(?:…|\.{1,3})([0-9a-f]{1,18})")
"""The begin and the end of an id. Dots may replace the ellipsis, which is hard to type."""
ID_PREFIX = re.compile(r"([0-9a-f]{6,23})(?:…|\.{1,3})?()")
"""The first digits of an id: with six of them it is one of four minutes."""
AGE = re.compile(r"-([1-9][0-9]{0,2})")
"""The newest record is ``-1``, the one before it ``-2``."""
NO_REPLAYS = Filter.parse("not is:replay")
"""The records that an age counts: else a command of ``-1`` after a replay would mean the replay."""
SECOND_DIGITS = 8
"""Number of digits of an id that encode the second of its creation."""
TAKES_ID = {"ignore_unknown_options": True}
"""The context settings of a command that takes ids."""
MAX_SHOWN_IDS = 5
MAX_LIMIT = 10_000
"""A command finds at most so many records by a filter."""
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors of a disk that takes no more output."""
PAGE = 500
"""The number of records of one second that are read at a time."""

if TYPE_CHECKING:
    _Choice = click.Choice[str]
else:
    _Choice = click.Choice  # it is not generic before Click 8.2

P = ParamSpec("P")
R = TypeVar("R")


class Choice(_Choice):
    """One of some words; the error for another one proposes what is spelled like it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the word that is meant."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            self.fail(f"{error.message}{suggest(str(value), map(str, self.choices))}", param, ctx)


class CommandError(click.ClickException):
    """The error that ends a command."""

    def format_message(self) -> str:
        """Return the message, wrapped for the terminal; what marks a spot is cut around the spot."""
        first, *excerpt = self.message.split("\n")
        width = terminal_width(err=True)
        lines = wrap(f"Error: {first}", width)
        return "\n".join([*lines, *cut_excerpt(excerpt, width)]).removeprefix("Error: ")


class WrongArgument(CommandError):
    """A wrong option or argument, without the line of usage: the message says what is expected."""

    exit_code = 2


def reports_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Decorate a command to report a `TrackingError` in one line instead of a traceback.

    The exit status is 1, and 2 for a wrong option or argument, as of Click's own errors.
    """

    @functools.wraps(command)
    def reporting(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except ExportError as error:
            sentences = (f"{error}.", error.fix and f"{error.fix}.", MORE)
            raise CommandError(visible(" ".join(filter(None, sentences)))) from None
        except FilterError as error:
            # Its last lines mark the spot.
            raise WrongArgument("\n".join(map(visible, str(error).split("\n")))) from None
        except NoDatabaseError as error:
            raise CommandError(visible(str(error))) from None
        except ConfigError as error:
            raise WrongArgument(visible(str(error))) from None
        except ReplayError as error:
            kind = WrongArgument if error.is_argument_wrong else CommandError
            raise kind(visible(error.for_commands)) from None
        except SpoolError as error:
            problem = str(error)
            text = f"{problem[0].upper()}{problem[1:]}. {error.fix}."
            raise CommandError(visible(text)) from None
        except TrackingError as error:
            raise CommandError(visible(str(error))) from None
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            discard_output()
            raise CommandError(f"The output cannot be written: {error.strerror}.") from None

    return reporting


def get_current() -> TrackedApp:
    """Return the state of the current app.

    Raises:
        TrackingError: the app is not tracked.
    """
    tracked = find_tracked()
    if tracked is None:
        raise TrackingError(f"The app {current_app.name!r} is not tracked: call Tracking(app).")
    return tracked


def get_exporter() -> Exporter:
    """Return the exporter of the current app, which is closed when the command ends.

    Raises:
        TrackingError: the app is not tracked.
    """
    tracked = get_current()
    click.get_current_context().call_on_close(tracked.exporter.close)
    return tracked.exporter


def get_store() -> Store:
    """Return the store of the current app, which is closed when the command ends.

    Raises:
        TrackingError: the app is not tracked, or its exporter is not a store.
    """
    exporter = get_exporter()
    store = find_store(exporter)
    if store is None:
        raise TrackingError(
            f"{type(exporter).__name__} is not a store: it takes records but returns none."
        )
    return store


def get_spool() -> Spool:
    """Return the spool of the current app.

    Raises:
        TrackingError: the app is not tracked, or has none.
    """
    tracked = get_current()
    spool = open_spool(tracked.settings, tracked.name)
    if spool is None:
        raise TrackingError("TRACKING_SPOOL_DIR is not set, so there is no spool.")
    return spool


def show_problems(problems: Iterable[Problem]) -> None:
    """Print problems and what to do about them."""
    for problem in problems:
        say(visible(str(problem)), fg="red" if problem.level == "error" else "yellow")


def is_id(text: str) -> bool:
    """Return True for what `find_id` takes: a full id, a part of one, or ``-1``."""
    patterns = (SHORT_ID, ID_PREFIX, AGE)
    return ObjectId.is_valid(text) or any(one.fullmatch(text.lower()) for one in patterns)


def id_command(name: str | None = None) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command of a function that takes ids: ``-1`` is one of them, and not an option."""
    return click.command(name, context_settings=TAKES_ID)


def takes_limit(default: int, meaning: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the option ``--limit`` to a command that finds records by a filter."""
    limit = click.IntRange(1, MAX_LIMIT)
    # "INTEGER RANGE" would leave too little room beside it in a narrow terminal.
    return click.option(
        "--limit", metavar="NUMBER", default=default, show_default=True, type=limit, help=meaning
    )


def find_id(store: Store, text: str) -> ObjectId:
    """Return the id that is meant: a whole one, a part that no other has, or ``-1`` for the newest.

    ``-1`` and so on do not count replays.

    Raises:
        ConfigError: the id is invalid.
        TrackingError: no record or several records have it.
    """
    if ObjectId.is_valid(text):
        return ObjectId(text)
    if age := AGE.fullmatch(text):
        return _find_by_age(store, int(age[1]))
    part = SHORT_ID.fullmatch(text.lower()) or ID_PREFIX.fullmatch(text.lower())
    if part is None:
        raise make_id_error(text)
    found = sorted(_find_ids(store, part[1], part[2]))
    if not found:
        raise _not_found(text)
    if len(found) > 1:
        shown = [*map(str, found[:MAX_SHOWN_IDS]), *["…"] * (len(found) > MAX_SHOWN_IDS)]
        end = f" and end with {part[2]}" if part[2] else ""
        raise TrackingError(
            f"Several ids begin with {part[1]}{end}: {', '.join(shown)}. Use one of these."
        )
    return found[0]


def make_id_error(text: str, hint: str = "") -> ConfigError:
    """Return the error for what is no id.

    Args:
        text: what is no id.
        hint: a sentence with a blank before it, or nothing.
    """
    return ConfigError(
        f"Invalid id {text!r}: expected 24 hex digits, or a short id like 6b0b2833..3982aa. "
        f"`list` shows the ids, and -1 is the newest.{hint}"
    )


def is_filter(words: Iterable[str]) -> bool:
    """Return True for the words of a filter: a term has a colon, an id has none."""
    return any(":" in word for word in words)


def find_records(store: Store, ids: Iterable[str]) -> list[Record]:
    """Return the records that are meant, each once, in the order of `ids`.

    Raises:
        ConfigError: an id is invalid.
        TrackingError: no record or several records have one of the ids.
    """
    # All are found before anything is changed: an age counts the records of now.
    found = dict.fromkeys([find_id(store, text) for text in ids])
    return [get_record(store, record_id) for record_id in found]


def _find_by_age(store: Store, age: int) -> ObjectId:
    from ..queries import find_newest  # its import takes longer than most commands

    newest = find_newest(store, NO_REPLAYS, age, fields="summary")
    if len(newest) < age:
        stored = count_of(len(newest), "record")
        raise TrackingError(
            f"Record -{age} not found: the store has {stored}. Replays are not counted."
        )
    return newest[-1].id


def _find_ids(store: Store, head: str, tail: str) -> set[ObjectId]:
    """Return the ids with that begin and that end: of records of a short range of time.

    flask-tracking 1 created ids when it stored a record, at the end of the request.
    """
    found: set[ObjectId] = set()
    since, until = _find_range(head)
    seen: set[ObjectId] = set()
    while page := {
        one.id: one
        for one in store.find(Filter.all, limit=PAGE, between=(since, until), fields="summary")
        if one.id not in seen
    }:
        seen |= page.keys()
        found |= {one for one in page if str(one).startswith(head) and str(one).endswith(tail)}
        oldest = min(one.date_created for one in page.values())
        if len(found) > MAX_SHOWN_IDS:
            break
        # The same millisecond again: more of its records may follow after the page.
        until = oldest + timedelta(milliseconds=1)
    return found


def _find_range(head: str) -> tuple[datetime, datetime]:
    """Return the times of arrival of records with ids that begin so, with a second of margin."""
    second = head[:SECOND_DIGITS]
    first, last = int(second.ljust(SECOND_DIGITS, "0"), 16), int(second.ljust(SECOND_DIGITS, "f"), 16)
    since, until = (datetime.fromtimestamp(one, timezone.utc) for one in (first, last))
    return since - timedelta(seconds=1), until + timedelta(seconds=1)


def get_record(store: Store, record_id: ObjectId) -> Record:
    """Return the record with this id.

    Raises:
        TrackingError: there is none with this id.
    """
    record = store.get(record_id)
    if record is None:
        raise _not_found(record_id)
    return record


def _not_found(record_id: object) -> TrackingError:
    return TrackingError(
        f"Record {record_id} not found. It may have been overwritten by newer records."
    )
