"""Credentials in headers: gone with redaction on or off, and nothing else with them."""

from __future__ import annotations

import pytest

from flask_tracking import Settings
from flask_tracking.record import Record, Remark
from flask_tracking.redaction.redactor import Redactor

from .planting import make_record


@pytest.fixture(params=[True, False], ids=["redacting", "not redacting"])
def redactor(request: pytest.FixtureRequest) -> Redactor:
    """A redactor, on and off."""
    return Redactor(Settings(redact=request.param))


def redact(redactor: Redactor, record: Record) -> Record:
    """Redact twice: the second time must change nothing."""
    (redacted,) = redactor.redact([record])
    assert redactor.redact([redacted]) == [redacted]
    return redacted


def test_credentials_in_request_headers(redactor: Redactor) -> None:
    """The values of headers that carry credentials are replaced, their names and the rest are not."""
    headers = (
        ("Authorization", "Basic YWRhOmh1bnRlcjI="),
        ("Proxy-Authorization", "Bearer hunter2"),
        ("Cookie", "session=hunter2;theme=dark"),
        ("X-Cookie-Consent", "yes"),
    )

    redacted = redact(redactor, make_record(request_headers=headers))

    assert redacted.request_headers == (
        ("Authorization", "Basic [redacted]"),
        ("Proxy-Authorization", "Bearer [redacted]"),
        ("Cookie", "session=[redacted];theme=[redacted]"),
        ("X-Cookie-Consent", "yes"),
    )
    assert redacted.redacted == (
        Remark("request_headers.Authorization", "header", 6, 16, 6, 10),
        Remark("request_headers.Proxy-Authorization", "header", 7, 7, 7, 10),
        Remark("request_headers.Cookie", "header", 8, 7, 8, 10),
        Remark("request_headers.Cookie", "header", 22, 4, 25, 10),
    )


def test_credentials_in_response_headers(redactor: Redactor) -> None:
    """Every cookie that is set is hidden, however its name is written; order and repeats stay."""
    headers = (
        ("Content-Type", "text/plain"),
        ("Set-Cookie", "session=hunter2; HttpOnly; Path=/a; Max-Age=17"),
        ("X-One", "1"),
        ("set-cookie", "remember=hunter2"),
        ("X-One", "2"),
        ("SET-COOKIE", "third=hunter2"),
        ("Vary", "Cookie"),
        ("proxy-authorization", "hunter2"),
    )

    redacted = redact(redactor, make_record(response_headers=headers))

    assert redacted.response_headers == (
        ("Content-Type", "text/plain"),
        ("Set-Cookie", "session=[redacted]; HttpOnly; Path=/a; Max-Age=17"),
        ("X-One", "1"),
        ("set-cookie", "remember=[redacted]"),
        ("X-One", "2"),
        ("SET-COOKIE", "third=[redacted]"),
        ("Vary", "Cookie"),
        ("proxy-authorization", "[redacted]"),
    )


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("Cookie", "", ""),
        ("Cookie", "a=", "a="),
        ("Cookie", "hunter2", "[redacted]"),
        ("Cookie", "a=b; hunter2=; c", "a=[redacted]; hunter2=; [redacted]"),
        ("Cookie", 'a="hunter2; b=c"', "[redacted]"),
        ("Cookie", "eyJhbGciOiJIUzI1NiJ9/x=1", "[redacted]"),
        (
            "Set-Cookie",
            "a=hunter2; Path=<hunter2>; Other=hunter2",
            "a=[redacted]; [redacted]; [redacted]",
        ),
        ("Authorization", "hunter2", "[redacted]"),
        ("Authorization", "Hunter2 hunter2", "[redacted]"),
        ("Authorization", "Bearer", "[redacted]"),
        ("Authorization", 'Digest username="ada", response="hunter2"', "[redacted]"),
        ("Authorization", "Bearer [redacted #12345678]", "Bearer [redacted #12345678]"),
        ("Authorization", "***", "***"),
    ],
)
def test_unclear_credentials_go_whole(redactor: Redactor, name: str, value: str, stored: str) -> None:
    """What is not of the usual form is removed whole; what is removed already stays."""
    redacted = redact(redactor, make_record(request_headers=((name, value),)))
    assert redacted.request_headers == ((name, stored),)


def test_credentials_that_were_stripped_before(redactor: Redactor) -> None:
    """A header that comes again is stripped again, and a shorter one has remarks of its own."""
    values = "session=hunter2", "session=hunter2", "session=correct-horse", "session=hunter2"
    records = [make_record(request_headers=(("Cookie", value),)) for value in values]
    redacted = [one for record in records for one in redactor.redact([record])] + redactor.redact(
        records
    )
    assert {one.request_headers for one in redacted} == {(("Cookie", "session=[redacted]"),)}
    assert [one.redacted[0].length for one in redacted] == [7, 7, 13, 7] * 2
    assert [record.request_headers[0][1] for record in records] == list(values)


def test_the_callback_is_asked_about_a_cookie_each_time() -> None:
    """Its answers are not remembered."""
    asked: list[str] = []
    redactor = Redactor(Settings(), callback=lambda path, value, rule: asked.append(value))
    for _ in range(3):
        redactor.redact([make_record(request_headers=(("Cookie", "session=hunter2"),))])
    assert asked == ["hunter2"] * 3
