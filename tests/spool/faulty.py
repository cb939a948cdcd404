"""A system that fails, and a process that dies at any of its calls."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from flask_tracking.spool.system import Entry, System


class Killed(BaseException):
    """The process was killed at this call: nothing that comes behind it is done."""


class Disk:
    """What several processes share."""

    def __init__(self) -> None:
        self.free_bytes: int | None = None
        """None where there is room enough."""


class FaultySystem(System):
    """The calls of one process, which is killed when it is told, on a disk that may be full."""

    def __init__(self, disk: Disk | None = None) -> None:
        self.disk = disk or Disk()
        self.calls_left: int | None = None
        """After so many calls the process is killed; None lets it live."""
        self.meanwhile: tuple[int, Callable[[], object]] | None = None
        """After how many calls what is done by another process, once."""
        self.errors: dict[str, OSError] = {}
        """By the name of a call what it fails with."""
        self.calls: list[str] = []
        self.sync_s = 0.0
        """How long the disk keeps a call to `sync` waiting."""
        self._open: set[int] = set()
        self._is_dead = False

    def _call(self, name: str) -> None:
        if self._is_dead:
            raise Killed
        self.calls.append(name)
        self._let_others_run()
        if self.calls_left is not None:
            self.calls_left -= 1
            if self.calls_left < 0:
                self.kill()
                raise Killed
        if name in self.errors:
            raise self.errors[name]

    def _let_others_run(self) -> None:
        if self.meanwhile is None:
            return
        calls_left, act = self.meanwhile
        self.meanwhile = (calls_left - 1, act) if calls_left else None
        if not calls_left:
            act()

    def kill(self) -> None:
        """Do what the kernel does for a process that was killed: close its files."""
        self._is_dead = True
        for descriptor in self._open:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._open.clear()

    def make_directory(self, path: str) -> None:
        self._call("make_directory")
        super().make_directory(path)

    def create(self, path: str) -> int:
        self._call("create")
        descriptor = super().create(path)
        self._open.add(descriptor)
        return descriptor

    def open(self, path: str) -> int:
        self._call("open")
        descriptor = super().open(path)
        self._open.add(descriptor)
        return descriptor

    def lock(self, descriptor: int) -> bool | None:
        self._call("lock")
        return super().lock(descriptor)

    def unlock(self, descriptor: int) -> None:
        self._call("unlock")
        super().unlock(descriptor)

    def write(self, descriptor: int, data: bytes) -> None:
        self._call("write")
        disk = self.disk
        if self.calls_left == 0:  # killed within the call
            data = data[: len(data) // 2]
        if disk.free_bytes is not None:
            if len(data) > disk.free_bytes:
                super().write(descriptor, data[: disk.free_bytes])
                disk.free_bytes = 0
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            disk.free_bytes -= len(data)
        super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._call("sync")  # power cuts are not tried here, and syncing takes most of the time
        time.sleep(self.sync_s)

    def sync_directory(self, path: str) -> None:
        self._call("sync_directory")

    def read(self, descriptor: int) -> bytes:
        self._call("read")
        return super().read(descriptor)

    def is_same(self, descriptor: int, path: str) -> bool:
        self._call("is_same")
        return super().is_same(descriptor, path)

    def close(self, descriptor: int) -> None:
        self._call("close")
        self._open.discard(descriptor)
        super().close(descriptor)

    def rename(self, source: str, target: str) -> None:
        self._call("rename")
        super().rename(source, target)

    def remove(self, path: str) -> None:
        self._call("remove")
        super().remove(path)

    def scan(self, path: str) -> Iterator[Entry]:
        self._call("scan")
        return super().scan(path)


def list_contents(path: Any) -> dict[str, bytes]:
    """Return the files below a directory with their contents."""
    found = {}
    for folder, _, names in os.walk(path):
        for name in names:
            whole = os.path.join(folder, name)
            with open(whole, "rb") as file:
                found[os.path.relpath(whole, path)] = file.read()
    return found
