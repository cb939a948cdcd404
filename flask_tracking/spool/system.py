"""The system calls of the spool, in one place, so that tests can make each of them fail."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from types import ModuleType
from typing import NamedTuple

_fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    _fcntl = None
else:
    _fcntl = fcntl

__all__ = ["Entry", "System"]

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700
_BINARY = getattr(os, "O_BINARY", 0)  # Windows


class Entry(NamedTuple):
    """A file in a directory."""

    name: str
    size: int
    """In bytes."""


class System:
    """The system calls of the spool. All methods raise OSError."""

    def make_directory(self, path: str) -> None:
        """Create a directory, and missing ones above it, that only this user may enter."""
        with contextlib.suppress(FileExistsError):
            try:
                os.mkdir(path, DIRECTORY_MODE)
            except FileNotFoundError:
                if path == (parent := os.path.dirname(path)):  # a drive that does not exist
                    raise
                self.make_directory(parent)
                # Fails again, and for good, where a link leads nowhere: above it, it "exists".
                os.mkdir(path, DIRECTORY_MODE)

    def find_obstacle(self, path: str) -> str | None:
        """Return why this user can write nothing below `path`; None if nothing is in the way.

        If the directory does not exist, one of another name is created and removed. Nothing else is
        changed, so a full disk is not noticed.
        """
        wanted = path
        while not os.path.lexists(path) and path != (parent := os.path.dirname(path)):
            path = parent
        if not os.path.isdir(path):
            is_link = os.path.islink(path)
            return f"{path} {'is a link that leads nowhere' if is_link else 'is not a directory'}"
        if not os.access(path, os.W_OK | os.X_OK):
            return f"{path} is not writable"
        return None if path == wanted else self._find_refusal(path)

    def _find_refusal(self, path: str) -> str | None:
        """Return why no directory can be created in `path`: not everywhere do the rights tell."""
        probe = os.path.join(path, f".flask-tracking-{os.urandom(6).hex()}")
        try:
            os.mkdir(probe, DIRECTORY_MODE)
            os.rmdir(probe)
        except OSError as error:
            return f"nothing can be created in {path} ({error.strerror})"
        return None

    def create(self, path: str) -> int:
        """Create a file that only this user may read, and return its descriptor."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, FILE_MODE)

    def open(self, path: str) -> int:
        """Open a file for reading, and return its descriptor."""
        return os.open(path, os.O_RDONLY | _BINARY)

    def lock(self, descriptor: int) -> bool | None:
        """Lock a file until all its descriptors are closed.

        Returns:
            False if it is locked already; None if files cannot be locked here.
        """
        if _fcntl is None:
            return None
        try:
            _fcntl.flock(descriptor, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks
            return None
        return True

    def unlock(self, descriptor: int) -> None:
        """Unlock a file, even if a process that was forked meanwhile still has it open."""
        if _fcntl is not None:
            with contextlib.suppress(OSError):
                _fcntl.flock(descriptor, _fcntl.LOCK_UN)

    def write(self, descriptor: int, data: bytes) -> None:
        """Write all of `data`."""
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]

    def sync(self, descriptor: int) -> None:
        """Wait until a file is on the disk."""
        os.fsync(descriptor)

    def sync_directory(self, path: str) -> None:
        """Wait until a directory is on the disk, if the system supports it."""
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def read(self, descriptor: int) -> bytes:
        """Return the content of a file, from its start."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read()

    def is_same(self, descriptor: int, path: str) -> bool:
        """Return whether the open file still has this path."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(path))
        except FileNotFoundError:
            return False

    def close(self, descriptor: int) -> None:
        """Close a descriptor."""
        os.close(descriptor)

    def rename(self, source: str, target: str) -> None:
        """Rename a file, and replace the one that has the new name."""
        os.replace(source, target)

    def remove(self, path: str) -> None:
        """Remove a file."""
        os.unlink(path)

    def scan(self, path: str) -> Iterator[Entry]:
        """Yield the files of a directory; none if it does not exist."""
        try:
            entries = list(os.scandir(path))
        except FileNotFoundError:
            return
        for entry in entries:
            # Another process may remove it meanwhile.
            with contextlib.suppress(FileNotFoundError):
                if entry.is_file(follow_symlinks=False):
                    yield Entry(entry.name, entry.stat(follow_symlinks=False).st_size)
