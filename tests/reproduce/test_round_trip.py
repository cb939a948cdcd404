"""What is sent again is what was recorded: by cURL in every shell that is installed, and from a HAR."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_tracking import Record
from flask_tracking.reproduce import curl, har
from flask_tracking.reproduce.request import NOT_SENT

from ..captures import make_record
from .hostile import PLANTED, requests
from .recorder import Received, Recorder, recorder

pytestmark = pytest.mark.integration

SHELLS = [shell for shell in ("dash", "bash", "zsh") if shutil.which(shell)]
CANARY = "a secret that nobody sends"
OWN = {"content-length", "host"}


@pytest.fixture(scope="module")
def server() -> Iterator[Recorder]:
    """Where the commands send what was recorded."""
    with recorder() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands run: a folder with a file that no command may read."""
    folder = tmp_path_factory.mktemp("canaries")
    (folder / "canary").write_text(CANARY)
    return folder


def run(shell: str, script: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a script that is read from standard input, as one that is pasted is."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    command = [shell, "-c", script]
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, timeout=30, check=False
    )


def assert_received(received: Received, record: Record) -> None:
    """Compare what arrived with what was recorded."""
    assert received.method.decode() == record.method
    assert received.body == record.request_body
    sent = {
        name.lower(): value.encode("latin-1")
        for name, value in record.request_headers
        if name.lower() not in NOT_SENT
    }
    got = {name: value for name, value in received.headers.items() if name not in NOT_SENT}
    assert got == sent
    assert received.headers["host"].decode() == dict(record.request_headers)["Host"]
    if record.target:
        assert received.target == record.target.encode("latin-1")
    else:
        path, mark, query = received.target.partition(b"?")
        assert unquote_to_bytes(path) == (record.path or "").encode()
        assert query.decode() == record.query_params


@pytest.mark.thorough
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(st.data())
def test_curl(server: Recorder, folder: Path, data: st.DataObject) -> None:
    """The printed command sends the recorded bytes, in every shell; it reads and runs nothing else."""
    record = data.draw(requests(server.host))
    script = curl(record)
    assert script.isascii() and script.replace("\n", " ").isprintable()
    for shell in SHELLS:
        done = run(shell, script, folder)
        assert (done.returncode, done.stderr) == (0, done.stderr), (script, done)
        assert_received(server.take(), record)
        assert [file.name for file in folder.iterdir()] == ["canary"]


@pytest.mark.parametrize("shell", SHELLS)
def test_pasted(server: Recorder, folder: Path, shell: str) -> None:
    """A shell that asks for commands does the same; in bash and zsh it would expand an ``!``."""
    for number, planted in enumerate(PLANTED):
        text = planted.encode().decode("latin-1")
        data = f"a'{planted} it's\n{planted}".encode()
        record = make_record(
            method="PUT",
            path="/x",
            environ={
                "HTTP_HOST": server.host,
                "HTTP_X_A": f"it's {text}!",
                "RAW_URI": f"/{number}!'!x!",
                "QUERY_STRING": "",
            },
            request_chunks=(data,),
            request_size=len(data),
        )
        command = [shell, "-i"]
        environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "PS1": "", "PS2": ""}
        script = f"echo before\n{curl(record)}\nexit\n".encode()
        subprocess.run(
            command, cwd=folder, env=environ, input=script, capture_output=True, timeout=30, check=False
        )
        assert_received(server.take(), record)
        files = {file.name for file in folder.iterdir()} - {".bash_history", ".zsh_history"}
        assert files == {"canary"}


@pytest.mark.thorough
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(st.data())
def test_http_archive(server: Recorder, data: st.DataObject) -> None:
    """An entry of an archive has all that it takes to send the request again."""
    record = data.draw(requests(server.host))
    (entry,) = json.loads(json.dumps(har(record)))["log"]["entries"]
    request = entry["request"]
    post = request.get("postData", {"text": ""})
    body = base64.b64decode(post["text"]) if "_encoding" in post else post["text"].encode()
    target = request.get("_target", request["url"].removeprefix(f"http://{server.host}"))
    lines = [f"{request['method']} {target} HTTP/1.1"]
    lines += [
        f"{header['name']}: {header['value']}"
        for header in request["headers"]
        if header["name"] != "Content-Length"
    ]
    lines += [f"Content-Length: {len(body)}", "", ""]
    with socket.create_connection(("127.0.0.1", int(server.host.partition(":")[2]))) as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1") + body)
        assert connection.recv(100).startswith(b"HTTP/1.1 204")
    assert_received(server.take(), record)
