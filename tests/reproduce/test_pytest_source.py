"""Generated tests: they run as they are, find the recorded bug, and look as ruff would have them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_tracking import MemoryExporter, Record, TrackingError
from flask_tracking.record import ExceptionInfo, Remark
from flask_tracking.reproduce import pytest_function, python
from flask_tracking.testing import overridden

from ..captures import make_record
from .hostile import requests
from .shop import SHOP, load_shop

BUG, FIX = "sum(sales) / len(sales)}", "sum(sales) / len(sales) if sales else None}"
CONFTEST = """
import pytest
from app import app as shop

@pytest.fixture
def app():
    shop.testing = True
    return shop
"""


def run_pytest(folder: Path) -> str:
    """Run the tests of a folder and return what pytest says."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "."]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


@pytest.mark.integration
def test_the_bug_of_the_demo(tmp_path: Path) -> None:
    """The printed test fails on the shop's bug and passes after its fix, without a word added."""
    memory = MemoryExporter()
    with overridden(exporter=memory, worker="sync"):
        app = load_shop().app
    client = app.test_client()
    client.post("/login", data={"name": "ada", "password": "darjeeling"})
    assert client.get("/reports/sales?month=2026-10").status_code == 500
    printed = app.test_cli_runner().invoke(args=["tracking", "pytest", "-1"])
    assert printed.exit_code == 0

    shutil.copytree(SHOP, tmp_path, dirs_exist_ok=True)
    (tmp_path / "__init__.py").unlink()
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_bug.py").write_bytes(printed.stdout_bytes)
    said = run_pytest(tmp_path)
    assert "1 failed" in said and "ZeroDivisionError" in said, said

    source = (tmp_path / "app.py").read_text()
    assert source.count(BUG) == 1
    (tmp_path / "app.py").write_text(source.replace(BUG, FIX))
    said = run_pytest(tmp_path)
    assert "1 passed" in said, said


def test_failure() -> None:
    """Of a failure the test demands that it is none; nothing is said in the words of a client."""
    record = dataclasses.replace(
        make_record(path="/a'b\n$(x)"),
        status_code=500,
        exception=ExceptionInfo("shop.OutOfStock", "none left", ""),
        target=None,
    )
    time = f"{record.date_created:%Y-%m-%d %H:%M:%S}"
    assert pytest_function(record) == (
        f"# Record {record.id} of {time} UTC: 500, shop.OutOfStock\n"
        "\n"
        "import pytest\n"
        "\n\n"
        '@pytest.mark.usefixtures("tracking_records")  # in memory, not in a database\n'
        "def test_get_a_b_x(client):\n"
        "    response = client.get(\n"
        '        "/a\'b%0A$(x)?a=1",\n'
        '        base_url="http://example.org",\n'
        '        headers={"User-Agent": "curl/8.5.0"},\n'
        "    )\n"
        "    assert response.status_code < 500\n"
    )


def make_exchange(**parts: Any) -> Record:
    """Make a record of a request to this machine, without headers, and its response."""
    fields = {"request_headers": (("Host", "localhost"),), "host": "localhost", "query_params": ""}
    return dataclasses.replace(make_record(path="/x"), **(fields | parts))


def get_body(source: str) -> list[str]:
    """Return the lines of the test function."""
    return [line.strip() for line in source.partition("(client):\n")[2].splitlines()]


JSON = (("Content-Type", "application/json"),)


@pytest.mark.parametrize(
    ("parts", "lines"),
    [
        ({"response_headers": ()}, ["assert response.status_code == 200"]),
        ({}, ["assert response.status_code == 200", 'assert response.text.splitlines() == ["hello"]']),
        (
            {"response_headers": JSON, "response_body": b'{"id": 17, "cents": 790, "tags": ["a"]}'},
            [
                "assert response.status_code == 200",
                'assert response.json == {"id": ANY, "cents": 790, "tags": ["a"]}',
            ],
        ),
        (
            {"response_headers": JSON, "response_body": b'{"at": "2026-11-29T12:00:00Z", "ok": true}'},
            ["assert response.status_code == 200", 'assert response.json == {"at": ANY, "ok": True}'],
        ),
        (
            {
                "response_headers": JSON,
                "response_body": rb'{"a": "\ud800", "b": [NaN, 1e999, -Infinity]}',
            },
            [
                "assert response.status_code == 200",
                r'assert response.json == {"a": "\ud800", "b": [ANY, ANY, ANY]}',
            ],
        ),
        (
            {"status_code": 303, "response_headers": (("Location", "/login?next=/x"),)},
            ["assert response.status_code == 303", 'assert response.location == "/login?next=/x"'],
        ),
        ({"status_code": None, "outcome": "disconnected"}, ["assert response.status_code < 500"]),
    ],
)
def test_stable_parts(parts: dict[str, Any], lines: list[str]) -> None:
    """The status and what will be the same again is asserted; ids, times and the redacted are not."""
    assert get_body(pytest_function(make_exchange(**parts))) == ['response = client.get("/x")', *lines]


@pytest.mark.parametrize(
    ("kind", "body", "argument"),
    [
        ("application/json", b'{"a": [1, null, true, "\\u00e9"]}', 'json={"a": [1, None, True, "é"]}'),
        ("application/json", b'{"a": 1, "a": 2}', 'data=b\'{"a": 1, "a": 2}\''),
        ("application/json", b'{"a": NaN}', "data=b'{\"a\": NaN}'"),
        ("application/json", b'{"a": 1e999}', "data=b'{\"a\": 1e999}'"),
        ("application/json", b"\xff", 'data=b"\\xff"'),
        ("application/x-www-form-urlencoded", b"a=1&b=x+y", 'data={"a": "1", "b": "x y"}'),
        ("application/x-www-form-urlencoded", b"a=1&a=2", 'data=b"a=1&a=2"'),
        ("application/x-www-form-urlencoded", b"a=%7e", 'data=b"a=%7e"'),
        ("text/plain", b"a\r\n'\0", 'data=b"a\\r\\n\'\\x00"'),
    ],
)
def test_bodies(kind: str, body: bytes, argument: str) -> None:
    """A body is JSON or a form where that sends the same, else bytes with their type."""
    record = make_exchange(
        method="POST", request_headers=(("Content-Type", kind),), request_body=body, status_code=500
    )
    call = " ".join(get_body(pytest_function(record)))
    assert f" {argument}" in call
    assert ("Content-Type" in call) is argument.startswith("data=b")


def make_multipart(*parts: bytes, end: bytes = b"--xyz--\r\n") -> dict[str, Any]:
    """Return the type and the body of a form; each part is its head, a blank line and its data."""
    body = b"".join(b"--xyz\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts)
    kind = (("Content-Type", "multipart/form-data; boundary=xyz"),)
    return {"method": "POST", "request_headers": kind, "request_body": body + end}


@st.composite
def forms(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the type and the body of a form with fields and files."""
    parts = []
    for _ in range(draw(st.integers(0, 5))):
        head = f'name="{draw(st.sampled_from(["a", "b c", "é"]))}"'
        filename = draw(st.sampled_from([None, "", "x.txt", "y\\z", "ü.png"]))
        if filename is not None:
            kind = draw(st.sampled_from(["text/plain", "application/json; charset=utf-8"]))
            head += f'; filename="{filename}"\r\nContent-Type: {kind}'
        data = draw(st.binary(max_size=60) | st.sampled_from([b"\r\n--xy", b"gap0x", b"\r", b"1"]))
        parts.append(head.encode() + b"\r\n\r\n" + data)
    return make_multipart(*parts)


NOTE = b'name="note"\r\n\r\n\xc3\xa9 "x"\r\nsecond'
PLAN = b'name="plan"; filename="a b.txt"\r\nContent-Type: text/plain\r\n\r\na\r\n\x00\xff'


@pytest.mark.parametrize(
    ("parts", "arguments"),
    [
        (
            [PLAN, NOTE],
            'data={"plan": (BytesIO(b"a\\r\\n\\x00\\xff"), "a b.txt", "text/plain"), '
            '"note": \'é "x"\\r\\nsecond\'}',
        ),
        ([NOTE], 'data={"note": \'é "x"\\r\\nsecond\'}, content_type="multipart/form-data"'),
        (
            [b'name="a"\r\n\r\n1', b'name="b"\r\n\r\n', b'name="a"\r\n\r\n2'],
            'data={"a": ["1", "2"], "b": ""}, content_type="multipart/form-data"',
        ),
        (
            [b'name="none"; filename=""\r\nContent-Type: application/octet-stream\r\n\r\n'],
            'data={"none": (BytesIO(b""), "", "application/octet-stream")}',
        ),
        ([b'name="a"\r\n\r\ngap0x'], 'data={"a": "gap0x"}, content_type="multipart/form-data"'),
    ],
    ids=["file and field", "field", "fields of one name", "no file chosen", "like a placeholder"],
)
def test_multipart(parts: list[bytes], arguments: str) -> None:
    """A form is what a test client takes for one: the test has names, texts and files, no boundary."""
    record = make_exchange(**make_multipart(*parts), status_code=500)
    code = " ".join(get_body(pytest_function(record)))
    call = code.replace("( ", "(").replace(", )", ")").replace("{ ", "{").replace(", }", "}")
    assert arguments in call
    assert "xyz" not in call and "Content-Type" not in call


@pytest.mark.parametrize(
    "parts",
    [
        [b'name="a"\r\nContent-Type: application/json\r\n\r\n1'],
        [b'name="a"\r\n\r\n\xff'],
        [b'name="a"; filename="a"\r\n\r\n1'],
        [b'name="a"; filename="\\"a"\r\nContent-Type: text/plain\r\n\r\n1'],
        [b'name="a"; filename="a"\r\nContent-Type: a/b\r\nX-Part: 1\r\n\r\n1'],
        [b'filename="a"\r\nContent-Type: a/b\r\n\r\n1'],
        [],
    ],
    ids=["type of a field", "no text", "no type", "quote", "header", "no name", "no part"],
)
def test_multipart_that_a_client_cannot_send(parts: list[bytes]) -> None:
    """What a test client would send otherwise is bytes, under the recorded boundary."""
    code = " ".join(get_body(pytest_function(make_exchange(**make_multipart(*parts)))))
    assert "--xyz" in code and "multipart/form-data; boundary=xyz" in code
    cut = make_multipart(PLAN, end=b"")
    assert "boundary=xyz" in pytest_function(make_exchange(**cut))


def test_multipart_with_gaps() -> None:
    """What was removed of a form is a constant: the path of a file, or a text."""
    removed, gone = b"[redacted]", b"(file: 3 bytes)"
    parts = make_multipart(
        b'name="plan"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n' + gone,
        b'name="pin"\r\n\r\n' + removed + b"{y}",
        b'name="log"; filename="log"\r\nContent-Type: text/plain\r\n\r\n' + removed + b"\xff",
    )
    at = parts["request_body"].index(gone)
    remark = Remark("request_body", "file", 3, 3, at, len(gone))
    source = pytest_function(make_exchange(**parts, redacted=(remark,)))
    code = " ".join(line.strip() for line in source.splitlines())
    assert 'FILE_PLAN = "" REDACTED_PIN = "" REDACTED_LOG = ""' in code
    assert 'BytesIO(Path(FILE_PLAN).read_bytes()), "a.txt", "text/plain"' in code
    assert '"pin": f"{REDACTED_PIN}{{y}}"' in code
    assert 'BytesIO(b"".join([REDACTED_LOG.encode(), b"\\xff"])), "log"' in code
    in_a_name = make_multipart(b'name="[redacted]"\r\n\r\n1')
    assert "boundary=xyz" in pytest_function(make_exchange(**in_a_name))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(forms())
def test_multipart_arrives_as_it_was(form: dict[str, Any]) -> None:
    """Whatever a form holds, the printed test sends the same fields and files."""
    app = Flask("form")
    arrived: list[Any] = []

    @app.post("/x")
    def take() -> str:
        files = [
            (name, file.filename, file.content_type, file.read())
            for name, file in request.files.items(multi=True)
        ]
        arrived.append((list(request.form.items(multi=True)), files))
        return ""

    record = make_exchange(**form)
    with app.test_client() as client:
        kind, body = record.request_headers[0][1], record.request_body
        status = client.post("/x", data=body, content_type=kind).status_code
        assert status == 200
        names: dict[str, Any] = {}
        record = dataclasses.replace(record, response_headers=(), response_body=b"")
        exec(pytest_function(record), names)  # noqa: S102
        (test,) = (value for name, value in names.items() if name.startswith("test_"))
        test(client)
    assert arrived[1] == arrived[0]


def test_signed_body() -> None:
    """What is signed stays as it is, byte by byte."""
    headers = (("Content-Type", "application/json"), ("X-Hub-Signature-256", "sha256=00"))
    record = make_exchange(method="POST", request_headers=headers, request_body=b'{"a":1}')
    assert "data=b'{\"a\":1}'" in pytest_function(record)


COOKIES = (
    ("Cookie", "session=[redacted]; theme=[redacted]"),
    ("Authorization", "Bearer [redacted]"),
)


def test_redacted_values() -> None:
    """What was redacted is a constant, and without it the test is skipped."""
    source = pytest_function(
        make_exchange(request_headers=COOKIES, path="/u/[redacted]", query_params="t=[redacted]")
    )
    assert [line for line in source.splitlines() if line.startswith("REDACTED")] == [
        'REDACTED_PATH = ""',
        'REDACTED_T = ""',
        'REDACTED_COOKIE_SESSION = ""',
        'REDACTED_COOKIE_THEME = ""',
        'REDACTED_AUTHORIZATION = ""',
    ]
    assert "@pytest.mark.skipif(\n    not all(" in source
    assert 'client.set_cookie("theme", REDACTED_COOKIE_THEME)' in source
    assert '"Authorization": f"Bearer {REDACTED_AUTHORIZATION}"' in source
    assert 'quote(REDACTED_T, safe="")' in source
    compile(source, "test_bug.py", "exec")


@pytest.mark.parametrize("depth", [40, 900, 1500])
def test_nested_json(depth: int) -> None:
    """JSON that is nested too deeply for Python is bytes, and is not compared."""
    nested = b"[" * depth + b"]" * depth
    record = make_exchange(
        method="POST",
        request_headers=JSON,
        request_body=nested,
        response_headers=JSON,
        response_body=nested,
    )
    for source in (pytest_function(record), python(record)):
        assert "data=b" in source
        compile(source, "test", "exec")


def test_only_what_is_used_is_imported() -> None:
    """Words in texts are no names."""
    record = make_exchange(
        request_headers=(("X-A", "quote(x) ANY Path(y) @pytest.mark"),), response_body=b"ANY (pytest.x)"
    )
    assert pytest_function(record).count("import") == 1
    assert python(record).count("import") == 1


def test_logged_in_user() -> None:
    """Where Flask-Login keeps the user in the session, the test needs no cookie of it."""
    record = make_exchange(request_headers=COOKIES[:1], user_id="ada")
    source = pytest_function(record, session_cookie="session")
    assert '        session["_user_id"] = "ada"  # as Flask-Login does\n' in source
    assert "REDACTED_COOKIE_SESSION" not in source
    assert "REDACTED_COOKIE_THEME" in source
    assert "_user_id" not in pytest_function(record)


def test_body_that_is_not_there() -> None:
    """A body that was not stored whole is a file."""
    record = make_exchange(
        method="PUT", request_body=b"cut", request_body_size=9, request_body_note="truncated"
    )
    source = pytest_function(record)
    assert 'FILE_BODY = ""' in source
    assert "data=Path(FILE_BODY).read_bytes()" in source


JSON_VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4)
    ),
    max_leaves=12,
)
REMOVED = (Remark("request_body", "name", 0, 3, 0, 3), Remark("target", "name", 0, 3, 2, 3))
RUFF = Path(sys.executable).with_name("ruff")


@pytest.mark.integration
@pytest.mark.thorough  # versions of ruff take some letters for wider than others do
@pytest.mark.parametrize(
    "command", [["format", "--diff"], ["check", "--select", "E4,E7,E9,F,I"]], ids=["format", "check"]
)
def test_layout(tmp_path: Path, command: list[str]) -> None:
    """Tests and scripts of any request are Python of which ruff would change nothing."""

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(requests("example.org"), forms(), JSON_VALUES, st.integers(0, 90))
    def write(record: Record, form: dict[str, Any], answer: Any, length: int) -> None:
        record = dataclasses.replace(
            record,
            response_headers=(*JSON, ("Location", "/" + "x" * length)),
            response_body=json.dumps(answer).encode(),
            redacted=REMOVED,
        )
        sent = dataclasses.replace(record, **form)
        sources = [pytest_function(record), pytest_function(sent)]
        with contextlib.suppress(TrackingError):  # Requests would change some targets
            sources.append(python(record))
        for source in sources:
            compile(source, "test", "exec")
            (tmp_path / f"test_{len(list(tmp_path.iterdir()))}.py").write_text(source)

    write()
    done = subprocess.run(
        [RUFF, *command, "--isolated", "--no-cache", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("outcome", ["disconnected", "stream_error", "unread"])
def test_body_that_was_not_sent_whole(outcome: str) -> None:
    """A body that broke off is no promise about the whole one."""
    record = dataclasses.replace(make_record(), response_body=b"line 1\n", outcome=outcome)
    assert "line 1" in pytest_function(dataclasses.replace(record, outcome="ok"))
    assert "line 1" not in pytest_function(record)


@pytest.mark.parametrize("path", ["//evil/x", "http://evil/x"])
@pytest.mark.parametrize("host", ["localhost", "example.org"])
def test_path_like_a_url(app: Flask, path: str, host: str) -> None:
    """A path that begins like a URL arrives as it was, with the client of the app's own tests."""
    arrived = []
    app.before_request(lambda: arrived.append(request.environ["PATH_INFO"]))
    record = dataclasses.replace(make_record(), path=path, target=None, host=host, status_code=404)
    names: dict[str, Any] = {}
    record = dataclasses.replace(record, request_headers=(), response_headers=())
    exec(pytest_function(record), names)  # noqa: S102
    (test,) = (value for name, value in names.items() if name.startswith("test_"))
    test(app.test_client())
    assert arrived == [path]
