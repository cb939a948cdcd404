"""Secrets that once survived: what stands under a name in a grammar with no ``:`` or ``=`` between."""

from __future__ import annotations

import json
from html import escape

import pytest
from flask import Flask, redirect
from werkzeug import Response

from flask_tracking import MemoryExporter, Settings, Tracking
from flask_tracking.record import ExceptionInfo
from flask_tracking.redaction.engines.base import Engine
from flask_tracking.redaction.redactor import Redactor

from .planting import find_leak, make_record

SECRET = "QXZJKVWY79QXZJ"
_PAIR = json.dumps([{"name": "b", "value": 1}, {"name": "password", "type": "text", "value": SECRET}])
_TURNED = json.dumps({"value": [SECRET], "id": "api_key"})
_UNIQUE = """(sqlite3.IntegrityError) UNIQUE constraint failed: user.email
[SQL: INSERT INTO user (email, reset_token) VALUES (?, ?)]
[parameters: ('ada@example.org', '%s')]
(Background on this error at: https://sqlalche.me/e/20/gkpj)"""
_BOUND = """[SQL: SELECT id FROM user WHERE "user".api_key = ?]
[parameters: ('%s',)]"""
_ROWS = "INSERT INTO a (b, token) VALUES (1, 'x'), (2, '%s')"

BODIES: dict[str, tuple[str, str]] = {
    "a field of a form in JSON": ("application/json", _PAIR),
    "its value first": ("application/json", _TURNED),
    "a field as Python shows it": ("text/plain", f"[{{'name': 'password', 'value': '{SECRET}'}}]"),
    "a variable of a container": ("text/yaml", f"env:\n- name: DB_PASSWORD\n  value: {SECRET}\n"),
    "XML-RPC": (
        "text/xml",
        f"<member><name>password</name><value><string>{SECRET}</string></value></member>",
    ),
    "a property list": ("text/xml", f"<dict><key>apiKey</key>\n<string>{SECRET}</string></dict>"),
    "a row of a table": ("text/html", f"<tr><th>SECRET_KEY</th><td><pre>{SECRET}</pre></td></tr>"),
    "an element within": ("text/xml", f'<field name="password"><value>{SECRET}</value></field>'),
    "an escaped bracket": ("text/html", f'<input name="password" value="a&lt;{SECRET}">'),
    "a bracket": ("text/html", f'<input name="password" value="a<{SECRET}">'),
    "a bracket before the name": ("text/html", f'<input value="a>{SECRET}" name="password">'),
    "the name at the very end": ("text/html", f'<input value="{SECRET}" name="csrf_token"/>'),
    "a name of two words": ("text/html", f'<input name="new password" value="{SECRET}">'),
    "quotes escaped twice": (
        "text/xml",
        "<a>" + escape(f'<p name="password" value="a {SECRET}"/>') + "</a>",
    ),
    "an escaped representation": ("text/html", escape(f"{{'password': '{SECRET}'}}")),
    "a representation in one": ("text/plain", f"password={{'a': '', 'it': 1, 'old': '{SECRET}'}}"),
    "a representation three deep": ("text/plain", f"password={{'a': {{'b': [('c', '{SECRET}')]}}}}"),
    "a bracket in a representation": ("text/plain", f"password={{'a': 'x)', 'old': '{SECRET}'}}"),
    "another quote in a flag": ("text/plain", f"mysql --password 'a\"{SECRET}' shop"),
    "another quote in a pair": ("text/plain", f"('password', 'a\"{SECRET}')"),
    "an escaped quote in a pair": ("text/plain", f"('password', 'a\\'s \"{SECRET}')"),
    "another quote in a field": ("text/plain", f"{{'name': 'password', 'value': 'a\"{SECRET}'}}"),
    "a name in stars": ("text/markdown", f"**Password**: {SECRET}"),
    "a bold label": ("text/html", f"<b>Password</b>: {SECRET}"),
    "a flag": ("text/plain", f"mysql --password {SECRET} shop"),
    "a flag in quotes": ("text/plain", f"mysql --password 'a {SECRET}' shop"),
    "a list of arguments": ("text/plain", f"Command '['mysql', '--password', '{SECRET}']' failed"),
    "arguments of curl": ("text/plain", f"curl -u ada:{SECRET} https://example.org"),
    "rows of SQL": ("text/plain", _ROWS % SECRET),
    "parameters of an insert": ("text/plain", _UNIQUE % SECRET),
    "parameters of a query": ("text/plain", _BOUND % SECRET),
    "SQL for a new user": ("text/plain", f"CREATE USER a IDENTIFIED BY '{SECRET}'"),
    "another operator": ("text/plain", f"assert password != '{SECRET}'"),
    "three signs": ("text/plain", f"if (password === 'a:{SECRET}')"),
    "a wide colon": ("text/plain", f"password：{SECRET}"),
    "a value that begins with a bracket": ("text/plain", f"password: (a){SECRET}"),
    "an escaped line end": ("text/plain", f"https://example.org/?password=a%0A{SECRET}&b=1"),
    "a backslash and an n": ("text/plain", f"password: a\\n{SECRET}"),
    "a password with a hash": ("text/plain", f"postgresql://shop:a#{SECRET}/b@db/shop"),
    "another language": ("application/json", json.dumps({"пароль": SECRET})),
}


@pytest.mark.repeats
@pytest.mark.parametrize("shape", BODIES)
def test_shapes_of_names_and_values(engine: Engine, shape: str) -> None:
    """A value is removed in whatever way it stands under its name, in a body and in an error."""
    kind, body = BODIES[shape]
    redactor = Redactor(Settings(), engine=engine)
    records = [make_record(request_body=body.encode(), request_headers=(("Content-Type", kind),))]
    if "json" not in kind:
        error = ExceptionInfo("ValueError", body, f"Traceback:\nValueError: {body}")
        records.append(make_record(exception=error))
    redacted = redactor.redact(records)
    assert {find_leak(record, SECRET) for record in redacted} == {None}
    assert redactor.redact(redacted) == redacted


@pytest.mark.parametrize(
    "text",
    [
        '[{"name": "email", "value": "ada"}, {"name": "token"}]',
        '{"type": "password", "value": "ada"}',
        "<tr><th>Password</th><th>Role</th></tr><li>password</li><li>token</li>",
        '<form name="password_form"><p>Hello</p></form>',
        "<key>author</key><string>Ada</string>",
        "git log --author Ada --format short",
        "error: the flag --password is required",
        "INSERT INTO a (email, token) VALUES (?, ?)",
        "[SQL: SELECT email, password FROM user WHERE email = ?]\n[parameters: ('ada@example.org',)]",
        "date -u +%H:%M:%S",
        "http://localhost:5000/@ada?b=1",
    ],
)
def test_shapes_without_a_secret(engine: Engine, text: str) -> None:
    """A name without a value, or a value under another name, stays."""
    record = make_record(response_body=text.encode(), response_headers=(("Content-Type", "text/html"),))
    (redacted,) = Redactor(Settings(), engine=engine).redact([record])
    assert redacted.response_body.decode() == text


def test_arguments_of_the_view_are_hidden_in_links(app: Flask, memory: MemoryExporter) -> None:
    """A token in the path is hidden as well where ``Referer`` and ``Location`` say the same path."""
    Tracking(app, exporter=memory)

    @app.post("/reset/<token>")
    def reset(token: str) -> Response:
        return redirect(f"/reset/{token}/done")

    url = f"http://localhost/reset/{SECRET}"
    response = app.test_client().post(f"/reset/{SECRET}", headers={"Referer": f"{url}?a=1"})
    assert response.headers["Location"] == f"/reset/{SECRET}/done"

    (record,) = memory.records
    assert dict(record.request_headers)["Referer"] == "http://localhost/reset/[redacted]?a=1"
    assert dict(record.response_headers)["Location"] == "/reset/[redacted]/done"
