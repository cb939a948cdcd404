"""The store of one test process: this test's records, those of its forked servers included."""

from __future__ import annotations

import pickle
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..exporters.memory import MemoryExporter
from ..record import Record

__all__ = ["Collector"]

LENGTH_BYTES = 8


class Collector(MemoryExporter):
    """Holds the records of one test at a time.

    A child, like the server of pytest-flask's ``live_server``, appends its records to a file that the
    parent reads. It does so before it sends the end of the response: the parent finds them there.
    """

    def __init__(self) -> None:
        """Take no records until `begin`."""
        super().__init__()
        self.is_listening = False
        """Records that come between two tests belong to none."""
        self.is_child = False
        """True in a forked process, like that of a live server."""
        self._path: Path | None = None
        self._read_bytes = 0

    def begin(self) -> None:
        """Forget the last test, and take the records of the next one."""
        self.clear()
        self.pass_over_children()
        self.is_listening = True

    def open_to_children(self) -> None:
        """Take the records of processes that are forked from now on."""
        if self._path is None:
            directory = tempfile.mkdtemp(prefix="flask-tracking-")  # private to this user
            self._path = Path(directory) / "records"
            self._path.touch()

    def remove_file(self) -> None:
        """Take no more records of children."""
        if self._path is not None:
            shutil.rmtree(self._path.parent, ignore_errors=True)
        self._path = None

    def after_fork_in_child(self) -> None:
        """Send records to the parent from now on."""
        super().after_fork_in_child()
        self.is_child = True

    @property
    def records(self) -> list[Record]:
        """The records of this test, those of each process in their order."""
        self.take_from_children()
        return super().records

    def take_from_children(self) -> None:
        """Take what children have sent by now."""
        if self._path is not None and not self.is_child:
            super()._store(list(self._read_children(self._path)))

    def pass_over_children(self) -> None:
        """Leave out what children have sent by now."""
        self._read_bytes = self._path.stat().st_size if self._path is not None else 0

    def _store(self, records: Sequence[Record]) -> int:
        if self.is_child:
            self._send(records)
        elif self.is_listening:
            return super()._store(records)
        return 0

    def _send(self, records: Sequence[Record]) -> None:
        if self._path is None:
            return
        data = pickle.dumps(list(records))
        # One write at the end of the file: several threads and processes append to it.
        with open(self._path, "ab", buffering=0) as file:
            file.write(len(data).to_bytes(LENGTH_BYTES, "big") + data)

    def _read_children(self, path: Path) -> Iterator[Record]:
        if path.stat().st_size == self._read_bytes:
            return
        with open(path, "rb") as file:
            file.seek(self._read_bytes)
            while len(head := file.read(LENGTH_BYTES)) == LENGTH_BYTES:
                data = file.read(int.from_bytes(head, "big"))
                if len(data) < int.from_bytes(head, "big"):
                    break  # still being written
                self._read_bytes = file.tell()
                yield from pickle.loads(data)  # noqa: S301 - our own child wrote it, in a private directory
