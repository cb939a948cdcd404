"""Trees of plain values: the rules of a JSON body hold for custom data and the arguments of a view."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from bson import Decimal128
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_tracking import Record, Settings
from flask_tracking.redaction.engines.base import Engine
from flask_tracking.redaction.markers import MARKER
from flask_tracking.redaction.redactor import Redactor

from .engines import PYTHON
from .planting import make_record

JSON_TYPE = (("Content-Type", "application/json"),)
SHAPES: list[tuple[Any, Any]] = [
    ({"user": "bob", "pass": "hunter2"}, {"user": "bob", "pass": MARKER}),
    (["password", "hunter2"], ["password", MARKER]),
    ({"name": "password", "value": "x9"}, {"name": "password", "value": MARKER}),
    (
        [{"op": "replace", "path": "/password", "value": "pw1zz"}],
        [{"op": "replace", "path": "/password", "value": MARKER}],
    ),
    ({"email": "a@b.c", "code": "482913"}, {"email": "a@b.c", "code": MARKER}),
    (
        {"loc": ["body", "password"], "input": "hunter2"},
        {"loc": ["body", "password"], "input": MARKER},
    ),
    ({"kind": "Secret", "data": {"a": "x9"}}, {"kind": "Secret", "data": {"a": MARKER}}),
    ({"kty": "EC", "d": "abc", "x": "def"}, {"kty": "EC", "d": MARKER, "x": "def"}),
    ({"token": 987654, "n": 5}, {"token": MARKER, "n": 5}),
    ({"session": {"id": "x7Kq2mW9pLz4Tb8v"}}, {"session": {"id": MARKER}}),
    ({"password": ["This password is too short."]},) * 2,
    ({"session": "Morning track", "pin": {"lat": 1.5}, "ok": True, "code": None},) * 2,
]
"""Trees, and what is stored of them."""
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
keys = st.sampled_from(["tea", "password", "code", "email", 'a\n"b\\c', "é", "name", "value"])
trees = st.recursive(
    scalars | st.sampled_from(["hunter2x", "password", "a: \"x\"\nkey: 'y'", "ghp_" + "A1" * 18]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=12,
)


def redact(record: Record, engine: Engine | None = None, **settings: Any) -> Record:
    """Redact one record."""
    (redacted,) = Redactor(Settings(**settings), engine=engine).redact([record])
    return redacted


@pytest.mark.parametrize(("tree", "stored"), SHAPES, ids=[json.dumps(one) for one, _ in SHAPES])
def test_a_shape_holds_in_a_body_and_in_custom_data(engine: Engine, tree: Any, stored: Any) -> None:
    """A secret beside its name goes in a JSON body and in custom data alike."""
    redacted = redact(
        make_record(
            request_headers=JSON_TYPE, request_body=json.dumps(tree).encode(), custom_data=tree
        ),
        engine,
    )
    assert json.loads(redacted.request_body) == stored
    assert redacted.custom_data == stored


def test_a_shape_holds_in_the_arguments_of_a_view(engine: Engine) -> None:
    """A code beside an address goes from a view's arguments, too."""
    redacted = redact(make_record(view_args={"email": "a@b.c", "code": "482913"}), engine)
    assert redacted.view_args == {"email": "a@b.c", "code": MARKER}
    assert [one.path for one in redacted.redacted] == ["view_args.code", "path"]


@pytest.mark.thorough
@settings(max_examples=150, deadline=None, derandomize=True)
@given(tree=trees)
def test_custom_data_is_redacted_like_the_same_json(tree: Any) -> None:
    """Whatever the tree, what is stored of it is what would be stored of the JSON."""
    body = json.dumps(tree, ensure_ascii=False).encode("utf-8", "surrogatepass")
    record = make_record(request_headers=JSON_TYPE, request_body=body, custom_data=tree)
    redacted = redact(record, PYTHON)
    stored = redacted.request_body.decode("utf-8", "surrogatepass")
    if isinstance(tree, (dict, list)):
        assert repr(json.loads(stored)) == repr(redacted.custom_data)


def test_remarks_have_the_place_in_the_leaf(engine: Engine) -> None:
    """A remark counts bytes of its own leaf, escapes undone, and names the way to it."""
    text = 'é "x"\npassword=hunter2x'
    redacted = redact(make_record(custom_data={"items": [{"note": text}]}), engine)
    (remark,) = redacted.redacted
    assert redacted.custom_data == {"items": [{"note": 'é "x"\npassword=[redacted]'}]}
    assert remark.path == "custom_data.items[0].note"
    assert (remark.offset, remark.length) == (len('é "x"\npassword='.encode()), len("hunter2x"))


def test_the_callback_is_asked_with_the_text_of_a_leaf() -> None:
    """It gets the value as the app set it, once, and may let it stand."""
    asked: list[tuple[str, str, str]] = []

    def stand(path: str, value: str, rule: str) -> str:
        asked.append((path, value, rule))
        return value

    record = make_record(custom_data={"password": 'x"9\\y', "otp": 123456})
    (redacted,) = Redactor(Settings(), callback=stand).redact([record])

    assert redacted.custom_data == record.custom_data and not redacted.redacted
    assert asked == [
        ("custom_data.password", 'x"9\\y', "name"),
        ("custom_data.otp", "123456", "name"),
    ]


def test_values_that_json_does_not_know(engine: Engine) -> None:
    """Bytes go by their name and by what is in them; dates stay, and decimals are numbers."""
    date = dt.datetime(2026, 1, 2, tzinfo=dt.timezone.utc)
    data = {
        "password": b"hunter2\xff",
        "note": b"password=hunter2x",
        "card": Decimal128("4111111111111111"),
        "price": Decimal128("1.50"),
        "session": date,
    }
    redacted = redact(make_record(custom_data=data), engine)
    assert redacted.custom_data == {
        "password": b"[redacted]",
        "note": b"password=[redacted]",
        "card": MARKER,
        "price": Decimal128("1.50"),
        "session": date,
    }
