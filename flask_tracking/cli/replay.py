"""``replay`` sends a recorded request again, and prints what is different in the response."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from flask.cli import with_appcontext

from ..errors import ConfigError
from ..exporters.store import Store
from ..queries.values import read_user_ids
from ..record import Record
from ..reproduce.replay import Replay, replay
from ..reproduce.request import read_request
from ..reproduce.stable import find_cut
from ..runtime.text import visible
from .common import find_id, get_current, get_record, get_store, id_command, reports_errors
from .json_output import render_values
from .proposals import ask_briefly
from .record_ids import takes_id
from .record_table import render_outcome, render_request
from .terminal import say

FLUSH_S = 10.0
"""The time to wait for the record of the replay."""
DIFFERENT = 3
"""The exit status where the responses differ."""


def _complete_user(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    found = set(ask_briefly(context, read_user_ids))
    return sorted(one for one in found if one.startswith(incomplete))


@id_command("replay")
@takes_id
@click.option(
    "--to", metavar="URL", help="The URL of a server, which answers instead of the app in this process."
)
@click.option(
    "--set", "given", metavar="NAME=VALUE", multiple=True, help="The value of a redacted part."
)
@click.option(
    "--as-user",
    metavar="ID",
    shell_complete=_complete_user,
    help="Log this user in, with Flask-Login.",
)
@click.option("--unsafe", is_flag=True, help="Also send methods that may change something, like POST.")
@click.option("--yes", "any_host", is_flag=True, help="Also send it to another machine.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with all differences.")
@with_appcontext
@reports_errors
def replay_record(
    record_id: str,
    to: str | None,
    given: Sequence[str],
    as_user: str | None,
    unsafe: bool,
    any_host: bool,
    as_json: bool,
) -> None:
    """Send a request again and compare the responses.

    The app answers in this process, unless --to names a server. The exit status is 0 if the responses
    are the same, 3 if they differ, 1 if the request was not sent, and 2 if an option is wrong.
    """
    if to is not None and as_user is not None:
        raise ConfigError("Only the app itself can log a user in: leave out --to, or --as-user.")
    store = get_store()
    record = get_record(store, find_id(store, record_id))
    values = _read_values(record, given)
    done = replay(record, to, values=values, as_user=as_user, unsafe=unsafe, any_host=any_host)
    is_stored = _is_stored(store, done)
    if as_json:
        click.echo(render_values(_to_values(record, done, is_stored=is_stored is True)))
    else:
        lines = [_describe_answer(record, done, to), *_describe_record(done, is_stored=is_stored)]
        say("\n".join(lines))
        click.echo(_render(record, done))
    if done.differences:
        click.get_current_context().exit(DIFFERENT)


def _read_values(record: Record, given: Sequence[str]) -> dict[str, str | bytes]:
    files = {gap.name for gap in read_request(record).gaps if gap.is_file}
    values: dict[str, str | bytes] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals:
            raise ConfigError(f"Invalid value {one!r}: expected name=value.")
        name = name.lower().removeprefix("redacted_").removeprefix("file_")
        values[name] = _read_value(value, is_file=name in files)
    return values


def _read_value(value: str, *, is_file: bool) -> str | bytes:
    if not is_file:
        return _as_typed(value)
    return _read_file(value) if value else b""


def _as_typed(value: str) -> str | bytes:
    """Return an argument as bytes; one that is not valid UTF-8 cannot be encoded."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return os.fsencode(value)
    return value


def _read_file(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None


def _is_stored(store: Store, done: Replay) -> bool | None:
    """Tell whether the app has stored the replay; None where another process answered."""
    worker = get_current().worker
    if done.record_id is None or worker is None:
        return None
    worker.flush(FLUSH_S)
    return store.get(done.record_id) is not None


def _describe_answer(record: Record, done: Replay, to: str | None) -> str:
    place = "the app" if to is None else visible(to)
    status = done.record.status_code
    return f"Sent {render_request(record)} to {place}: {status} (recorded: {render_outcome(record)})"


def _describe_record(done: Replay, *, is_stored: bool | None) -> Iterator[str]:
    if is_stored is not None:
        yield (
            f"Recorded as {done.record_id}"
            if is_stored
            else "Not recorded: the rules of the app leave it out"
        )


def _to_values(record: Record, done: Replay, *, is_stored: bool) -> dict[str, Any]:
    return {
        "record": record.id,
        "replay": done.record_id if is_stored else None,
        "is_body_compared": done.is_body_compared,
        "differences": [one._asdict() for one in done.differences],
    }


def _render(record: Record, done: Replay) -> str:
    lines = [visible(line) for one in done.differences for line in str(one).split("\n")]
    if not done.differences:
        lines.append("The response is the same as the recorded one.")
    if not done.is_body_compared:
        cut = find_cut(record)
        lines.append(f"The bodies were not compared: the recorded one is not whole ({cut}).")
    return "\n".join(lines)


COMMANDS = (replay_record,)
