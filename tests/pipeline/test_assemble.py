"""`Assembler` makes of what was copied what is stored."""

from __future__ import annotations

import dataclasses
import gzip
import os
import re
from datetime import datetime, timezone
from typing import Any

import pytest
from bson import ObjectId
from werkzeug.exceptions import SecurityError

from flask_tracking import Settings
from flask_tracking.pipeline import assemble as assemble_module
from flask_tracking.pipeline import user_agents
from flask_tracking.pipeline.assemble import Assembler
from flask_tracking.pipeline.user_agents import MAX_LENGTH, UserAgentParser
from flask_tracking.record import Capture, ChildTiming, ExceptionInfo, Record, UserAgent, UserRef
from flask_tracking.runtime.ids import TraceContext, make_record_id

from ..captures import make_capture

AN_ID = ObjectId("0123456789abcdef01234567")
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
)


def capture(environ: dict[str, str | None] | None = None, **parts: Any) -> Capture:
    """Make the capture of an ordinary request without a body.

    Args:
        environ: keys of the environ that differ; None takes a key away.
        **parts: fields of the capture that differ.
    """
    made = make_capture(**{"response_chunks": (), "response_size": 0, **parts})
    keys = dict(zip(made.environ_keys, made.environ_values, strict=True))
    changed = {**keys, "HTTP_USER_AGENT": None, "RAW_URI": None, **(environ or {})}
    kept = {key: value for key, value in changed.items() if value is not None}
    return dataclasses.replace(made, environ_keys=tuple(kept), environ_values=tuple(kept.values()))


def assemble(environ: dict[str, str | None] | None = None, **parts: Any) -> Record:
    """Make the record of such a capture, with the settings as they are by default."""
    return Assembler(Settings()).assemble(capture(environ, **parts))


def as_latin_1(data: bytes) -> str:
    """Hand bytes over as a WSGI server does."""
    return data.decode("latin-1")


def test_request_line() -> None:
    """Method, scheme, host, path, query, version and address are those of the request."""
    record = assemble(
        {
            "REQUEST_METHOD": "POST",
            "wsgi.url_scheme": "https",
            "HTTP_HOST": "shop.example.com",
            "PATH_INFO": "/orders/17",
            "QUERY_STRING": "a=1&b=%20",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "203.0.113.7",
        }
    )

    assert (record.method, record.scheme, record.http_version) == ("POST", "https", "HTTP/1.1")
    assert (record.host, record.path) == ("shop.example.com", "/orders/17")
    assert (record.query_params, record.ip) == ("a=1&b=%20", "203.0.113.7")
    assert record.kind == "request"


def test_id_is_the_spans() -> None:
    """The record has the id that the span told the app."""
    assert assemble(arrived_at=1e9, number=17).id == make_record_id(1e9, 17)


def test_method_is_as_the_app_saw_it() -> None:
    """A method in lower case is the method that Flask routed it by."""
    assert assemble({"REQUEST_METHOD": "get"}).method == "GET"


@pytest.mark.parametrize(
    ("environ", "host"),
    [
        ({"HTTP_HOST": "shop.example.com:8000"}, "shop.example.com:8000"),
        ({"HTTP_HOST": "shop.example.com:80"}, "shop.example.com"),
        ({"HTTP_HOST": "shop.example.com:443", "wsgi.url_scheme": "https"}, "shop.example.com"),
        ({"HTTP_HOST": "shop.example.com:80", "wsgi.url_scheme": "https"}, "shop.example.com:80"),
        ({"HTTP_HOST": "[2001:db8::1]:8000"}, "[2001:db8::1]:8000"),
        ({"HTTP_HOST": None}, "127.0.0.1:5000"),
        ({"HTTP_HOST": None, "SERVER_PORT": "80"}, "127.0.0.1"),
        ({"HTTP_HOST": None, "SERVER_PORT": "443", "wsgi.url_scheme": "https"}, "127.0.0.1"),
    ],
)
def test_host(environ: dict[str, str | None], host: str) -> None:
    """The host is the one that was asked for, else the server's, without the scheme's own port."""
    assert assemble(environ).host == host


@pytest.mark.parametrize(
    "environ",
    [
        {"HTTP_HOST": "two words"},
        {"HTTP_HOST": as_latin_1(b"\xff\xfe")},
        {"HTTP_HOST": ""},
        {"HTTP_HOST": "shop.example.com/../../etc"},
        {"HTTP_HOST": None, "SERVER_NAME": "/run/shop.sock", "SERVER_PORT": ""},
        {"HTTP_HOST": None, "SERVER_PORT": "unknown"},
        {"HTTP_HOST": None, "SERVER_PORT": "9" * 5000},
        {"HTTP_HOST": None, "SERVER_NAME": None, "SERVER_PORT": None},
        {"HTTP_HOST": "shop.example.com", "wsgi.url_scheme": None},
    ],
)
def test_host_that_makes_no_sense_costs_no_record(environ: dict[str, str | None]) -> None:
    """A host that is none, or is missing, is stored as well as can be, with all the rest."""
    record = assemble(environ)

    assert isinstance(record.host, str)
    assert record.path == "/orders/7"


def test_host_that_werkzeug_refuses_costs_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Werkzeug that raises for a host that is none, as 3.1.7 does, costs the host alone."""

    def refuse(*_: object) -> str:
        raise SecurityError("Host '' is not trusted.")

    monkeypatch.setattr(assemble_module, "get_host", refuse)

    record = assemble({"HTTP_HOST": "two words"})

    assert not record.host
    assert record.path == "/orders/7"


@pytest.mark.parametrize("name", ["PATH_INFO", "QUERY_STRING", "REMOTE_ADDR", "SERVER_PROTOCOL"])
def test_environ_without_a_key(name: str) -> None:
    """A server or a test that leaves a key of the request line out costs no record."""
    record = assemble({name: None})

    assert record.method == "GET"
    assert record.path == ("/" if name == "PATH_INFO" else "/orders/7")


@pytest.mark.parametrize(
    ("path_info", "path"),
    [
        ("", "/"),
        ("/", "/"),
        ("//double", "/double"),
        ("no-slash", "/no-slash"),
        ("/a b", "/a b"),
        (as_latin_1("/straße/日本".encode()), "/straße/日本"),
        (as_latin_1(b"/\xff\xfe"), "/\ufffd\ufffd"),
        (as_latin_1("/caf\xe9".encode("latin-1")), "/caf\ufffd"),
        ("/日本", "/??"),
        ("/half \ud800", "/half ?"),
        ("/a\nb", "/a\nb"),
    ],
)
def test_path(path_info: str, path: str) -> None:
    """The path is the one that Flask routed by; what is not UTF-8 in it is replaced."""
    assert assemble({"PATH_INFO": path_info}).path == path


@pytest.mark.parametrize(
    ("query_string", "query"),
    [
        ("", ""),
        ("a=1", "a=1"),
        ("?a=1", "?a=1"),
        (as_latin_1("q=größe".encode()), "q=größe"),
        (as_latin_1(b"q=\xff"), "q=\ufffd"),
        ("q=%FF", "q=%FF"),
    ],
)
def test_query(query_string: str, query: str) -> None:
    """The query is as it was sent, still percent-encoded; what is not UTF-8 in it is replaced."""
    assert assemble({"QUERY_STRING": query_string}).query_params == query


@pytest.mark.parametrize(
    ("environ", "target"),
    [
        ({}, None),
        ({"RAW_URI": "/orders/17?a=1"}, "/orders/17?a=1"),
        ({"REQUEST_URI": "/orders/%31%37"}, "/orders/%31%37"),
        ({"RAW_URI": "/raw", "REQUEST_URI": "/request"}, "/raw"),
        ({"RAW_URI": "", "REQUEST_URI": "/request"}, "/request"),
    ],
)
def test_target(environ: dict[str, str | None], target: str | None) -> None:
    """The raw target is what the server gives of it, under either name."""
    assert assemble(environ).target == target


def test_request_headers_are_in_title_case() -> None:
    """Request headers are named as people write them, in the server's order; no other key is one."""
    record = assemble(
        {
            "HTTP_X_FORWARDED_FOR": "203.0.113.7, 198.51.100.1",
            "HTTP_ACCEPT": "*/*",
            "HTTP_DNT": "1",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": "17",
        }
    )

    assert record.request_headers == (
        ("Host", "example.org"),
        ("X-Forwarded-For", "203.0.113.7, 198.51.100.1"),
        ("Accept", "*/*"),
        ("Dnt", "1"),
        ("Content-Type", "application/json"),
        ("Content-Length", "17"),
    )


def test_content_headers_that_servers_make_up_are_left_out() -> None:
    """An empty content type or length was not sent; an empty header of another name was."""
    record = assemble({"CONTENT_TYPE": "", "CONTENT_LENGTH": "", "HTTP_X_EMPTY": ""})

    assert record.request_headers == (("Host", "example.org"), ("X-Empty", ""))


def test_header_of_other_bytes_is_kept_as_it_came() -> None:
    """A header's bytes, whatever they are, can be had back by encoding it as Latin-1."""
    record = assemble({"HTTP_X_NAME": as_latin_1(b"caf\xc3\xa9 \xff")})

    assert dict(record.request_headers)["X-Name"].encode("latin-1") == b"caf\xc3\xa9 \xff"


def test_bodies() -> None:
    """Bodies are joined, their sizes are those on the wire, and whole ones carry no note."""
    record = assemble(
        request_chunks=(b"one", b"two"),
        request_size=6,
        response_chunks=(b"three",),
        response_size=5,
    )

    assert (record.request_body, record.request_body_size, record.request_body_note) == (
        b"onetwo", 6, None,
    )  # fmt: skip
    assert (record.response_body, record.response_body_size, record.response_body_note) == (
        b"three", 5, None,
    )  # fmt: skip


def test_coded_bodies_are_decoded() -> None:
    """A coded body is stored decoded, its size is that on the wire; the header's case is no matter."""
    text = b"text" * 100
    encoded = gzip.compress(text)

    record = assemble(
        {"HTTP_CONTENT_ENCODING": "gzip"},
        request_chunks=(encoded,),
        request_size=len(encoded),
        response_headers=(("content-encoding", "gzip"),),
        response_chunks=(encoded[:10], encoded[10:]),
        response_size=len(encoded),
    )

    assert (record.request_body, record.request_body_size, record.request_body_note) == (
        text, len(encoded), None,
    )  # fmt: skip
    assert (record.response_body, record.response_body_size, record.response_body_note) == (
        text, len(encoded), None,
    )  # fmt: skip


CODED = gzip.compress(b"0123456789" * 100)


@pytest.mark.parametrize(
    ("note", "chunks", "size", "coding", "limit", "stored"),
    [
        # The first reason on the body's way is the one that is told.
        ("excluded", (), 17, "", 100, "excluded"),
        ("binary", (), 17, "gzip", 100, "binary"),
        ("file", (), 17, "", 100, "file"),
        ("not read", (b"12",), 17, "", 100, "not read"),
        ("not read", (b"junk",), 17, "gzip", 100, "not read"),
        (None, (b"12345",), 17, "", 5, "truncated"),
        (None, (b"12345",), 5, "", 5, None),
        (None, (b"junk",), 4, "gzip", 100, "undecodable"),
        (None, (b"junk",), 17, "gzip", 4, "undecodable"),
        (None, (b"junk",), 4, "unknown", 100, "undecodable"),
        (None, (CODED,), len(CODED), "gzip", 100, "truncated"),
        (None, (CODED,), len(CODED), "gzip", 1000, None),
        (None, (CODED[:-9],), len(CODED), "gzip", 1000, "truncated"),
        (None, (), 17, "", 0, "truncated"),
        (None, (), 17, "gzip", 0, "truncated"),
        (None, (), 0, "", 0, None),
        (None, (), 0, "gzip", 100, None),
    ],
)
def test_body_notes(
    note: str | None,
    chunks: tuple[bytes, ...],
    size: int,
    coding: str,
    limit: int,
    stored: str | None,
) -> None:
    """A note says why a body is not whole, for requests and responses alike."""
    made = capture(
        {"HTTP_CONTENT_ENCODING": coding},
        request_chunks=chunks,
        request_size=size,
        request_note=note,
        response_headers=(("Content-Encoding", coding),),
        response_chunks=chunks,
        response_size=size,
        response_note=note,
    )

    record = Assembler(Settings(max_body_bytes=limit, redact=False)).assemble(made)

    assert (record.request_body_note, record.response_body_note) == (stored, stored)
    assert len(record.request_body) <= limit
    assert record.request_body == record.response_body
    assert (record.request_body_size, record.response_body_size) == (size, size)


@pytest.mark.parametrize(
    ("status", "outcome", "code"),
    [
        ("200 OK", "ok", 200),
        ("404 NOT FOUND", "ok", 404),
        ("299 Anything At All", "disconnected", 299),
        ("204", "ok", 204),
        ("101 Switching Protocols", "ok", 101),
        (None, "error", 500),
        (None, "disconnected", None),
        (None, "unread", None),
        ("", "ok", None),
        ("OK", "ok", None),
    ],
)
def test_status(status: str | None, outcome: str, code: int | None) -> None:
    """The status is the answer's; without an answer it is a 500 where the app failed, else nothing."""
    assert assemble(status=status, outcome=outcome).status_code == code


@pytest.mark.parametrize(
    "header",
    ["a", "0", "req-17", "550e8400-e29b-41d4-a716-446655440000", "Root=1-67891233-abcdef", "a" * 128],
)
def test_well_formed_request_id_is_taken(header: str) -> None:
    """A request id that looks like one is the record's."""
    assert assemble({"HTTP_X_REQUEST_ID": header}).request_id == header


@pytest.mark.parametrize(
    "header",
    [
        None, "", " ", "two words", "-starts-with-a-dash", "a" * 129, "<script>", "line\nbreak", "id\n",
        "caf\xe9", "\x1b[2J", "a,b", "a;b",
    ],
)  # fmt: skip
def test_other_request_id_is_made(header: str | None) -> None:
    """Without a request id, or with one that is none, the record's own id is it."""
    record = assemble({"HTTP_X_REQUEST_ID": header})

    assert record.request_id == str(record.id)


def test_user_agent_is_parsed() -> None:
    """The user agent's browser, version, platform and language are told apart.

    What the first flask-tracking had a word for has that, with the parser's own name beside it.
    """
    record = assemble({"HTTP_USER_AGENT": FIREFOX, "HTTP_ACCEPT_LANGUAGE": "de-CH,de;q=0.8,en;q=0.5"})

    assert record.user_agent == UserAgent(
        "firefox", "128.0", "windows", "de-CH", FIREFOX, "Firefox", "Windows"
    )


def test_no_user_agent() -> None:
    """A request without a user agent has none, though it names a language."""
    assert assemble({"HTTP_ACCEPT_LANGUAGE": "de"}).user_agent is None


@pytest.mark.parametrize(
    ("string", "parts"),
    [
        (FIREFOX, ("firefox", "128.0", "windows", "Firefox", "Windows")),
        (SAFARI, ("safari", "17.5", "iphone", "Mobile Safari", "iOS")),
        ("", (None, None, None, None, None)),
        ("something of one's own", (None, None, None, None, None)),
        ("Linux", (None, None, "linux", None, "Linux")),
        ("Googlebot", ("google", None, None, "Googlebot", None)),
        ("caf\xe9 \0", (None, None, None, None, None)),
    ],
)
def test_parts_of_a_user_agent(string: str, parts: tuple[str | None, ...]) -> None:
    """What a user agent does not say is None; the string itself is kept as it came."""
    browser, version, platform, browser_name, platform_name = parts
    assert assemble({"HTTP_USER_AGENT": string}).user_agent == UserAgent(
        browser, version, platform, None, string, browser_name, platform_name
    )


def test_user_agent_that_is_not_parsed_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """When too many new user agents come, a record has the string alone, and says so in its notes."""
    monkeypatch.setattr(user_agents, "_parser", UserAgentParser())  # one that has seen no agent yet
    monkeypatch.setattr(UserAgentParser, "parse", lambda *_: None)
    record = assemble({"HTTP_USER_AGENT": FIREFOX}, notes=("one",))
    assert record.user_agent == UserAgent(None, None, None, None, FIREFOX)
    assert record.notes == ("one", "user agent not parsed: too many new ones")


def test_user_agent_that_the_parser_refuses_costs_itself_only() -> None:
    """A user agent that no server should hand over, and the parser cannot take, costs no record."""
    record = assemble({"HTTP_USER_AGENT": "half \ud800 pair"})

    assert record.path == "/orders/7"
    assert dict(record.request_headers)["User-Agent"] == "half \ud800 pair"


def test_long_user_agent_is_kept_and_parsed_in_part() -> None:
    """Of a user agent without an end the beginning is parsed, and all of it kept."""
    string = "x" * MAX_LENGTH + FIREFOX

    record = assemble({"HTTP_USER_AGENT": string, "HTTP_ACCEPT_LANGUAGE": "de," * 10_000})

    assert record.user_agent == UserAgent(None, None, None, "de", string)


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        (None, None),
        ("", None),
        ("*", None),
        ("de", "de"),
        ("en-US,en;q=0.9", "en-US"),
        ("en;q=0.5, de;q=0.9", "de"),
        ("*;q=0.1, fr", "fr"),
        ("de;q=nonsense, fr", "fr"),
    ],
)
def test_language(accept: str | None, language: str | None) -> None:
    """The language is the one preferred; one that is not there, or any, is None."""
    agent = assemble({"HTTP_USER_AGENT": FIREFOX, "HTTP_ACCEPT_LANGUAGE": accept}).user_agent

    assert agent is not None
    assert agent.language == language


@pytest.mark.parametrize(
    ("arrived_at", "created"),
    [
        (0.0, datetime(1970, 1, 1, tzinfo=timezone.utc)),
        (1_795_521_600.25, datetime(2026, 11, 24, 12, 0, 0, 250_000, tzinfo=timezone.utc)),
        (1_795_521_600.9999, datetime(2026, 11, 24, 12, 0, 0, 999_000, tzinfo=timezone.utc)),
        (1_795_521_600.0004, datetime(2026, 11, 24, 12, 0, 0, 0, tzinfo=timezone.utc)),
    ],
)
def test_arrival_has_whole_milliseconds(arrived_at: float, created: datetime) -> None:
    """The time of arrival is UTC, rounded down to what MongoDB stores."""
    record = assemble(arrived_at=arrived_at)

    assert record.date_created == created
    assert record.date_created.tzinfo is timezone.utc


def test_every_millisecond_can_be_told() -> None:
    """No arrival of a second is put into the millisecond before it."""
    start = 1_795_521_600

    for number in range(1000):
        record = assemble(arrived_at=start + number / 1000 + 0.0001)
        assert record.date_created.microsecond == number * 1000


def test_durations_are_milliseconds() -> None:
    """Durations are milliseconds, as exact as they were measured."""
    record = assemble(duration_ns=12_345_678, first_byte_ns=2_000_500)

    assert record.execution_time == 12.345678
    assert record.time_to_first_byte == 2.0005


def test_answer_without_a_byte_has_no_first_one() -> None:
    """Where no byte was produced there is no time to the first; at once is not never."""
    assert assemble(first_byte_ns=None).time_to_first_byte is None
    assert assemble(first_byte_ns=0).time_to_first_byte == 0.0


def test_what_the_request_thread_said_is_kept() -> None:
    """What the request thread says in its own words is taken over as it is."""
    said: dict[str, Any] = {
        "kind": "task",
        "app": "blog",
        "outcome": "stream_error",
        "endpoint": "orders.show",
        "url_rule": "/orders/<int:id>",
        "blueprint": "orders",
        "view_args": {"id": "17"},
        "user_id": "42",
        "user_repr": "Ada",
        "user": UserRef("User", "user", AN_ID),
        "exception": ExceptionInfo("ValueError", "wrong", "Traceback"),
        "custom_data": {"a": [1, {"b": None}]},
        "children": (ChildTiming("charge", 1.0, 2.0, None),),
        "notes": ("a cycle in custom data was cut",),
    }

    record = assemble(**said)

    assert {name: getattr(record, name) for name in said} == said


def test_decided_trace_is_kept() -> None:
    """A trace that was decided during the request is the record's, whatever the header says."""
    trace = TraceContext("1" * 32, "2" * 16, "3" * 16)
    record = assemble({"HTTP_TRACEPARENT": f"00-{'4' * 32}-{'5' * 16}-01"}, trace=trace)

    assert (record.trace_id, record.span_id, record.parent_span_id) == trace


def test_undecided_trace_is_the_headers() -> None:
    """Without a decision the header's trace is continued, and without a header one is begun."""
    continued = assemble({"HTTP_TRACEPARENT": f"00-{'4' * 32}-{'5' * 16}-01"}, trace=None)
    begun = assemble(trace=None)

    assert (continued.trace_id, continued.parent_span_id) == ("4" * 32, "5" * 16)
    assert re.fullmatch(r"[0-9a-f]{32}", begun.trace_id or "")
    assert re.fullmatch(r"[0-9a-f]{16}", begun.span_id or "")
    assert begun.parent_span_id is None


def test_record_has_every_field() -> None:
    """A record is made of a value for every field, in their order, and is like one made by name."""
    record = assemble()
    fields = {field.name: getattr(record, field.name) for field in dataclasses.fields(Record)}

    assert list(vars(record)) == list(fields)
    assert record == Record(**fields)


def test_version_is_the_setting() -> None:
    """The app's version is the one that is set, if one is."""
    record = Assembler(Settings(app_version="2026.11")).assemble(capture())

    assert record.version == "2026.11"
    assert assemble().version is None


def test_process_is_host_pid_and_chance() -> None:
    """The process is named by host, pid and random bits, alike in all its records."""
    assembler = Assembler(Settings())
    records = [assembler.assemble(capture()) for _ in range(3)]

    assert {record.process for record in records} == {assembler.process}
    assert records[0].hostname
    pattern = rf"{re.escape(records[0].hostname)}:{os.getpid()}:[0-9a-f]{{16}}"
    assert re.fullmatch(pattern, assembler.process)


def test_each_assembler_names_a_process_of_its_own() -> None:
    """A child that is given the pid of one before it has another name all the same."""
    assert Assembler(Settings()).process != Assembler(Settings()).process
