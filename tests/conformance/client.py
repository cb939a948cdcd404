"""A client on a raw socket: it sends what a scene says and keeps every byte that comes back."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from typing import NamedTuple

from flask_tracking.testing.observation import Answer

from .exchange import (
    PROBE,
    Body,
    EndInput,
    Finish,
    HangUp,
    Head,
    Pause,
    Raw,
    Release,
    Request,
    Scene,
    Take,
    get,
)

TIMEOUT_S = 20.0
MAX_READ = 1 << 20


class Conversation(NamedTuple):
    """What the client saw."""

    answers: tuple[Answer, ...]
    fate: str


class Ended(Exception):
    """The server has ended the connection."""


class Wire:
    """The receiving side of a socket: heads, frames and bodies of HTTP/1."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = b""
        self.end = ""

    def _more(self) -> None:
        if self.end:
            raise Ended(self.end)
        try:
            data = self._socket.recv(MAX_READ)
        except TimeoutError:
            self.end = f"silent for {TIMEOUT_S:g} s"
            raise Ended(self.end) from None
        except ConnectionError:
            self.end = "reset"
            raise Ended(self.end) from None
        if not data:
            self.end = "closed"
            raise Ended(self.end)
        self._buffer += data

    def line(self) -> str:
        """Read a line, without its end."""
        while b"\r\n" not in self._buffer:
            self._more()
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line.decode("latin-1")

    def exactly(self, size: int) -> bytes:
        """Read `size` bytes."""
        pieces = [self._buffer]
        left = size - len(self._buffer)
        while left > 0:
            self._buffer = b""
            try:
                self._more()
            except Ended:
                self._buffer = b"".join(pieces)
                raise
            pieces.append(self._buffer)
            left -= len(self._buffer)
        data = b"".join(pieces)
        self._buffer = data[size:]
        return data[:size]

    def rest(self) -> bytes:
        """Take what has come and was not read."""
        data, self._buffer = self._buffer, b""
        return data

    def put_back(self, data: bytes) -> None:
        """Let `data` be read again."""
        self._buffer = data + self._buffer

    def until_answer(self) -> tuple[bytes, bool]:
        """Skip to the next answer; return what was skipped, and whether there is one."""
        try:
            while b"HTTP/1." not in self._buffer:
                self._more()
        except Ended:
            return self.rest(), False
        surplus, mark, rest = self._buffer.partition(b"HTTP/1.")
        self._buffer = mark + rest
        return surplus, True

    def until_end(self) -> bytes:
        """Read all there is before the server ends the connection."""
        pieces = [self.rest()]
        try:
            while True:
                self._more()
                pieces.append(self.rest())
        except Ended:
            return b"".join(pieces)


class AnswerReader:
    """Reads one response, as far as it is asked to; `answer` is what has come of it."""

    def __init__(self, wire: Wire, method: str) -> None:
        self._wire = wire
        self.method = method
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.chunks: list[bytes] = []
        self.is_whole = False

    @property
    def answer(self) -> Answer:
        """What has come so far."""
        return Answer(self.status, tuple(self.headers), tuple(self.chunks))

    def read_head(self) -> None:
        """Read status line and headers."""
        if self.status:
            return
        self.status = self._wire.line()
        while line := self._wire.line():
            name, _, value = line.partition(": ")
            self.headers.append((name, value))

    def _header(self, wanted: str) -> str | None:
        return next((value for name, value in self.headers if name.lower() == wanted), None)

    @property
    def is_interim(self) -> bool:
        """Whether another response to the same request follows."""
        return self.status.split(" ")[1][:1] == "1" and not self.is_upgrade

    @property
    def is_upgrade(self) -> bool:
        """Whether what follows is another protocol."""
        return self.status.split(" ")[1] == "101"

    @property
    def announces_end(self) -> bool:
        """Whether the server said that it closes the connection."""
        connection = (self._header("connection") or "").lower()
        return connection == "close" or (self.status[:8] == "HTTP/1.0" and connection != "keep-alive")

    def read(self, pieces: int | None = None) -> None:
        """Read the whole body, or that many pieces of it."""
        self.read_head()
        code = self.status.split(" ")[1]
        length = self._header("content-length")
        if self.is_upgrade:
            self._read_messages(pieces)
        elif self.method == "HEAD" or code[:1] == "1" or code in ("204", "304"):
            self.is_whole = True
        elif (self._header("transfer-encoding") or "").lower() == "chunked":
            self._read_frames(pieces)
        elif length is not None:
            self._read_sized(int(length), pieces)
        elif pieces is not None:
            self.chunks.append(self._wire.exactly(pieces))
        else:
            self.chunks.append(self._wire.until_end())
            self.is_whole = self._wire.end == "closed"

    def _read_messages(self, count: int | None) -> None:
        """Read frames of a WebSocket, up to the one that closes it."""
        while count is None or count > 0:
            head = self._wire.exactly(2)
            if head == b"HT":  # the server has answered once more, in HTTP
                self._wire.put_back(head)
                self.is_whole = True
                return
            if head[1] == 126:  # the length follows in two bytes
                head += self._wire.exactly(2)
            self.chunks.append(head + self._wire.exactly(int.from_bytes(head[2:] or head[1:], "big")))
            if head[0] & 0x0F == 8:
                self.is_whole = True
                return
            count = None if count is None else count - 1

    def _read_sized(self, length: int, pieces: int | None) -> None:
        left = length - sum(map(len, self.chunks))
        wanted = left if pieces is None else pieces
        try:
            self.chunks.append(self._wire.exactly(wanted))
        except Ended:
            self.chunks.append(self._wire.rest())
            raise
        self.is_whole = wanted == left

    def _read_frames(self, count: int | None) -> None:
        while count is None or count > 0:
            size = int(self._wire.line().partition(";")[0], 16)
            if not size:
                while self._wire.line():
                    pass
                self.is_whole = True
                return
            self.chunks.append(self._wire.exactly(size))
            assert self._wire.exactly(2) == b"\r\n"
            count = None if count is None else count - 1


class Client:
    """One connection, on which one scene is played."""

    def __init__(self, port: int, scene: Scene, release: Callable[[], None]) -> None:
        self._port = port
        self._scene = scene
        self._release = release
        self._connect()
        self._pending: list[str] = []
        self._readers: list[AnswerReader] = []
        self._has_left = ""

    def _connect(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wire = Wire(self._socket)

    def play(self) -> Conversation:
        """Send all, read all, and find out what became of the connection."""
        try:
            for step in self._scene.steps:
                self._take_step(step)
            fate = self._has_left or self._read_all()
        except Ended as ended:
            fate = f"{ended} in mid-answer" if self._readers else str(ended)
        finally:
            self._socket.close()
        return Conversation(tuple(reader.answer for reader in self._readers if reader.status), fate)

    def _take_step(self, step: object) -> None:
        match step:
            case Request():
                self._pending.append(step.method)
                head = step.head(self._scene.app, self._scene.name)
                self._send(head + step.encoded_body())
            case Head(request):
                self._pending.append(request.method)
                self._send(request.head(self._scene.app, self._scene.name))
            case Body(request, start, stop):
                self._send(request.encoded_body()[start:stop])
            case Raw(data):
                self._send(data)
            case Pause(seconds):
                time.sleep(seconds)
            case Take(pieces):
                self._read(pieces)
            case Release():
                self._release()
            case EndInput():
                self._socket.shutdown(socket.SHUT_WR)
            case HangUp(reset):
                self._hang_up(reset)
            case Finish():
                if not self._read_pending() or self._readers[-1].announces_end:
                    self._socket.close()
                    self._connect()

    def _send(self, data: bytes) -> None:
        # A server may answer and leave before it has read everything: its answer tells.
        try:
            self._socket.sendall(data)
        except ConnectionError:
            self._wire.end = ""

    def _hang_up(self, reset: bool) -> None:
        if reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()
        self._has_left = "left by the client"

    def _read(self, pieces: int | None = None) -> None:
        if not self._readers or self._readers[-1].is_whole:
            self._readers.append(AnswerReader(self._wire, self._pending.pop(0)))
        reader = self._readers[-1]
        reader.read(pieces)
        if reader.is_interim:
            self._pending.insert(0, reader.method)

    def _read_pending(self) -> bool:
        """Read all answers that are to come; return False where the connection ended first."""
        while self._pending or not self._readers[-1].is_whole:
            self._read()
            if self._wire.end:
                return False
        return True

    def _read_all(self) -> str:
        return self._probe() if self._read_pending() else self._wire.end

    def _probe(self) -> str:
        """Ask for more on the same connection: only one that was kept open answers."""
        last = self._readers[-1]
        if not last.announces_end and not last.is_upgrade:
            self._send(get(PROBE).head(self._scene.app, self._scene.name))
        surplus, follows = self._wire.until_answer()
        if follows:
            reader = AnswerReader(self._wire, "GET")
            reader.read()
            if last.is_upgrade or last.announces_end:
                self._readers.append(reader)
                follows = False
        # Closed or reset is the same once the answer is whole.
        fate = "kept open" if follows else "closed"
        return fate + (f", with {surplus!r} after the answer" if surplus else "")
