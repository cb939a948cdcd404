"""The other ways to send a request again, and what each says where something is missing."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_tracking import Record, TrackingError
from flask_tracking.reproduce import curl, httpie, powershell, python

from ..captures import make_record
from ..servers import program
from .hostile import requests
from .recorder import Recorder, recorder
from .test_round_trip import SHELLS, assert_received

REDACTED: dict[str, Any] = {
    "request_headers": (("Authorization", "Bearer [redacted]"), ("Content-Type", "application/json")),
    "request_body": b'{"password": "[redacted]"}',
    "method": "POST",
    "target": "/x?token=[redacted]",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Recorder]:
    """Where the commands send what was recorded."""
    with recorder() as running:
        yield running


@pytest.fixture
def needs_httpie() -> None:
    """Skip where HTTPie is not installed; fail there under ``CI``."""
    if program("http") is None:
        reason = "no HTTPie: pip install -e '.[dev]'"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def make_request(host: str = "localhost", **parts: Any) -> Record:
    """Make a record of a request to `host`."""
    return dataclasses.replace(make_record(environ={"HTTP_HOST": host}), host=host, **parts)


def run(
    *command: str | Path,
    script: str = "",
    folder: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run a command that reads a script, and return its status and what it says."""
    # HTTPie is beside this interpreter: a virtual environment need not be active.
    path = os.pathsep.join([os.environ["PATH"], os.path.dirname(sys.executable)])
    environ = {"PATH": path, "HOME": str(folder), "PS1": "", "PS2": "", **(variables or {})}
    done = subprocess.run(
        command, cwd=folder, env=environ, input=script.encode(), capture_output=True, check=False
    )
    return done.returncode, done.stderr.decode()


def test_curl() -> None:
    """An ordinary request is an ordinary command."""
    assert curl(make_request()) == (
        "curl \\\n"
        "  --header 'User-Agent: curl/8.5.0' \\\n"
        "  --header 'Accept:' \\\n"
        "  'http://localhost/orders/7?a=1'"
    )


@pytest.mark.integration
@pytest.mark.parametrize("value", ["", "\v", "\f\v \f"], ids=["empty", "tab", "tabs and feeds"])
def test_blank_header(server: Recorder, tmp_path: Path, value: str) -> None:
    """A header of nothing but blanks is sent, if only as an empty one: cURL would take it away."""
    headers = (("Host", server.host), ("X-A", value))
    assert run("dash", script=curl(make_request(server.host, request_headers=headers)))[0] == 0
    assert server.take().headers["x-a"] == b""


@pytest.mark.integration
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("options", [[], ["-i"]], ids=["script", "terminal"])
def test_nothing_is_sent_before_all_is_set(
    server: Recorder, tmp_path: Path, shell: str, options: list[str]
) -> None:
    """A command with gaps says what is missing, and sends nothing, also where it is pasted."""
    script = curl(make_request(server.host, **REDACTED))
    assert script.startswith(
        "(\n"
        "REDACTED_TOKEN=${REDACTED_TOKEN:-''}\n"
        "REDACTED_AUTHORIZATION=${REDACTED_AUTHORIZATION:-''}\n"
        "REDACTED_PASSWORD=${REDACTED_PASSWORD:-''}\n"
    )
    script = script.replace("REDACTED_TOKEN:-''", "REDACTED_TOKEN:-'t'")
    _, said = run(shell, *options, script=script + "\nexit\n", folder=tmp_path)
    assert "REDACTED_AUTHORIZATION: is not in the record: set it first" in said
    assert server.received == []


@pytest.mark.integration
@pytest.mark.parametrize("shell", SHELLS)
def test_values_are_sent(server: Recorder, tmp_path: Path, shell: str) -> None:
    """What is filled in is sent, with all its quotes."""
    script = curl(make_request(server.host, **REDACTED)).replace(":-''}\n", ":-'$(x) \"%s}!*'}\n")
    for options in ([], ["-i"]):
        assert run(shell, *options, script=script + "\nexit\n", folder=tmp_path)[0] == 0
        received = server.take()
        assert received.headers["authorization"] == b'Bearer $(x) "%s}!*'
        assert received.body == b'{"password": "$(x) "%s}!*"}'


@pytest.mark.integration
@pytest.mark.parametrize("shell", SHELLS)
def test_values_of_the_environment(server: Recorder, tmp_path: Path, shell: str) -> None:
    """A variable of the environment stands for the value; the shell does not keep any of a script."""
    script = curl(make_request(server.host, **REDACTED))
    values = {f"REDACTED_{name}": '$(x) "%s}!*' for name in ("TOKEN", "AUTHORIZATION", "PASSWORD")}
    assert run(shell, script=script, folder=tmp_path, variables=values)[0] == 0
    assert server.take().body == b'{"password": "$(x) "%s}!*"}'
    filled = script.replace(":-''}\n", ":-'x'}\n")
    _, said = run(shell, script=f"{filled}\n{script}\n", folder=tmp_path)
    assert "REDACTED_TOKEN: is not in the record: set it first" in said
    assert server.take().body == b'{"password": "x"}'


@pytest.mark.integration
@pytest.mark.parametrize("shell", SHELLS)
def test_file(server: Recorder, tmp_path: Path, shell: str) -> None:
    """A body that was not stored comes from a file."""
    (tmp_path / "-a b").write_bytes(b"\x00\xff\n")
    record = make_request(
        server.host, method="PUT", request_body=b"", request_body_size=9, request_body_note="binary"
    )
    script = curl(record).replace("FILE_BODY:-''", "FILE_BODY:-'-a b'")
    assert run(shell, script=script, folder=tmp_path)[0] == 0
    assert server.take().body == b"\x00\xff\n"


@pytest.mark.integration
def test_large_body(server: Recorder, tmp_path: Path) -> None:
    """A body of any size is piped, and cURL does not ask before it sends it."""
    body = bytes(range(256)) * 4500
    record = make_request(server.host, method="POST", request_body=body, request_body_size=len(body))
    script = curl(record)
    assert max(map(len, script.splitlines())) < 1100
    (tmp_path / "script").write_text(script)
    assert run("dash", tmp_path / "script", folder=tmp_path)[0] == 0
    received = server.take()
    assert received.body == body
    assert "expect" not in received.headers


@pytest.mark.integration
@pytest.mark.thorough
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(st.data())
def test_options_of_the_powershell_script(
    server: Recorder, tmp_path: Path, data: st.DataObject
) -> None:
    """The files that the PowerShell script writes make cURL send the recorded bytes."""
    record = data.draw(requests(server.host))
    script = powershell(record)
    assert script.isascii() and script.replace("\n", " ").isprintable()
    options, body = read_powershell(script)
    (tmp_path / "options").write_bytes(options)
    (tmp_path / "body").write_bytes(body)
    assert run("curl", "--config", "options", folder=tmp_path)[0] == 0
    assert_received(server.take(), record)


_EXPRESSIONS = re.compile(
    r"""
    '(?P<text>(?:''|[^'])*)'
    | \[char\](?P<code>\d+)
    | \(Decode\ '(?P<base64>[A-Za-z0-9+/=]*)'\)
    | (?P<body>\[IO\.Path\]::GetFileName\(\$body\))
    """,
    re.VERBOSE,
)


def read_powershell(script: str) -> tuple[bytes, bytes]:
    """Evaluate the two lists of a script as PowerShell does; the body has the name ``body``."""
    lists = re.findall(r"@\(\n(.*?)^ {4}\)", script, re.DOTALL | re.MULTILINE)
    options, pieces = (list(map(read_line, block.splitlines())) for block in lists)
    return "\n".join(options).encode("latin-1"), "".join(pieces).encode("latin-1")


def read_line(line: str) -> str:
    """Evaluate one line: text in single quotes, characters, base64, and the name of the body."""
    line = line.replace("if ((& $curl --version) -match '\\blibz\\b')", "")
    return "".join(map(read_expression, _EXPRESSIONS.finditer(line)))


def read_expression(found: re.Match[str]) -> str:
    """Return the text of an expression."""
    if found["body"]:
        return "body"
    if found["base64"] is not None:
        return b64decode(found["base64"]).decode("latin-1")
    return chr(int(found["code"])) if found["code"] else found["text"].replace("''", "'")


def test_binary_body_in_powershell() -> None:
    """Bytes that are no text are written in base64, not in ten times their size."""
    body = bytes(range(256)) * 400
    script = powershell(make_request(method="PUT", request_body=body, request_body_size=len(body)))
    assert read_powershell(script)[1] == body
    assert len(script) < 2 * len(body)


needs_powershell = pytest.mark.skipif(
    shutil.which("pwsh") is None, reason="PowerShell (pwsh) is not installed"
)


def run_powershell(script: str, folder: Path) -> tuple[int, str]:
    """Run a script from a file, as it is saved."""
    (folder / "script.ps1").write_text(script)
    return run("pwsh", "-NoProfile", "-NonInteractive", "-File", "script.ps1", folder=folder)


@needs_powershell
@pytest.mark.integration
@pytest.mark.thorough
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(st.data())
def test_powershell_sends(server: Recorder, tmp_path: Path, data: st.DataObject) -> None:
    """PowerShell sends the recorded bytes, and runs nothing of them; 20 requests in a process."""
    records = [data.draw(requests(server.host)) for _ in range(20)]
    (tmp_path / "canary").touch()
    assert run_powershell("\n".join(map(powershell, records)), tmp_path) == (0, ANY)
    names = {file.name for file in tmp_path.iterdir() if not file.name.startswith(".")}  # its cache
    assert names == {"canary", "script.ps1"}
    assert len(server.received) == len(records)
    for record in records:
        assert_received(server.received.pop(0), record)


@needs_powershell
@pytest.mark.integration
def test_powershell_sends_values(server: Recorder, tmp_path: Path) -> None:
    """What is filled in is sent, with all its quotes, and a file from the folder of the caller."""
    script = powershell(make_request(server.host, **REDACTED))
    assert run_powershell(script, tmp_path)[0] == 1
    assert server.received == []
    assert run_powershell(script.replace(" = ''\n", " = '$(x) \"`\\%s'\n"), tmp_path)[0] == 0
    received = server.take()
    assert received.headers["authorization"] == b'Bearer $(x) "`\\%s'
    assert received.body == b'{"password": "$(x) "`\\%s"}'

    (tmp_path / "a [b]").write_bytes(b"\x00\xff\n")
    cut: dict[str, Any] = {"request_body": b"", "request_body_size": 9, "request_body_note": "binary"}
    script = powershell(make_request(server.host, method="PUT", **cut))
    assert run_powershell(script.replace(" = ''\n", " = 'a [b]'\n"), tmp_path)[0] == 0
    assert server.take().body == b"\x00\xff\n"


def test_powershell_quotes() -> None:
    """What PowerShell would obey stands in single quotes, or as a number where it is no ASCII."""
    header = 'it\'s $(x) `y` "z" \\ \u2019;#'.encode().decode("latin-1")
    script = powershell(make_request(request_headers=(("X-A", header),), request_body=b"@a--%\r\n"))
    assert (
        "-join @('header = \"', 'X-A: it''s $(x) `y` \\\"z\\\" \\\\ ', "
        "[char]226, [char]128, [char]153, ';#', [char]34)\n"
    ) in script
    assert "      '@a--%'\n      [char]13\n      [char]10\n" in script


def test_powershell_demands_values() -> None:
    """The variables stand at the top, and the script stops without them."""
    script = powershell(make_request(**REDACTED))
    assert script.startswith("$REDACTED_TOKEN = ''\n$REDACTED_AUTHORIZATION = ''\n")
    assert "if (-not $REDACTED_PASSWORD) { throw 'REDACTED_PASSWORD is not in the record" in script
    assert '\'{"password": "\'\n      (Encode $REDACTED_PASSWORD)\n' in script


@pytest.mark.integration
def test_python(server: Recorder, tmp_path: Path) -> None:
    """The script sends the request once its constants are set, and says what is missing before."""
    (tmp_path / "script.py").write_text(source := python(make_request(server.host, **REDACTED)))
    status, said = run(sys.executable, tmp_path / "script.py")
    assert (status, said) == (1, "REDACTED_TOKEN is not in the record: set it first\n")
    (tmp_path / "filled.py").write_text(source.replace(', "")', ', "a b\\"")'))
    values = {f"REDACTED_{name}": 'a b"' for name in ("TOKEN", "AUTHORIZATION", "PASSWORD")}
    for script, variables in (("filled.py", {}), ("script.py", values)):
        assert run(sys.executable, tmp_path / script, variables=variables) == (0, "")
        received = server.take()
        assert received.target == b"/x?token=a%20b%22"
        assert received.headers["authorization"] == b'Bearer a b"'
        assert received.body == b'{"password": "a b\\""}'


ODD_TARGETS = {
    "/\xc3\xa9\xff?q=\xfc": b"/%C3%A9%FF?q=%FC",
    "/%s%n%%?x=%": b"/%25s%25n%25%25?x=%25",
    "/%2f%41?x=%3a%7e": b"/%2FA?x=%3A~",
    "/x?a#b": b"/x?a%23b",
}
"""Targets that browsers never send, and the same ones as Requests writes them."""


@pytest.mark.integration
@pytest.mark.parametrize("target", ODD_TARGETS)
def test_python_sends_odd_targets(server: Recorder, tmp_path: Path, target: str) -> None:
    """A target that Requests writes in its own way names the same resource."""
    record = make_request(server.host, target=target, query_params=target.partition("?")[2])
    (tmp_path / "script.py").write_text(python(record))
    assert run(sys.executable, tmp_path / "script.py") == (0, "")
    assert server.take().target == ODD_TARGETS[target]


@pytest.mark.parametrize("target", ["/../x", "/a/.?b", "/a/%2E%2e", "//host/x"])
def test_python_cannot(target: str) -> None:
    """A path that Requests would shorten is refused."""
    with pytest.raises(TrackingError, match="Requests would change the target"):
        python(make_request(target=target, query_params=target.partition("?")[2]))


def test_httpie() -> None:
    """Redacted values are variables, the body is piped, and no value is an item of another kind."""
    script = httpie(
        make_request(
            method="POST",
            request_headers=(("X-A", "=@canary"), ("X-B", "@canary"), ("X-C", "")),
            request_body=b"'\x00",
        )
    )
    assert script == (
        "printf '\\047\\000' |\n"
        "http \\\n"
        "  --path-as-is -- POST 'http://localhost/orders/7?a=1' \\\n"
        "  'X-A:\\=@canary' \\\n"
        "  'X-B:\\@canary' \\\n"
        "  'X-C;' \\\n"
        "  'User-Agent:' \\\n"
        "  'Accept:' \\\n"
        "  'Accept-Encoding:' \\\n"
        "  'Content-Type:'"
    )


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        *[
            ({"target": target}, "HTTPie would change the target of this request. Use `curl`")
            for target in (*ODD_TARGETS, "/../x?a=1", "//x?a=1", "/%n?a=1", "/%2f?a=1", "/x?a=%7E")
        ],
        ({"target": "/x?[]", "query_params": "[]"}, "HTTPie would change the target"),
        ({"target": "/x?", "query_params": ""}, "HTTPie would change the target"),
        ({"method": "-d"}, "HTTPie cannot send the method -d. Use `curl` instead."),
        ({"method": "M-SEARCH"}, "HTTPie cannot send the method M-SEARCH."),
        ({"method": "get"}, "HTTPie cannot send the method get."),
        ({"request_headers": (("X-A", "\\="),)}, "HTTPie cannot send the header X-A."),
        ({"request_headers": (("X-A", "\xe9"),)}, "HTTPie cannot send the header X-A."),
    ],
)
def test_httpie_cannot(parts: dict[str, Any], message: str) -> None:
    """What HTTPie would send in another way is refused."""
    with pytest.raises(TrackingError, match=re.escape(message)):
        httpie(make_request(**parts))


@pytest.mark.integration
def test_httpie_sends_escapes(needs_httpie: None, server: Recorder, tmp_path: Path) -> None:
    """What HTTPie does not rewrite arrives as it was: escapes in capitals, and all that needs none."""
    target = "/a//b%2F%C3%A9;b:@!$'()*+,=~._-?q=%20+%26%3D/?:@!$'()*,;"
    script = httpie(make_request(server.host, target=target))
    assert run("bash", "-c", script, folder=tmp_path)[0] == 0
    assert server.take().target == target.encode()


@pytest.mark.repeats
@pytest.mark.integration
@pytest.mark.parametrize("name", ["-Oowned", "-oowned", "--output", "-v", "-"])
def test_httpie_takes_no_header_for_an_option(
    needs_httpie: None, server: Recorder, tmp_path: Path, name: str
) -> None:
    """A header whose name begins with a dash is sent, and writes no file."""
    script = httpie(make_request(server.host, request_headers=((name, "x"),)))
    assert run("bash", "-c", script, folder=tmp_path)[0] == 0
    assert server.take().headers[name.lower()] == b"x"
    assert not list(tmp_path.glob("owned*"))


@pytest.mark.integration
@pytest.mark.thorough
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(st.data())
def test_httpie_sends(
    needs_httpie: None, server: Recorder, tmp_path: Path, data: st.DataObject
) -> None:
    """What HTTPie can write arrives as it was recorded."""
    record = data.draw(requests(server.host))
    try:
        script = httpie(record)
    except TrackingError:
        return
    assert run("bash", "-c", script, folder=tmp_path)[0] == 0
    assert_received(server.take(), record)
