"""The table of terms: everything that a filter can ask for.

Parser, command options, ``--help``, completion, both stores and the docs follow from it. A new term
is one row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from .conditions import Term
from .term_values import (
    OUTCOMES,
    PARTS,
    STATES,
    Make,
    check_path,
    make_body,
    make_choice,
    make_custom,
    make_duration,
    make_error,
    make_header,
    make_match,
    make_method,
    make_path,
    make_status,
    make_time,
    make_user,
    make_word,
)
from .wildcards import Parts

__all__ = ["TERMS", "WORD", "TermType", "make_term"]


class TermType(NamedTuple):
    """A row of the table."""

    key: str
    """Ends with a dot where a name follows, like ``header.``."""
    value: str
    """Names the value in help texts."""
    meaning: str
    """Completes the sentence "selects records …"."""
    examples: tuple[str, ...]
    """Values; whole terms where a name follows the key."""
    make: Make
    choices: tuple[str, ...] = ()
    """All values, where they are a closed set; else those that are worth proposing."""
    normalise: Callable[[str], str] = str
    """Turns different texts of a value into one."""
    check_name: Callable[[str], object] = str
    """Raises `FilterError` for a name behind the dot that cannot be."""

    @property
    def example_terms(self) -> list[str]:
        """The examples, each as a term."""
        return [one if self.key.endswith(".") else f"{self.key}:{one}" for one in self.examples]


def make_term(term_type: TermType, name: str, parts: Parts) -> Term:
    """Return a term of that type.

    Args:
        term_type: a row of `TERMS`, or `WORD`.
        name: what follows the dot in the key, clean and checked.
        parts: the value.

    Raises:
        FilterError: the value is invalid; the message says what is expected.
    """
    parts = tuple(map(term_type.normalise, parts))
    return Term(term_type.key + name, parts, term_type.make(name, parts))


_STATUS_CHOICES = ("2xx", "3xx", "4xx", "5xx")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")

TERMS: Mapping[str, TermType] = {
    row.key: row
    for row in (
        TermType("since", "TIME", "that arrived at this time (UTC) or later; an age counts back from now", ("15m", "2026-11-24T12:00"), make_time(">="), ("15m", "1h", "24h", "7d")),
        TermType("until", "TIME", "that arrived before this time (UTC)", ("1h", "2026-11-24T13:00"), make_time("<"), ("15m", "1h", "24h", "7d")),
        TermType("status", "CODE", "with this status code, or a code of this class", ("404", "5xx"), make_status, _STATUS_CHOICES, str.lower),
        TermType("method", "METHOD", "with this HTTP method", ("post",), make_method, _METHODS, str.upper),
        TermType("path", "PATH", "with this path and any query; with a `?`, with this path and this query", ("/orders/17", "/api/*", "/orders?page=2"), make_path),
        TermType("route", "ROUTE", "of this route", ("/orders/<int:id>",), make_match("url_rule")),
        TermType("slow", "DURATION", "that took this long or longer; with `>`, `<` or `<=`, accordingly", ("500ms", ">500ms", "<2.9s"), make_duration, (">500ms", ">1s")),
        TermType("user", "USER", "of the user with this id or text; `ada` also finds `<User ada>`", ("42", "ada", "*ada*"), make_user),
        TermType("is", "STATE", "that failed (`error`), are kept (`kept`), had a body of unknown length (`streamed`), lost a secret (`redacted`), or were sent by `flask tracking replay` (`replay`)", tuple(STATES), make_choice(STATES), tuple(STATES), str.lower),
        TermType("has", "PART", "with an exception, a user, a query, a request body, custom data or child timings", tuple(PARTS), make_choice(PARTS), tuple(PARTS), str.lower),
        TermType("error", "TYPE", "with an exception of this class, named with or without its module", ("ZeroDivisionError", "*Timeout"), make_error),
        TermType("outcome", "OUTCOME", "that ended like this", tuple(OUTCOMES), make_choice(OUTCOMES), tuple(OUTCOMES), str.lower),
        TermType("header.", "VALUE", "with a request header of this name and value", ("header.accept:*json*",), make_header("request_headers")),
        TermType("response_header.", "VALUE", "with a response header of this name and value", ("response_header.content-type:text/html*",), make_header("response_headers")),
        TermType("custom.", "VALUE", "with this value in their custom data; dots lead into nested data", ("custom.order_id:17",), make_custom, check_name=check_path),
        TermType("version", "VERSION", "of this version of the app", ("2.4",), make_match("version")),
        TermType("host", "HOST", "for this host", ("api.example.com",), make_match("host", folds_case=True)),
        TermType("hostname", "NAME", "of the machine with this name", ("web-1", "web-*"), make_match("hostname", folds_case=True)),
        TermType("process", "PROCESS", "of this process: machine, number, and letters that are new with each start", ("web-1:4100:h1", "web-1:4100:*"), make_match("process")),
        TermType("ip", "IP", "from this address", ("10.0.*",), make_match("ip")),
        TermType("endpoint", "ENDPOINT", "of this endpoint", ("orders.show",), make_match("endpoint")),
        TermType("blueprint", "NAME", "of this blueprint", ("orders",), make_match("blueprint")),
        TermType("trace", "ID", "of this trace", ("4bf92f3577b34da6a3ce929d0e0e4736",), make_match("trace_id")),
        TermType("body", "TEXT", "whose request or response body contains this text", ("needle", '"two words"'), make_body),
    )
}  # fmt: skip
"""The rows by key."""
WORD = TermType("", "WORD", "with this text in path, route or exception", ("orders",), make_word)
"""The row of a word without a key."""
