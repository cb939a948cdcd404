"""Records as text: columns that fit the terminal, and nothing that it would obey."""

from __future__ import annotations

import dataclasses
import gc
import re
import unicodedata
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import click
import pytest
from bson import ObjectId

from flask_tracking import Record
from flask_tracking.cli.record_table import render_record, render_row, render_table, shorten_id
from flask_tracking.cli.terminal import cell_width
from flask_tracking.record import ChildTiming, ExceptionInfo, UserAgent, UserRef
from flask_tracking.record_summary import summarize

AN_ID = ObjectId("0123456789abcdef01234567")
ARRIVED = datetime(2026, 11, 24, 12, 34, 56, 789_000, tzinfo=timezone.utc)
FAILURE = ExceptionInfo(
    "shop.models.OutOfStock", "17", "Traceback (most recent call last):\n  ...\nOut\n"
)
HOSTILE = "A\x1b[2J\r\u202e\x9b31m\nB"
SHOWN = r"A\x1b[2J\r\u202e\x9b31m\nB"


def make_record(**changes: Any) -> Record:
    """Make the record of an ordinary request, but for `changes`."""
    parts: dict[str, Any] = {
        "id": AN_ID,
        "date_created": ARRIVED,
        "method": "GET",
        "path": "/orders/17",
        "status_code": 200,
        "execution_time": 12.34,
    }
    return Record(**parts | changes)


def rows(records: list[Record], width: int | None = None) -> list[str]:
    """Return the lines of a table, without colours."""
    return click.unstyle(render_table([summarize(one) for one in records], width)).split("\n")


def width_on_screen(text: str) -> int:
    """Count the cells of a terminal that `text` takes, by the tables of Unicode."""
    return sum(
        0
        if unicodedata.category(character) in ("Mn", "Me")
        else 1 + (unicodedata.east_asian_width(character) in ("W", "F"))
        for character in text
    )


def test_table_has_a_line_for_each_record() -> None:
    """A table has a line of titles and a line for each record, in the order given."""
    records = [
        make_record(),
        make_record(
            method="DELETE", path="/", query_params="a=1&b=2", status_code=404, execution_time=0.0
        ),
        make_record(execution_time=1234.56, user_repr="Ada", exception=FAILURE, status_code=500),
    ]

    assert rows(records) == [
        "2026-11-24  METHOD  PATH        STATUS       MS  USER  ERROR       ID",
        "12:34:56Z   GET     /orders/17  200        12.3                    0123456789abcdef01234567",
        "12:34:56Z   DELETE  /?a=1&b=2   404         0.0                    0123456789abcdef01234567",
        "12:34:56Z   GET     /orders/17  500     1,234.6  Ada   OutOfStock  0123456789abcdef01234567",
    ]


def test_error_stays_beside_a_shorter_path() -> None:
    """In 80 cells a long path is shortened before the user or the error is left out."""
    records = [
        make_record(path="/orders" * 9, user_repr="<User ada>", exception=FAILURE, kept=True),
    ]
    titles, line = rows(records, 80)
    assert titles.split()[-3:] == ["USER", "ERROR", "ID"]
    assert "OutOf" in line and "/orders/o" in line and cell_width(line) <= 80


def test_records_of_several_days_show_theirs() -> None:
    """Where records are of more than one day each line has its own."""
    records = [make_record(), make_record(date_created=ARRIVED - timedelta(days=1))]

    titles, first, second = rows(records)
    assert titles.startswith("TIME (UTC)           METHOD")
    assert first.startswith("2026-11-24 12:34:56  GET")
    assert second.startswith("2026-11-23 12:34:56  GET")


@pytest.mark.parametrize(
    ("times", "title", "cells"),
    [
        (["2026-06-01T10:00", "2026-06-01T11:30"], "2026-06-01 +02:00", ["12:00:00", "13:30:00"]),
        (
            ["2026-06-01T10:00", "2026-06-01T23:00"],
            "TIME (+02:00)",
            ["2026-06-01 12:00:00", "2026-06-02 01:00:00"],
        ),
        (
            ["2026-06-01T10:00", "2026-12-01T10:00"],
            "TIME (UTC)",
            ["2026-06-01 10:00:00", "2026-12-01 10:00:00"],
        ),
    ],
)
def test_local_times(
    monkeypatch: pytest.MonkeyPatch, times: list[str], title: str, cells: list[str]
) -> None:
    """Times are local, and the zone is in the title; where the clock was changed they are in UTC."""
    zone = ZoneInfo("Europe/Berlin")
    records = [
        summarize(make_record(date_created=datetime.fromisoformat(f"{time}+00:00"))) for time in times
    ]
    first, *lines = render_table(records, None, zone).split("\n")
    assert first.startswith(title)
    assert [line[: len(cell)] for line, cell in zip(lines, cells, strict=True)] == cells


def test_columns_without_content_are_left_out() -> None:
    """A column that no record has anything for takes no room; one record is enough to show it."""
    assert rows([make_record()])[0].split() == [
        "2026-11-24", "METHOD", "PATH", "STATUS", "MS", "ID",
    ]  # fmt: skip
    assert "USER" in rows([make_record(), make_record(user_id="42")])[0]
    assert "ERROR" in rows([make_record(outcome="disconnected"), make_record()])[0]


@pytest.mark.parametrize(
    ("changes", "user"),
    [
        ({"user_id": "42"}, "42"),
        ({"user_id": "42", "user_repr": "Ada"}, "Ada"),
        ({"user_id": "42", "user_repr": ""}, "42"),
    ],
)
def test_user_is_the_name_or_the_id(changes: dict[str, str], user: str) -> None:
    """A user is shown by the name that people know, else by the id."""
    title, line = rows([make_record(**changes)])

    assert line[title.index("USER") :].split()[0] == user


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"exception": FAILURE}, "OutOfStock"),
        ({"exception": FAILURE, "outcome": "error"}, "OutOfStock"),
        ({"outcome": "stream_error"}, "stream_error"),
        ({"outcome": "disconnected"}, "disconnected"),
        ({"outcome": "unread"}, "unread"),
    ],
)
def test_error_is_the_exception_or_the_outcome(changes: dict[str, Any], error: str) -> None:
    """What went wrong is shown by the exception's type, else by the outcome."""
    title, line = rows([make_record(**changes)])

    assert line[title.index("ERROR") :].split()[0] == error


def test_what_is_missing_is_a_dash() -> None:
    """What a record does not have, as those of older versions, is a dash."""
    record = Record(id=AN_ID, date_created=ARRIVED)

    assert rows([record])[1].split() == [
        "12:34:56Z", "-", "-", "-", "-", "0123456789abcdef01234567",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "color"),
    [
        ({"status_code": 200}, None),
        ({"status_code": 302}, None),
        ({"status_code": 399}, None),
        ({"status_code": 400}, "yellow"),
        ({"status_code": 499}, "yellow"),
        ({"status_code": 500}, "red"),
        ({"status_code": 599}, "red"),
        ({"status_code": None}, None),
        ({"status_code": 200, "outcome": "error"}, "red"),
        ({"status_code": 200, "outcome": "stream_error"}, "red"),
        ({"status_code": 200, "outcome": "disconnected"}, None),
    ],
)
def test_color_tells_failures(changes: dict[str, Any], color: str | None) -> None:
    """Failures are red, what the client did wrong is yellow, the rest has no colour of its own."""
    text = render_table([summarize(make_record(**changes))], None)

    line = click.unstyle(text).split("\n")[1]
    assert text.split("\n")[1] == (click.style(line, fg=color) if color else line)


PATHS = [
    "/short",
    "/a" * 300,
    "/日本語" * 100,
    "/" + "e\u0301" * 300,
    "/" + "👩" * 300,
    "/ﾊﾝｶｸ" * 100,
    "/\x1b[31m" * 100,
    "/日" * 30 + "\u0301" * 50 + "x" * 50,
]


@pytest.mark.parametrize("path", PATHS, ids=ascii)
@pytest.mark.parametrize("width", [80, 81, 100, 120, 121, 200])
def test_table_fits_the_terminal(path: str, width: int) -> None:
    """No line is wider than the terminal, however wide the characters are."""
    lines = rows([make_record(path=path), make_record()], width)

    assert [line for line in lines if width_on_screen(line) > width] == []
    assert all(line.endswith("0123456789abcdef01234567") for line in lines[1:])


@pytest.mark.parametrize("width", [80, 100, 120])
def test_table_with_all_columns_fits_the_terminal(width: int) -> None:
    """A table with users and errors fits an ordinary terminal as well."""
    records = [
        make_record(path="/a" * 50, user_repr="Ada Lovelace <ada@example.com>", exception=FAILURE),
        make_record(execution_time=12_345.6),
    ]

    lines = rows(records, width)

    assert [width_on_screen(line) for line in lines if width_on_screen(line) > width] == []


def test_table_with_a_long_method_fits_the_terminal() -> None:
    """A method that a stranger made up does not push the other columns off the screen."""
    lines = rows([make_record(method="A" * 500)], 100)

    assert [width_on_screen(line) for line in lines if width_on_screen(line) > 100] == []


@pytest.mark.parametrize("path", PATHS, ids=ascii)
def test_columns_stand_below_their_titles(path: str) -> None:
    """Columns line up, however wide the characters before them are."""
    lines = rows([make_record(path=path, user_repr="Ada"), make_record(user_repr="日本")], 120)

    before_last = {width_on_screen(line[: line.rindex("  ")]) for line in lines[1:]}
    assert before_last == {width_on_screen(lines[0][: lines[0].rindex("ID") - 2])}


def test_what_is_cut_says_so() -> None:
    """A value that is cut ends with an ellipsis; one that fits does not."""
    lines = rows([make_record(path="/a" * 300), make_record()], 100)

    assert re.search(r"  (/a)+/?…  200 ", lines[1])
    assert "…" not in lines[2]
    assert len(lines[1]) == 100


@pytest.mark.parametrize(
    "changes",
    [
        {"user_repr": "u" * 500},
        {"exception": ExceptionInfo("e" * 500, "", "")},
        {"user_repr": "u" * 500, "exception": ExceptionInfo("e" * 500, "", ""), "path": "/a" * 300},
    ],
    ids=["user", "error", "all"],
)
def test_every_long_column_is_cut(changes: dict[str, Any]) -> None:
    """Users and errors are cut as paths are, and the table takes all the room that there is."""
    lines = rows([make_record(**changes), make_record()], 140)

    assert len(lines[1]) == 140
    assert lines[1].count("…  ") == len(changes)


def test_widest_column_is_cut_first() -> None:
    """Room is taken from the widest column: a short user stays whole beside a long path."""
    lines = rows([make_record(path="/a" * 300, user_repr="Ada Lovelace")], 120)

    assert "Ada Lovelace" in lines[1]


def test_nothing_is_cut_where_there_is_room() -> None:
    """A terminal that is wide enough gets the table as a pipe does."""
    records = [make_record(path="/a" * 40, user_repr="Ada", exception=FAILURE)]
    natural = max(map(len, rows(records)))

    assert rows(records, natural) == rows(records)
    assert rows(records, natural + 50) == rows(records)


def test_pipe_gets_everything() -> None:
    """Without a width nothing is cut."""
    record = make_record(path="/a" * 5000, user_repr="u" * 500)

    (_, line) = rows([record])

    assert "/a" * 5000 in line
    assert "u" * 500 in line
    assert "…" not in line


@pytest.mark.parametrize("width", [0, 1, 10, 17])
def test_terminal_too_narrow(width: int) -> None:
    """In a terminal too narrow for anything each record still has its time and a short id."""
    lines = rows([make_record(path="/a" * 300, user_repr="Ada " * 20)], width)

    assert lines == ["2026-11-24", "12:34:56Z GET 200…", f"  {shorten_id(str(AN_ID))}…"]


WIDE = [
    make_record(
        method="PROPFIND", path="/a" * 300, status_code=500, execution_time=123_456.7, kept=True
    ),
    make_record(date_created=ARRIVED - timedelta(days=1), path="/日" * 300, user_repr="Ada " * 20),
    make_record(exception=FAILURE, kept=True, kept_reason="vip customer"),
]
"""Records of two days that fill every column."""


@pytest.mark.repeats
@pytest.mark.parametrize("count", [1, 2, 3])
def test_forty_cells_are_enough(count: int) -> None:
    """From 40 cells on no line is wider than the terminal, and each record has what matters most."""
    for width in range(40, 160):
        lines = rows(WIDE[:count], width)
        assert [line for line in lines if width_on_screen(line) > width] == []
        shown = "\n".join(lines)
        ids = shown.count(str(AN_ID)) + shown.count(shorten_id(str(AN_ID)))
        assert ids == shown.count("12:34:56") == count
        assert "PROPF" in shown and "/a" in shown and "500" in shown


def test_forty_cells_show_two_lines_for_a_record() -> None:
    """Method, status, time and path come first; the id, and what else has room, stand below."""
    assert rows(WIDE, 40) == [
        "TIME (UTC)",
        "11-24 12:34:56 PROPFIND 500* /a/a/a/a/a…",
        "  01234567…234567  123,456.7 ms",
        "11-23 12:34:56 GET 200 /日/日/日/日/日/…",
        "  01234567…234567  12.3 ms  Ada Ada Ada…",
        "11-24 12:34:56 GET 200* /orders/17",
        "  01234567…234567  12.3 ms  OutOfStock",
    ]
    unfinished = make_record(status_code=None, execution_time=None, user_repr="Ada")
    assert rows([unfinished], 40) == [
        "2026-11-24",
        "12:34:56Z GET - /orders/17",
        "  01234567…234567  Ada",
    ]


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (60, "2026-11-24 METHOD PATH STATUS ID"),
        (70, "2026-11-24 METHOD PATH STATUS MS ID"),
        (80, "2026-11-24 METHOD PATH STATUS MS USER ERROR ID"),
        (100, "2026-11-24 METHOD PATH STATUS MS USER ERROR KEPT ID"),
    ],
)
def test_narrow_terminal_does_without_columns(width: int, titles: str) -> None:
    """Ids are shortened first, then columns go: first what not all records have, the time last."""
    record = make_record(
        path="/a" * 300, user_repr="<User ada>", exception=FAILURE, kept=True, kept_reason="error"
    )
    title, line = rows([record], width)

    assert title.split() == titles.split()
    assert line.endswith("  0123456789abcdef01234567" if width == 100 else "  01234567…234567")


@pytest.mark.parametrize("width", [None, 60, 100, 1000])
def test_table_sends_no_command_to_the_terminal(width: int | None) -> None:
    """Whatever strangers wrote, a record is one line of printable characters."""
    record = make_record(
        method=HOSTILE,
        path=f"/{HOSTILE}",
        query_params=HOSTILE,
        user_repr=HOSTILE,
        exception=ExceptionInfo(HOSTILE, HOSTILE, HOSTILE),
    )

    lines = rows([record, dataclasses.replace(record, exception=None, outcome=HOSTILE)], width)

    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)


def test_table_shows_escapes() -> None:
    """What the terminal would obey is shown as an escape."""
    assert SHOWN in rows([make_record(path=f"/{HOSTILE}")])[1]


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("", 0),
        ("ascii", 5),
        ("ü", 1),
        ("u\u0308", 1),
        ("日本", 4),
        ("ﾊﾝ", 2),
        ("Ａ", 2),
        ("👩", 2),
        ("a日\u0301b", 4),
    ],
)
def test_cell_width(text: str, width: int) -> None:
    """East Asian characters and emoji take two cells, combining ones none."""
    assert cell_width(text) == width


@pytest.mark.parametrize(
    ("arrived", "offset_h"),
    [
        (datetime(1, 1, 1, tzinfo=timezone.utc), -1),
        (datetime(9999, 12, 31, 23, 59, tzinfo=timezone.utc), 1),
    ],
)
def test_times_at_the_ends_of_all_years(arrived: datetime, offset_h: int) -> None:
    """A time of a wrong clock that the zone does not have is shown in UTC, and hides no record."""
    zone = timezone(timedelta(hours=offset_h))
    record = make_record(date_created=arrived)
    others = [summarize(record), summarize(make_record())]
    assert render_table(others, None, zone).startswith("TIME (UTC)  ")
    assert f"{arrived:%H:%M:%S}Z GET" in render_row(summarize(record), None, zone)
    assert f"{arrived:%H:%M:%S}.000 UTC" in render_record(record, zone)


def full_record() -> Record:
    """Make a record that has every part."""
    return make_record(
        method="POST",
        query_params="a=1",
        http_version="HTTP/1.1",
        status_code=500,
        outcome="error",
        execution_time=1234.567,
        time_to_first_byte=2.04,
        url_rule="/orders/<int:id>",
        endpoint="orders.show",
        user_id="42",
        user_repr="Ada",
        user=UserRef("User", "user", AN_ID),
        ip="203.0.113.7",
        scheme="https",
        host="shop.example.com",
        user_agent=UserAgent("safari", "17.5", "iphone", "de", "Mozilla/5.0", "Mobile Safari", "iOS"),
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
        span_id="00f067aa0ba902b7",
        parent_span_id="1111111111111111",
        request_id="req-17",
        process="web-1:17:0011223344556677",
        version="2026.11",
        dropped_before=3,
        notes=("one thing was cut", "another was replaced"),
        request_headers=(("Host", "shop.example.com"), ("Content-Type", "application/json")),
        request_body=b'{"id": 17, "name": "Gr\xc3\xb6\xc3\x9fe"}',
        request_body_size=1029,
        response_headers=(("Content-Type", "text/plain"), ("X-One", "1"), ("X-One", "2")),
        response_body=b"first\nsecond\n",
        response_body_size=5000,
        response_body_note="truncated",
        children=(
            ChildTiming("charge card", 1.0, 1000.06, None),
            ChildTiming("mail", 2.0, None, None),
            ChildTiming("stock", 3.0, 0.5, "OutOfStock"),
        ),
        custom_data={"order_id": 17, "tags": ["a"], "when": ARRIVED, "name": "日本"},
        exception=ExceptionInfo(
            "shop.models.OutOfStock",
            "17",
            "Traceback (most recent call last):\n  File ...\nshop.models.OutOfStock: 17\n",
        ),
    )


@pytest.mark.parametrize(
    ("agent", "client"),
    [
        (UserAgent("firefox", "3.6", "macos", None, "Mozilla"), "firefox 3.6, macos"),
        (UserAgent("curl", "8.5.0", None, None, "curl/8.5.0", "curl"), "curl 8.5.0"),
        (UserAgent(None, None, "linux", None, "Linux", None, "Linux"), "Linux"),
        (UserAgent(None, None, None, "de", "what"), None),
        (None, None),
    ],
)
def test_client_is_named_by_the_parser(agent: UserAgent | None, client: str | None) -> None:
    """A client has the parser's names; records of old have the words that they were stored with."""
    lines = render_record(make_record(user_agent=agent)).split("\n")
    shown = [line.split("client")[1].strip() for line in lines if "client" in line]
    assert shown == ([client] if client else [])


def test_record_at_length() -> None:
    """A record at length shows every part, each under its name, bodies and data made readable."""
    assert render_record(full_record()).split("\n") == [
        "POST /orders/17?a=1 HTTP/1.1",
        "",
        "  id              0123456789abcdef01234567",
        "  arrived         2026-11-24 12:34:56.789 UTC",
        "  status          500 (error)",
        "  took            1,234.6 ms, first byte after 2.0 ms",
        "  route           /orders/<int:id> (orders.show)",
        "  user            Ada (42)",
        "  from            203.0.113.7",
        "  client          Mobile Safari 17.5, iOS",
        "  host            https://shop.example.com",
        "  trace           4bf92f3577b34da6a3ce929d0e0e4736",
        "  parent span     1111111111111111",
        "  request id      req-17",
        "  process         web-1:17:0011223344556677",
        "  version         2026.11",
        "  dropped before  3",
        "  notes           one thing was cut; another was replaced",
        "",
        "Request (1,029 bytes on the wire)",
        "  Host          shop.example.com",
        "  Content-Type  application/json",
        "",
        "  {",
        '    "id": 17,',
        '    "name": "Größe"',
        "  }",
        "",
        "Response (5,000 bytes on the wire, stored: 13, truncated)",
        "  Content-Type  text/plain",
        "  X-One         1",
        "  X-One         2",
        "",
        "  first",
        "  second",
        "",
        "Child spans",
        "  charge card  1,000.1 ms, from 1.0 ms on",
        "  mail         had not ended, from 2.0 ms on",
        "  stock        0.5 ms, from 3.0 ms on, left by OutOfStock",
        "",
        "Custom data",
        "  {",
        '    "order_id": 17,',
        '    "tags": [',
        '      "a"',
        "    ],",
        '    "when": "2026-11-24 12:34:56.789000+00:00",',
        '    "name": "日本"',
        "  }",
        "",
        "Exception",
        "  Traceback (most recent call last):",
        "    File ...",
        "  shop.models.OutOfStock: 17",
    ]


def test_record_with_little_to_say() -> None:
    """Parts that a record does not have are left out."""
    record = make_record(scheme="http", host="shop.example.com", outcome="ok")

    assert render_record(record).split("\n") == [
        "GET /orders/17",
        "",
        "  id       0123456789abcdef01234567",
        "  arrived  2026-11-24 12:34:56.789 UTC",
        "  status   200",
        "  took     12.3 ms",
        "  host     http://shop.example.com",
        "",
        "Request (0 bytes on the wire)",
        "",
        "Response (0 bytes on the wire)",
    ]


def test_record_of_an_older_version() -> None:
    """A record that lacks what older versions did not store is shown without empty words."""
    bare = Record(id=AN_ID, date_created=ARRIVED)
    classic = make_record(host="shop.example.com")

    assert "None" not in render_record(bare)
    assert "None" not in render_record(classic)
    assert "shop.example.com" in render_record(classic)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"user_id": "42"}, "  user     42"),
        ({"user_repr": "Ada"}, "  user     Ada"),
        ({"user_id": "42", "user_repr": "42"}, "  user     42"),
        ({"user_id": "42", "user_repr": "Ada"}, "  user     Ada (42)"),
    ],
)
def test_user_at_length(changes: dict[str, str], line: str) -> None:
    """A user is shown by name and id, or by the one that there is, and no word twice."""
    assert line in render_record(make_record(**changes)).split("\n")


@pytest.mark.parametrize(
    ("note", "size", "stored", "line"),
    [
        (None, 5, b"12345", "Response (5 bytes on the wire)"),
        (
            "truncated",
            1_000_000,
            b"12345",
            "Response (1,000,000 bytes on the wire, stored: 5, truncated)",
        ),
        ("binary", 1000, b"", "Response (1,000 bytes on the wire, stored: 0, binary)"),
    ],
)
def test_body_says_why_it_is_not_whole(note: str | None, size: int, stored: bytes, line: str) -> None:
    """The title of a message says how long its body was, and what is stored when that is less."""
    record = make_record(response_body=stored, response_body_size=size, response_body_note=note)

    assert line in render_record(record).split("\n")


def body_lines(body: bytes) -> list[str]:
    """Return how a response body is shown, without the indent."""
    text = render_record(make_record(response_body=body, response_body_size=len(body)))
    _, _, shown = text.partition("bytes on the wire)\n\nResponse")
    _, _, shown = shown.partition("\n\n")
    assert all(line.startswith("  ") for line in shown.split("\n"))
    return [line[2:] for line in shown.split("\n")]


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (b"text", ["text"]),
        (b"one\n\n  two\n\n", ["one", "", "  two"]),
        (b"one\r\ntwo\r\n", [r"one\r", "two"]),
        (b"tab\there", [r"tab\there"]),
        (b"\xff\xfe raw", ["\ufffd\ufffd raw"]),
        (b"\x1b[2J", [r"\x1b[2J"]),
        (b"[1,2]", ["[", "  1,", "  2", "]"]),
        (b'  {"a":{}}', ["{", '  "a": {}', "}"]),
        (b'{"a": "\\u001b[2J"}', ["{", r'  "a": "\u001b[2J"', "}"]),
        (b'{"a": "\\ud800"}', ["{", r'  "a": "\ud800"', "}"]),
        (b'{"a": 1, "b": [1, 2', ['{"a": 1, "b": [1, 2']),
        (b"{not json}", ["{not json}"]),
        (b"[" * 20_000, ["[" * 20_000]),
        (b"[" + b"9" * 5000 + b"]", ["[" + "9" * 5000 + "]"]),
        (b"17", ["17"]),
        (b"a=1&b=2", ["a=1&b=2"]),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_body_is_readable(body: bytes, lines: list[str]) -> None:
    """JSON is laid out, what is not is shown line by line, and nothing of it reaches the terminal."""
    gc.collect()  # garbage of other tests, collected at the bottom of a recursion, could not end there
    assert body_lines(body) == lines


def test_nested_json_is_shown() -> None:
    """JSON nested as deeply as a parser takes is shown, laid out or as it came."""
    depth = 900

    text = "".join(line.strip() for line in body_lines(b"[" * depth + b"]" * depth))

    assert text == "[" * depth + "]" * depth


def hostile_record() -> Record:
    """Make a record that has something a terminal would obey in every text."""
    texts = {
        field.name: HOSTILE
        for field in dataclasses.fields(Record)
        if field.type in ("str", "str | None") and field.name != "kind"
    }
    return make_record(
        **texts,
        request_headers=((HOSTILE, HOSTILE),),
        response_headers=((HOSTILE, HOSTILE),),
        request_body=HOSTILE.encode(),
        response_body=b'{"%s": "\\u001b"}' % HOSTILE.encode(),
        view_args={HOSTILE: HOSTILE},
        custom_data={HOSTILE: [HOSTILE]},
        exception=ExceptionInfo(HOSTILE, HOSTILE, HOSTILE),
        children=(ChildTiming(HOSTILE, 0.0, 1.0, HOSTILE),),
        notes=(HOSTILE,),
    )


def test_record_at_length_sends_no_command_to_the_terminal() -> None:
    """Whatever strangers wrote, only printable characters and our own line ends are printed."""
    lines = render_record(hostile_record()).split("\n")

    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith("B") for line in lines)
    assert lines[0] == f"{SHOWN} {SHOWN}?{SHOWN} {SHOWN}"
    assert sum("A\\x1b[2J" in line for line in lines) > 15


def test_strangers_cannot_forge_a_part() -> None:
    """A line end in a header, a name or a note makes no line that looks like one of ours."""
    forged = "x\n\nException\n  forged"

    text = render_record(
        make_record(
            path=forged,
            request_headers=((forged, forged),),
            notes=(forged,),
            children=(ChildTiming(forged, 0.0, 1.0, None),),
            custom_data={"a": forged},
        )
    )

    assert "Exception" not in text.split("\n")
