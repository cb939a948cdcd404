"""``curl``, ``httpie``, ``python``, ``pytest`` and ``har`` make a recorded request happen again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import click
from flask import current_app
from flask.cli import with_appcontext

from ..filters import Filter
from ..queries import find_newest
from ..record import Record
from ..reproduce import curl, har, httpie, powershell, pytest_function, python
from .common import (
    Choice,
    find_id,
    find_records,
    get_record,
    get_store,
    id_command,
    reports_errors,
)
from .misses import comment
from .record_ids import takes_id, takes_ids_or_filter

SHELLS: dict[str, Callable[[Record], str]] = {"posix": curl, "powershell": powershell}


def _print(text: str) -> None:
    """Print a script as UTF-8, whatever the terminal has: it is made for a file."""
    click.echo(text.rstrip("\n").encode())


def _find(record_id: str) -> Record:
    store = get_store()
    return get_record(store, find_id(store, record_id))


@id_command("curl")
@takes_id
@click.option("--shell", default="posix", show_default=True, type=Choice(list(SHELLS)))
@with_appcontext
@reports_errors
def print_curl(record_id: str, shell: str) -> None:
    """Print the cURL command that sends a request again.

    It is exact in dash, bash and zsh. Values that were redacted are variables at its top.
    """
    _print(SHELLS[shell](_find(record_id)))


@id_command("httpie")
@takes_id
@with_appcontext
@reports_errors
def print_httpie(record_id: str) -> None:
    """Print the HTTPie command that sends a request again."""
    _print(httpie(_find(record_id)))


@id_command("python")
@takes_id
@with_appcontext
@reports_errors
def print_python(record_id: str) -> None:
    """Print a Python script that sends a request again, with Requests."""
    _print(python(_find(record_id)))


@id_command("pytest")
@takes_id
@with_appcontext
@reports_errors
def print_pytest(record_id: str) -> None:
    """Print a test that sends a request again.

    It uses the fixture client of your tests. If the request failed, the test expects it to succeed.
    """
    keeps_user = hasattr(current_app, "login_manager")  # Flask-Login
    session_cookie = current_app.config["SESSION_COOKIE_NAME"] if keeps_user else None
    _print(pytest_function(_find(record_id), session_cookie=session_cookie))


@id_command("har")
@with_appcontext
@reports_errors
@takes_ids_or_filter
def print_har(ids: Sequence[str], wanted: Filter | None, limit: int) -> None:
    """Print requests as an HTTP archive (HAR 1.2).

    The developer tools of browsers import it. Takes ids, or a filter with a colon, like 'is:error
    since:1h'; each term is an option, too. The oldest request is the first.
    """
    store = get_store()
    if wanted is not None:
        found = find_newest(store, wanted, limit)
        comment(store, wanted, found, limit, "printed")
        # A record without a method is not a request, or its redaction has failed.
        records = [record for record in found[::-1] if record.method]
    else:
        records = find_records(store, ids)
    _print(json.dumps(har(*records), indent=2))


COMMANDS = (print_curl, print_har, print_httpie, print_pytest, print_python)
