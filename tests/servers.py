"""Real servers for tests, each a process of its own: a MongoDB and gunicorn."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
START_TIMEOUT_S = 30.0
FULL_BYTES = 100
"""No file may become larger while the disk is full."""


def free_port() -> int:
    """Return a port of this machine that nothing listens on, reserved for a minute.

    A connection that this side has closed first waits there for stray packets (TIME_WAIT). Meanwhile
    the system gives the port to nobody who asks for any port; a server that asks for this one gets it,
    because servers set SO_REUSEADDR.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        port: int = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = listener.accept()
            accepted.close()
        return port


def wait_until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    """Return when `port` answers; fail when `process` ends before."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.02)
    raise RuntimeError(f"nothing listens at port {port} after {START_TIMEOUT_S:g} s")


def limit_files(process: int, size: int | None) -> None:
    """Bound the files that a process writes, in bytes; None takes the bound away. Linux only."""
    import resource  # not on Windows

    size = resource.RLIM_INFINITY if size is None else size
    resource.prlimit(process, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def program(name: str) -> str | None:
    """Find a program beside this interpreter, or on the PATH."""
    beside = os.path.join(os.path.dirname(sys.executable), name)
    return shutil.which(beside) or shutil.which(name)


def end(process: subprocess.Popen[bytes]) -> None:
    """Let a server that leads a session finish what it does, and end."""
    process.terminate()
    try:
        process.wait(START_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise


@contextlib.contextmanager
def port_of(module: str) -> Iterator[int]:
    """Run a server of ours, a module that prints its port first; yields the port."""
    command = [sys.executable, "-m", module]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


class MongoServer:
    """A MongoDB server: ``mongod`` where there is one, else SecantusDB."""

    def __init__(self, data: Path, *options: str, is_quiet: bool = False) -> None:
        self.data = data
        self.is_quiet = is_quiet
        """True where its errors are what is wanted, and nobody is to read them."""
        self.port = free_port()
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """The server's URI, without a database."""
        return f"mongodb://127.0.0.1:{self.port}/"

    @property
    def cpu_s(self) -> float:
        """The seconds of CPU that the process has used; 0 where the system does not tell."""
        if self.process is None or not os.path.exists("/proc/self/stat"):
            return 0.0
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @staticmethod
    def kind() -> str | None:
        """Which server would be started, None when there is none."""
        return next((name for name in ("mongod", "secantusd-py") if program(name)), None)

    def start(self) -> MongoServer:
        """Start it on its data; returns when it answers."""
        kind = self.kind()
        found = kind and program(kind)
        if not found:
            raise RuntimeError("no MongoDB server is installed: pip install 'flask-tracking[embedded]'")
        port = str(self.port)
        if kind == "mongod":
            command = [found, "--bind_ip", "127.0.0.1", "--port", port, "--dbpath", str(self.data)]
        else:
            command = [found, "--host", "127.0.0.1", "--port", port, "--storage-path", str(self.data)]
            command += ["--standalone", "--log-level", "ERROR", *self.options]
        stderr = subprocess.DEVNULL if self.is_quiet else None
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)
        wait_until_listening(self.process, self.port)
        return self

    def fill_disk(self) -> None:
        """Let it write no more to files, as on a full disk. Linux only."""
        limit_files(self.pid, FULL_BYTES)

    def free_disk(self) -> None:
        """Let it write again. A storage engine that has panicked wants to be started again, too."""
        limit_files(self.pid, None)

    @property
    def pid(self) -> int:
        """The number of the process, which runs."""
        if self.process is None:
            raise RuntimeError("the server was not started")
        return self.process.pid

    def kill(self) -> None:
        """End it as a power cut would, if it runs."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def mongo_server(*options: str, is_quiet: bool = False) -> Iterator[MongoServer]:
    """Run a server of one's own, with a data folder that goes with it."""
    with tempfile.TemporaryDirectory(prefix="flask-tracking-") as data:
        server = MongoServer(Path(data), *options, is_quiet=is_quiet)
        try:
            yield server.start()
        finally:
            server.kill()  # in order takes SecantusDB two seconds, for data that nobody reads again


@contextlib.contextmanager
def gunicorn(
    app: str, *options: str, env: Mapping[str, str] | None = None, python: Sequence[str] = ()
) -> Iterator[str]:
    """Run an app, named like ``module:app``, under gunicorn; yields its URL.

    Args:
        app: what gunicorn is to serve; importable from the repository's root.
        *options: gunicorn's.
        env: more environment variables.
        python: options of the interpreter.
    """
    port = free_port()
    command = [sys.executable, *python, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}"]
    command += ["--log-level", "warning", *options, app]
    with tempfile.TemporaryDirectory(prefix="flask-tracking-") as runtime:
        # Newer versions put a control socket there, else into the home folder.
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": runtime, **(env or {})}
        process = subprocess.Popen(command, cwd=ROOT, env=environ, start_new_session=True)
        try:
            wait_until_listening(process, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            end(process)
