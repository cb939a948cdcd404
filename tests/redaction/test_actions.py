"""What stands where a secret was: by the settings, and by the app's own callback."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from flask_tracking import Record, Settings
from flask_tracking.redaction.redactor import Redactor
from flask_tracking.redaction.replacement import Redact

from .planting import make_record

JSON = (("Content-Type", "application/json"),)
KEY = "the key of this installation"
CARD = "4111 1111 1111 1111"


def redact(record: Record, callback: Redact | None = None, **settings: Any) -> Record:
    """Redact with these settings, twice: the second time must change nothing."""
    redactor = Redactor(Settings.from_mapping(settings), callback=callback)
    (redacted,) = redactor.redact([record])
    if callback is None:
        assert redactor.redact([redacted]) == [redacted]
    return redacted


def redact_json(value: Any, callback: Redact | None = None, **settings: Any) -> Any:
    """Return what is stored of a JSON body."""
    record = make_record(request_body=json.dumps(value).encode(), request_headers=JSON)
    return json.loads(redact(record, callback, **settings).request_body)


def test_tail_keeps_the_last_four() -> None:
    """`tail` leaves four characters of what is long enough, and nothing of what is short."""
    actions: dict[str, Any] = {"TRACKING_REDACT_ACTIONS": {"card": "tail", "name": "tail"}}

    stored = redact_json({"n": CARD, "cvv": "4711", "password": "correct horse 17"}, **actions)

    assert stored == {
        "n": "[redacted ...1111]",
        "cvv": "[redacted]",
        "password": "[redacted ...e17]",
    }


def test_hash_shows_the_same_secret_twice() -> None:
    """`hash` gives the same eight characters for the same secret, wherever it stands."""
    actions: dict[str, Any] = {
        "TRACKING_REDACT_ACTIONS": {"*": "hash"},
        "TRACKING_REDACT_HASH_KEY": KEY,
    }
    record = make_record(
        request_body=b'{"token": "tr0ub4dor&3", "old_token": "another 1"}',
        request_headers=(*JSON, ("X-Token", "tr0ub4dor&3")),
        query_params="a=1&token=tr0ub4dor",
    )

    stored = redact(record, **actions)

    body = json.loads(stored.request_body)
    assert body["token"] == dict(stored.request_headers)["X-Token"]
    assert body["token"].startswith("[redacted #")
    assert len(body["token"]) == len("[redacted #12345678]")
    assert len({body["token"], body["old_token"], stored.query_params}) == 3


def test_hash_depends_on_the_key() -> None:
    """Another installation hashes to something else, and without a key nothing is hashed."""
    hashed: dict[str, Any] = {"TRACKING_REDACT_ACTIONS": {"name": "hash"}}
    stored = [
        redact_json({"token": "tr0ub4dor"}, None, **hashed, TRACKING_REDACT_HASH_KEY=key)["token"]
        for key in (KEY, KEY[::-1], None)
    ]

    assert len(set(stored)) == 3
    assert stored[2] == "[redacted]"


def test_callback_decides() -> None:
    """What the app's callback returns is stored; None is the marker; the value itself stands."""
    asked = []

    def callback(path: str, value: str, rule: str) -> str | None:
        asked.append((path, value, rule))
        return {"a1-secret": None, "b2-secret": "see vault 17", "c3-secret": value}[value]

    body = {"token": "a1-secret", "secret": "b2-secret", "password": "c3-secret"}
    stored = redact_json(body, callback)

    assert stored == {"token": "[redacted]", "secret": "see vault 17", "password": "c3-secret"}
    assert asked == [("request_body", value, "name") for value in body.values()]


def test_what_the_callback_returns_fits_into_the_body() -> None:
    """What could break the grammar around it is replaced in what a callback returns."""
    assert redact_json({"token": "a1"}, lambda *_: '", "x": <b>') == {"token": "__ _x_: _b_"}


def test_callback_that_raises_removes(caplog: pytest.LogCaptureFixture) -> None:
    """A callback that fails costs nothing but its opinion, and the log does not quote the secret."""

    def callback(path: str, value: str, rule: str) -> str | None:
        raise ValueError(f"what is {value}?")

    with caplog.at_level(logging.WARNING):
        stored = redact_json({"token": "tr0ub4dor", "cvv": 171}, callback)

    assert stored == {"token": "[redacted]", "cvv": "[redacted]"}
    assert "calling redact" in caplog.text
    assert "tr0ub4dor" not in caplog.text


def test_callback_of_another_type_removes() -> None:
    """A callback that returns no text removes as well."""
    assert redact_json({"token": "a1"}, lambda *_: 17) == {"token": "[redacted]"}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "is_removed"),
    [
        (f"the card is {CARD}", True),
        (f"paid with visa {CARD}", True),
        (f"order {CARD}", False),
        (f"discard {'-' * 70} {CARD}", False),
    ],
)
def test_strict_cards_want_a_word(text: str, is_removed: bool) -> None:
    """`strict` takes for a card only what a word near it calls one."""
    stored = redact_json({"note": text}, TRACKING_REDACT_CARDS="strict")["note"]

    assert ("1111" not in stored) is is_removed
    assert "1111" not in redact_json({"note": text})["note"]


def test_literals_are_removed_wherever_they_stand() -> None:
    """A literal is removed as it is, percent-encoded and in JSON's escapes."""
    literal = 'Zürich & "Bern" 1291'
    settings: dict[str, Any] = {"TRACKING_REDACT_LITERALS": [literal]}
    stored = redact(
        make_record(
            query_params="q=Z%C3%BCrich%20%26%20%22Bern%22%201291&b=2",
            request_body=json.dumps({"a": f"x {literal} y"}).encode(),
            request_headers=JSON,
            custom_data={"note": literal},
        ),
        **settings,
    )

    assert "1291" not in (stored.query_params or "")
    assert b"1291" not in stored.request_body
    assert stored.custom_data == {"note": "[redacted]"}
    assert {remark.rule for remark in stored.redacted} == {"literal"}


def test_callback_is_asked_once_with_the_value_s_own_path() -> None:
    """Each value is asked about once, by the path of its own field, wherever it stands."""
    asked: list[tuple[str, str]] = []

    def callback(path: str, value: str, rule: str) -> None:
        asked.append((path, value))

    headers = (
        ("Authorization", "Bearer abc-1"),
        ("Cookie", "a=abc-2; b=abc-3"),
        ("X-Api-Key", "abc-4"),
        ("Referer", "https://example.org/a?token=abc-5"),
    )
    redact(
        make_record(
            request_headers=headers,
            query_params="a=1&token=abc%2D6",
            target="/a/abc-8?token=abc-7",
            path="/a/abc-8",
            view_args={"token": "abc-8"},
            request_body=json.dumps({"a": json.dumps({"token": 'abc-9"'})}).encode(),
            custom_data={"note": "token=abc-10"},
        ),
        callback,
    )

    assert sorted(asked, key=lambda one: int(one[1].strip('"').rpartition("-")[2])) == [
        ("request_headers.Authorization", "abc-1"),
        ("request_headers.Cookie", "abc-2"),
        ("request_headers.Cookie", "abc-3"),
        ("request_headers.X-Api-Key", "abc-4"),
        ("request_headers.Referer", "abc-5"),
        ("query_params", "abc-6"),
        ("target", "abc-7"),
        ("view_args.token", "abc-8"),
        ("request_body", 'abc-9"'),
        ("custom_data.note", "abc-10"),
    ]


def test_one_value_that_stands_frees_no_other() -> None:
    """A callback that lets the secret of one header stand changes nothing for another header."""
    token = "ghp_QXZJKVWY79QXZJKVWY79QXZJKVWY79QXZJKV"

    def callback(path: str, value: str, rule: str) -> str | None:
        return value if path == "request_headers.X-Api-Key" else None

    headers = (("X-Api-Key", token), ("X-Zdata", json.dumps({"note": f'say "hi" {token}'})))
    stored = redact(make_record(request_headers=headers), callback)

    assert dict(stored.request_headers) == {
        "X-Api-Key": token,
        "X-Zdata": json.dumps({"note": 'say "hi" [redacted]'}),
    }
    assert [remark.path for remark in stored.redacted] == ["request_headers.X-Zdata"]


def test_remarks_mark_what_is_stored() -> None:
    """A remark says where its marker stands in the stored value, whatever the marker is."""
    actions: dict[str, Any] = {
        "TRACKING_REDACT_ACTIONS": {"name": "tail", "card": "hash"},
        "TRACKING_REDACT_HASH_KEY": KEY,
    }
    body = json.dumps({"é": 1, "token": "correct horse 17", "n": [int(CARD.replace(" ", "")), CARD]})
    record = make_record(
        request_body=body.encode(),
        request_headers=JSON,
        target="/é/4111-1111-1111-1111?api_key=correct%20horse%2017",
    )

    stored = redact(record, **actions)

    assert len(stored.redacted) == 5
    for remark in stored.redacted:
        data = stored.request_body if remark.path == "request_body" else str(stored.target).encode()
        assert remark.stored_offset is not None and remark.stored_length is not None
        marker = data[remark.stored_offset :][: remark.stored_length]
        assert marker.strip(b'"').startswith(b"[redacted ") and marker.strip(b'"').endswith(b"]")


def test_remarks_of_what_was_cut_off_mark_nothing() -> None:
    """Where the stored body ends before a marker, its remark has no place in it."""
    body = b"a" * 50 + b" token=tr0ub4dor"
    (remark,) = redact(make_record(request_body=body), TRACKING_MAX_BODY_LENGTH=50).redacted
    assert (remark.offset, remark.stored_offset, remark.stored_length) == (57, None, None)
