"""`Spool`: writes files whole or not at all, within bounds, and lends each to one reader at a time."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..errors import TrackingError
from ..runtime.lifecycle import watch_forks
from .frames import Contents, join_frames, split_frames
from .naming import PARTIAL, Kind, SpoolFile, make_name, parse_name
from .system import Entry, System

__all__ = ["HeldFile", "Spool", "SpoolError", "Written"]

SET_ASIDE = "set-aside"
"""The folder of the files that are damaged, or with which the exporter breaks."""
BLOCK_BYTES = 4096
"""What a file takes on a disk is a multiple of this."""
MARGIN = 64
"""Where there is no room, this part of the bound is made free at once: looking takes time."""
SHARE = 8
"""Of the room that was found, one process uses this part before it looks again: others write, too."""
NEW_MS = 3_600_000
"""An empty file is left alone for so long: it may have been created just now."""


class SpoolError(TrackingError):
    """A file of the spool cannot be read, moved or removed. Its text quotes no record."""


class Written(NamedTuple):
    """What became of a file that was to be written."""

    is_written: bool
    evicted: tuple[SpoolFile, ...] = ()
    """What was removed to make room, the oldest first."""
    error: str | None = None
    """Why it cannot be written; None where there is no room, not even without what may be evicted."""


class Spool:
    """The files of one app. Processes and threads may share the directory; no call waits for a lock."""

    def __init__(self, path: str, max_bytes: int, system: System | None = None) -> None:
        """Take what is wanted; the directory is made when there is something to write.

        Args:
            path: the directory of the app.
            max_bytes: what its files may take on the disk.
            system: makes the system calls.
        """
        self.path = path
        self._max_bytes = max_bytes
        self._system = system or System()
        self._room = 0
        """Bytes that may be written before the directory is looked at again."""
        self._descriptors: set[int] = set()
        watch_forks(self)

    def after_fork_in_child(self) -> None:
        """Close the parent's files: a lock lasts until the last process has closed the file."""
        for descriptor in self._descriptors:
            with contextlib.suppress(OSError):
                self._system.close(descriptor)
        self._descriptors = set()
        self._room = 0

    # Writing

    def write(self, kind: Kind, entries: Sequence[bytes], gap: int = 0) -> Written:
        """Write a file; it is whole and on the disk when this returns, or nothing is left of it.

        Args:
            kind: of the entries. Routine ones are evicted for others, and never the other way round.
            entries: at least one.
            gap: the losses that the entries tell of.
        """
        content = join_frames(entries)
        evicted: list[SpoolFile] = []
        try:
            if not self._make_room(_on_disk(len(content)), kind, evicted):
                return Written(False)
            self._write_file(make_name(kind, len(entries), gap), content)
        except (OSError, SpoolError) as error:
            return Written(False, tuple(evicted), _reason(error))
        return Written(True, tuple(evicted))

    def _write_file(self, name: str, content: bytes, target: str | None = None) -> None:
        partial = self._path_of(name + PARTIAL)
        with self._create(partial) as descriptor:
            try:
                self._system.write(descriptor, content)
                self._system.sync(descriptor)
                self._system.rename(partial, target or self._path_of(name))
            except OSError:
                with contextlib.suppress(OSError):
                    self._system.remove(partial)
                raise
        self._system.sync_directory(self.path)

    @contextlib.contextmanager
    def _create(self, path: str) -> Iterator[int]:
        """Create a file, and hold its lock: what is partial and not locked was left by the dead."""
        try:
            descriptor = self._system.create(path)
        except FileNotFoundError:
            self._system.make_directory(self.path)
            descriptor = self._system.create(path)
        with self._closing(descriptor):
            # Between the two calls another process may take it for such a one, and remove it.
            if self._system.lock(descriptor) is False or not self._system.is_same(descriptor, path):
                raise OSError(errno.EBUSY, "another process has taken the new file")
            yield descriptor

    @contextlib.contextmanager
    def _closing(self, descriptor: int) -> Iterator[int]:
        self._descriptors.add(descriptor)
        try:
            yield descriptor
        finally:
            if descriptor in self._descriptors:  # not in a child that was forked meanwhile
                self._descriptors.discard(descriptor)
                self._system.unlock(descriptor)
                self._system.close(descriptor)

    def _make_room(self, size: int, kind: Kind, evicted: list[SpoolFile]) -> bool:
        """Evict what must go for `size` bytes, and add it to `evicted`; False if nothing helps."""
        if size <= self._room:
            self._room -= size
            return True
        sizes = {entry.name: _on_disk(entry.size) for entry in self._scan()}
        free = self._max_bytes - sum(sizes.values()) - self._size_set_aside()
        files = [file for name in sorted(sizes) if (file := parse_name(name)) is not None]
        candidates = [file for file in files if file.kind is Kind.ROUTINE]
        if kind is not Kind.ROUTINE:
            candidates += [file for file in files if file.kind is not Kind.ROUTINE]
        if free + sum(sizes[file.name] for file in candidates) < size:
            return False
        wanted = size if free >= size else size + self._max_bytes // MARGIN
        for file in candidates:
            if free >= wanted:
                break
            if self._evict(file):
                free += sizes[file.name]
                evicted.append(file)
        self._room = max(0, free - size) // SHARE
        return free >= size

    def _evict(self, file: SpoolFile) -> bool:
        with self.hold(file) as held:
            if held is None:  # it is being sent
                return False
            held.remove()
        return True

    # Reading

    def waiting(self) -> list[SpoolFile]:
        """Return the files that wait, the oldest first; not those of other versions.

        Raises:
            SpoolError: the directory cannot be read.
        """
        with _explained("read"):
            files = [parse_name(entry.name) for entry in self._scan() if not _is_new(entry)]
        return sorted(file for file in files if file is not None)

    def set_aside(self) -> list[SpoolFile]:
        """Return the files that were set aside; raises as `waiting`."""
        with _explained("read"):
            files = [parse_name(entry.name) for entry in self._scan(SET_ASIDE)]
        return sorted(file for file in files if file is not None)

    def foreign(self) -> list[str]:
        """Return the names of all other files there, which are left alone; raises as `waiting`."""
        with _explained("read"):
            return sorted(entry.name for entry in self._scan() if parse_name(entry.name) is None)

    def size(self) -> int:
        """Return the bytes that all files take on the disk; raises as `waiting`."""
        with _explained("read"):
            return sum(_on_disk(entry.size) for entry in self._scan()) + self._size_set_aside()

    @contextlib.contextmanager
    def hold(self, file: SpoolFile, folder: str = "") -> Iterator[HeldFile | None]:
        """Lock a file; None where another one has it, or it is gone.

        Args:
            file: one of `waiting`.
            folder: `SET_ASIDE` for one of `set_aside`.

        Raises:
            SpoolError: it cannot be opened.
        """
        path = self._path_of(folder, file.name)
        try:
            descriptor = self._system.open(path)
        except FileNotFoundError:
            yield None
            return
        except OSError as error:
            raise SpoolError(_explain("read", error)) from None
        with self._closing(descriptor):
            if self._is_free(descriptor, path, file):
                yield HeldFile(file, path, descriptor, self)
            else:
                yield None

    def _is_free(self, descriptor: int, path: str, file: SpoolFile) -> bool:
        is_locked = self._system.lock(descriptor)
        if is_locked is None and file.is_partial:  # it may be written just now
            return False
        return is_locked is not False and self._system.is_same(descriptor, path)

    def _scan(self, folder: str = "") -> Iterator[Entry]:
        return self._system.scan(self._path_of(folder))

    def _size_set_aside(self) -> int:
        return sum(_on_disk(entry.size) for entry in self._scan(SET_ASIDE))

    def _path_of(self, *names: str) -> str:
        return os.path.join(self.path, *names)


class HeldFile:
    """A file that nobody else reads or removes meanwhile. All methods raise `SpoolError`."""

    def __init__(self, file: SpoolFile, path: str, descriptor: int, spool: Spool) -> None:
        self.file = file
        self._path = path
        self._descriptor = descriptor
        self._spool = spool
        self._system = spool._system

    def read(self) -> Contents:
        """Return what is intact."""
        with _explained("read"):
            return split_frames(self._system.read(self._descriptor))

    def remove(self) -> None:
        """Remove it: its entries are stored, or counted as lost."""
        with _explained("removed"), contextlib.suppress(FileNotFoundError):
            self._system.remove(self._path)

    def set_aside(self) -> None:
        """Move it to where it is not sent from; one that is there stays."""
        folder = os.path.join(self._spool.path, SET_ASIDE)
        target = os.path.join(folder, self.file.name)
        with _explained("set aside"):
            self._system.make_directory(folder)
            self._system.rename(self._path, target)

    def replace(self, entries: Sequence[bytes]) -> None:
        """Put other entries in the place of those that are there, as many."""
        # Should this process die, what is left promises nothing that the old file does not have.
        name = make_name(self.file.kind, 0, 0)
        with _explained("written"):
            self._spool._write_file(name, join_frames(entries), self._path)


@contextlib.contextmanager
def _explained(done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SpoolError(_explain(done, error)) from None


def _explain(done: str, error: OSError) -> str:
    return f"a file of the spool cannot be {done} ({_reason(error)})"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error)


def _is_new(entry: Entry) -> bool:
    """Tell whether a file may have been created and not be locked yet: there is nothing in it."""
    file = parse_name(entry.name)
    if file is None or not file.is_partial or entry.size:
        return False
    return time.time() * 1000 - file.written_ms < NEW_MS


def _on_disk(size: int) -> int:
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES
