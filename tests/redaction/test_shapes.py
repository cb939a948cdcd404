"""Values that are secrets by what stands beside them: in JSON, in forms, in lists of arguments."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from flask_tracking import Settings
from flask_tracking.redaction.engines.base import Engine
from flask_tracking.redaction.redactor import Redactor

from .planting import make_record

MARK = "[redacted]"
CARD = "4111111111111111"
DINERS = "30569309025904"
STRICT = Settings(redact_cards="strict")


def store(
    body: str, kind: str = "text/plain", engine: Engine | None = None, settings: Settings | None = None
) -> str:
    """Return a body as it is stored."""
    record = make_record(request_headers=(("Content-Type", kind),), request_body=body.encode())
    (redacted,) = Redactor(settings or Settings(), engine=engine).redact([record])
    return redacted.request_body.decode()


def multipart(fields: dict[str, str]) -> str:
    """Return these fields as a multipart form whose boundary is ``b``."""
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return "".join(parts) + "--b--\r\n"


def store_forms(fields: dict[str, str], engine: Engine) -> tuple[str, str]:
    """Return a form as it is stored, urlencoded and multipart."""
    form = store(urlencode(fields), "application/x-www-form-urlencoded", engine)
    return form, store(multipart(fields), "multipart/form-data; boundary=b", engine)


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
@pytest.mark.parametrize(
    "data",
    [
        {"card": CARD},
        {"card": {"number": CARD, "exp": "12/30"}},
        {"payment": {"card": CARD}},
        {"card": int(CARD)},
        {"visa card": "4111 1111 1111 1111"},
        {"number": CARD, "exp_month": 12, "cvv": "123"},
    ],
    ids=json.dumps,
)
def test_strict_cards_see_the_key(engine: Engine, data: dict[str, object], kind: str) -> None:
    """A key says that a number is a card, as a word in a text does."""
    stored = store(json.dumps(data), kind, engine, STRICT)
    assert "1111" not in stored
    json.loads(stored)


def test_strict_cards_stay_without_a_word(engine: Engine) -> None:
    """A number that only passes the checksum stays, also in a multipart form."""
    body = json.dumps({"order": CARD, "items": [1, 2]})
    assert store(body, "application/json", engine, STRICT) == body
    form = multipart({"order": CARD})
    assert store(form, "multipart/form-data; boundary=b", engine, STRICT) == form
    form = multipart({"card": CARD})
    assert CARD not in store(form, "multipart/form-data; boundary=b", engine, STRICT)


def test_diners_see_the_key(engine: Engine) -> None:
    """Fourteen digits are a card under its name, and an id under another."""
    assert store(json.dumps({"card": DINERS}), "application/json", engine) == '{"card": "[redacted]"}'
    body = json.dumps({"sku": DINERS})
    assert store(body, "application/json", engine) == body


@pytest.mark.parametrize(
    "fields",
    [
        {"user": "bob", "pass": "hunter2"},
        {"code": "482913"},
        {"pin": "1234"},
        {"username": "bob", "password": "open the door please"},
        {"email": "a@b.c", "password": "this is my password"},
        {"user[email]": "a@b.c", "user[password]": "required"},
    ],
    ids=str,
)
def test_forms_lose_what_was_typed_to_log_in(engine: Engine, fields: dict[str, str]) -> None:
    """The last field goes, whether the form is urlencoded or multipart."""
    *others, last = fields
    form, parts = store_forms(fields, engine)
    secret = fields[last]
    assert form == urlencode({**fields, last: MARK}, safe="[] ").replace("user[", "user%5B").replace(
        "]=", "%5D="
    )
    assert parts == multipart({**fields, last: MARK})
    assert all(secret not in text for text in (form, parts))


@pytest.mark.parametrize(
    "fields",
    [
        {"code": "20240501", "amount": "5"},
        {"email": "a@b.c", "password": ""},
        {"note": "x", "secret_question": "Which town?"},
        {"plan": "a", "password": "This password is too short."},
    ],
    ids=str,
)
def test_harmless_forms_stay(engine: Engine, fields: dict[str, str]) -> None:
    """Dates, empty fields, and sentences about a password stay."""
    form, parts = store_forms(fields, engine)
    assert (form, parts) == (urlencode(fields), multipart(fields))


@pytest.mark.parametrize(
    ("query", "stored"),
    [
        ("phone=49301&pin=1234", f"phone=49301&pin={MARK}"),
        ("email=a%40b.c&code=482913", f"email=a%40b.c&code={MARK}"),
        ("code=482913", "code=482913"),
        ("state=CA&code=4041", "state=CA&code=4041"),
    ],
)
def test_codes_in_queries(engine: Engine, query: str, stored: str) -> None:
    """In a query a code needs a user, a phone or the like beside it, and six digits."""
    (redacted,) = Redactor(Settings(), engine=engine).redact([make_record(query_params=query)])
    assert redacted.query_params == stored


@pytest.mark.parametrize(
    ("path", "stored"),
    [
        ("/auth/verify", f"code={MARK}"),
        ("/oauth2/callback", f"code={MARK}"),
        ("/users/confirm-email", f"code={MARK}"),
        ("/verifiers", "code=482913"),
        ("/products", "code=482913"),
    ],
)
def test_a_path_says_what_a_code_is_for(engine: Engine, path: str, stored: str) -> None:
    """On the way of a login a code needs nothing beside it."""
    record = make_record(path=path, query_params="code=482913", target=f"{path}?code=482913")
    (redacted,) = Redactor(Settings(), engine=engine).redact([record])
    assert (redacted.query_params, redacted.target) == (stored, f"{path}?{stored}")


@pytest.mark.parametrize(
    ("data", "stored"),
    [
        (["mysql", "--password", "hunter2"], ["mysql", "--password", MARK]),
        (["a", "--api-key", "k9x2", "--user", "bob"], ["a", "--api-key", MARK, "--user", "bob"]),
        (["--password", "--user", "bob17"],) * 2,
        (["a", "--token", "required"],) * 2,
        ({"secret_santa": "Bob", "card_number": "ending in 1111"},) * 2,
        ({"card_number": "visa ending in 1111"},) * 2,
    ],
    ids=json.dumps,
)
def test_lists_of_arguments_and_names_of_other_things(
    engine: Engine, data: object, stored: object
) -> None:
    """A flag names the next argument, unless that is a flag; a game and a card's last digits stay."""
    assert json.loads(store(json.dumps(data), "application/json", engine)) == stored


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("bad api_key=abc123x for user bob", f"bad api_key={MARK} for user bob"),
        (
            "password=hunter2 from 10.0.0.7 after 3 tries",
            f"password={MARK} from 10.0.0.7 after 3 tries",
        ),
        (
            "Your verification code: 482913. Expires in 10 minutes",
            f"Your verification code: {MARK}. Expires in 10 minutes",
        ),
        ("password: 4dogs from venus", f"password: {MARK}"),
        ("password=correct horse battery staple", f"password={MARK}"),
        (
            "curl -H 'X-Api-Key: k9x2m7' https://a.example",
            f"curl -H 'X-Api-Key: {MARK}' https://a.example",
        ),
        ("set (password: k9x2m7) and go on", f"set (password: {MARK}) and go on"),
    ],
)
def test_a_value_ends_before_the_sentence_goes_on(engine: Engine, text: str, stored: str) -> None:
    """Behind ``=`` a value of letters and digits ends at a blank, a code at the end of its sentence."""
    assert store(text, engine=engine) == stored


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE t SET a = $2 WHERE password = $1 AND id = %s",
        "SELECT 1 FROM t WHERE password = %s",
        "SELECT 1 FROM t WHERE password = ? AND id = :pw",
        "mutation { login(password:$p) { id } }",
        "mutation { login(password: $p, user: $u) { id } }",
        "mysql --password $PW1 --user bob",
        "mysql --password $PW --user bob",
        "INSERT INTO users (name, password) VALUES ($1, $2)",
        "INSERT INTO users (name, password) VALUES ('bob', NULL)",
    ],
)
def test_placeholders_stay(engine: Engine, text: str) -> None:
    """What stands for a value is none, and the rest of the statement stays."""
    assert store(text, engine=engine) == text


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        (
            "INSERT INTO users (name,password) VALUES ('bob','hunter2')",
            "INSERT INTO users (name,password) VALUES ('bob','[redacted]')",
        ),
        (
            "INSERT INTO t (a, token) VALUES (lower('x, y'), 'k9x2'), (NULL, 'it''s 7')",
            "INSERT INTO t (a, token) VALUES (lower('x, y'), '[redacted]'), (NULL, '[redacted]')",
        ),
        (
            "INSERT INTO t (a, pin, token) VALUES (1, 'k9x2')",
            "INSERT INTO t (a, pin, token) VALUES [redacted]",
        ),
        (
            "INSERT INTO t (a, password) VALUES ('x', 'hun",
            "INSERT INTO t (a, password) VALUES [redacted]",
        ),
    ],
)
def test_an_insert_loses_its_sensitive_columns(engine: Engine, text: str, stored: str) -> None:
    """Only values of sensitive columns go; all of a row whose columns cannot be told apart."""
    assert store(text, engine=engine) == stored


def test_many_lists_of_names_are_read(engine: Engine) -> None:
    """Lists of words may be titles of rows; thousands of them are read in linear time, and stay."""
    body = json.dumps({f"list {number}": ["password", "other"] for number in range(1500)})
    assert store(body, "application/json", engine) == body


def test_an_escaped_name_ends_at_its_quote(engine: Engine) -> None:
    """In percent-encoded JSON a name does not reach back to the sensitive one before it."""
    form = "payload=%7B%22token%22%3A%22{}%22%2C%22team%22%3A%22T1%22%7D"
    stored = store(form.format("x7Kq2mW9pLz4"), "application/x-www-form-urlencoded", engine)
    assert stored == form.format(MARK)


def test_only_a_first_row_of_titles_names_the_rows_below(engine: Engine) -> None:
    """A row of a name and its secret is not the title of the rows below it."""
    page = "<tr><th>Client secret</th><td>{}</td></tr><tr><th>Created</th><td>today</td></tr>"
    assert store(page.format("x7Kq2mW9pLz4Tb8vNc3R"), "text/html", engine) == page.format(MARK)
    table = "<tr><th>User</th><th>Password</th></tr><tr><td>ada</td><td>{}</td></tr>"
    assert store(table.format("teaPot42"), "text/html", engine) == table.format(MARK)
