"""`Spool`: writes files completely or not at all, within a limit, each for one reader at a time."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ..errors import TrackingError
from ..runtime.lifecycle import watch_forks
from .frames import Contents, join_frames, split_frames
from .naming import PARTIAL, Kind, SpoolFile, make_name, parse_name
from .system import Entry, System

__all__ = ["HeldFile", "Spool", "SpoolError", "Written"]

SET_ASIDE = "set-aside"
"""The folder for damaged files and those for which the exporter raises."""
BLOCK_BYTES = 4096
"""The size of a file on disk is counted in multiples of this."""
MARGIN = 64
"""An eviction frees this fraction of the limit at once, because listing a directory takes time."""
SHARE = 256
"""A process uses this fraction of the free room before it lists again: as many others may write too."""
NEW_MS = 3_600_000
"""An empty file is left alone for this long, because it may have just been created."""


_FILE, _DIRECTORY = "a file", "the directory"


class SpoolError(TrackingError):
    """A file of the spool cannot be read, moved or removed. The message quotes no record."""

    fix = (
        "Let TRACKING_SPOOL_DIR name a directory that the user of the app may read and write, "
        "and run this as that user"
    )


class Written(NamedTuple):
    """The result of writing a file."""

    is_written: bool
    evicted: tuple[SpoolFile, ...] = ()
    """The files that were removed to make room, oldest first."""
    error: str | None = None
    """Why it could not be written; None if eviction could not make enough room."""


class Spool:
    """The files of one app. Processes and threads share the directory; no call waits for a lock."""

    def __init__(self, path: str, max_bytes: int, system: System | None = None) -> None:
        """Store the arguments; the directory is created by the first `write`.

        Args:
            path: the directory of the app.
            max_bytes: the limit for its files on disk.
            system: makes the system calls.
        """
        self.path = path
        self._max_bytes = max_bytes
        self.system = system or System()
        """Makes the system calls."""
        self._room = 0
        """The bytes to write before the directory is listed again."""
        self._unsynced: list[str] | None = None
        """The files that `sync` has to wait for; None while each write waits for the disk itself."""
        self._descriptors: set[int] = set()
        watch_forks(self)

    def after_fork_in_child(self) -> None:
        """Close the parent's files, because a lock lasts until the last process has closed the file."""
        for descriptor in self._descriptors:
            with contextlib.suppress(OSError):
                self.system.close(descriptor)
        self._descriptors = set()
        self._room = 0
        self._unsynced = None

    # Writing

    def write(self, kind: Kind, entries: Sequence[bytes], gap: int = 0) -> Written:
        """Write a file. Afterwards it is complete and on the disk, or nothing is left of it.

        After `postpone_syncs` it is complete, and `sync` waits for the disk.

        Args:
            kind: the kind of the entries. Routine files are evicted for others, never the reverse.
            entries: the entries, at least one.
            gap: see `SpoolFile.gap`.
        """
        content = join_frames(entries)
        evicted: list[SpoolFile] = []
        try:
            if not self._make_room(_on_disk(len(content)), kind, evicted):
                return Written(False, tuple(evicted))
            self._write_file(make_name(kind, len(entries), gap), content)
        except (OSError, SpoolError) as error:
            return Written(False, tuple(evicted), _reason(error))
        return Written(True, tuple(evicted))

    def postpone_syncs(self) -> None:
        """Let writes no longer wait for the disk, which `sync` does later for all of them.

        For the end of a process: a busy disk may take seconds for each file, and there is time for few.
        Files that are written but not synced survive the process, though not a loss of power.
        """
        if self._unsynced is None:
            self._unsynced = []

    def sync(self, ends_at: float) -> None:
        """Wait for the files that were written since `postpone_syncs` to be on the disk.

        Args:
            ends_at: the monotonic time after which no further file is waited for.
        """
        unsynced = self._unsynced or []
        with contextlib.suppress(OSError):  # what cannot be synced is written all the same
            if unsynced and time.monotonic() < ends_at:
                self.system.sync_directory(self.path)
        while unsynced and time.monotonic() < ends_at:
            with contextlib.suppress(OSError):
                self._sync_file(unsynced.pop(0))

    def _sync_file(self, path: str) -> None:
        with self._closing(self.system.open(path)) as descriptor:
            self.system.sync(descriptor)

    def _write_file(self, name: str, content: bytes, target: str | None = None) -> None:
        partial, path = self._path_of(name + PARTIAL), target or self._path_of(name)
        unsynced = self._unsynced
        with self._create(partial) as descriptor:
            try:
                self.system.write(descriptor, content)
                if unsynced is None:
                    self.system.sync(descriptor)
                self.system.rename(partial, path)
            except OSError:
                with contextlib.suppress(OSError):
                    self.system.remove(partial)
                raise
        if unsynced is None:
            self.system.sync_directory(self.path)
        else:
            unsynced.append(path)

    @contextlib.contextmanager
    def _create(self, path: str) -> Iterator[int]:
        """Create and lock a file: an incomplete file without a lock was left by a killed process."""
        try:
            descriptor = self.system.create(path)
        except FileNotFoundError:
            self.system.make_directory(self.path)
            descriptor = self.system.create(path)
        with self._closing(descriptor):
            # Between the two calls another process may take it for such a file and remove it.
            if self.system.lock(descriptor) is False or not self.system.is_same(descriptor, path):
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
                self.system.unlock(descriptor)
                self.system.close(descriptor)

    def _make_room(self, size: int, kind: Kind, evicted: list[SpoolFile]) -> bool:
        """Evict files for `size` bytes, and add them to `evicted`; False if there is not enough."""
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
        failure = self._evict_oldest(candidates, sizes, wanted - free, evicted)
        free += sum(sizes[file.name] for file in evicted)
        if free < size and failure is not None:
            raise failure
        self._room = max(0, free - size) // SHARE
        return free >= size

    def _evict_oldest(
        self,
        files: Sequence[SpoolFile],
        sizes: Mapping[str, int],
        wanted: int,
        evicted: list[SpoolFile],
    ) -> SpoolError | None:
        """Evict files until `wanted` bytes are free; return why one stayed, if one did."""
        failure: SpoolError | None = None
        for file in files:
            if wanted <= 0:
                break
            try:
                if self._evict(file):
                    wanted -= sizes[file.name]
                    evicted.append(file)
            except SpoolError as error:  # the next one may be removable
                failure = error
        return failure

    def _evict(self, file: SpoolFile) -> bool:
        with self.hold(file) as held:
            if held is None:  # it is being sent
                return False
            held.remove()
        return True

    def find_obstacle(self) -> str | None:
        """Return why this user cannot write here, as far as that shows without files; None if not."""
        return self.system.find_obstacle(self.path)

    # Reading

    def waiting(self) -> list[SpoolFile]:
        """Return the waiting files, oldest first, without those of other versions.

        Raises:
            SpoolError: the directory cannot be read.
        """
        with _explained("read", _DIRECTORY):
            files = [parse_name(entry.name) for entry in self._scan() if not _is_new(entry)]
        return sorted(file for file in files if file is not None)

    def set_aside(self) -> list[SpoolFile]:
        """Return the files that were set aside. Raises like `waiting`."""
        with _explained("read", _DIRECTORY):
            files = [parse_name(entry.name) for entry in self._scan(SET_ASIDE)]
        return sorted(file for file in files if file is not None)

    def foreign(self) -> list[str]:
        """Return the names of all other files, which are left alone. Raises like `waiting`."""
        with _explained("read", _DIRECTORY):
            return sorted(entry.name for entry in self._scan() if parse_name(entry.name) is None)

    def size(self) -> int:
        """Return the size of all files on disk, in bytes. Raises like `waiting`."""
        with _explained("read", _DIRECTORY):
            return sum(_on_disk(entry.size) for entry in self._scan()) + self._size_set_aside()

    @contextlib.contextmanager
    def hold(self, file: SpoolFile, folder: str = "") -> Iterator[HeldFile | None]:
        """Lock a file; None if it is locked or gone.

        Args:
            file: a file from `waiting`.
            folder: `SET_ASIDE` for a file from `set_aside`.

        Raises:
            SpoolError: the file cannot be opened.
        """
        path = self._path_of(folder, file.name)
        try:
            descriptor = self.system.open(path)
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
        is_locked = self.system.lock(descriptor)
        if is_locked is None and file.is_partial:  # it may be being written
            return False
        return is_locked is not False and self.system.is_same(descriptor, path)

    def _scan(self, folder: str = "") -> Iterator[Entry]:
        try:
            yield from self.system.scan(self._path_of(folder))
        except NotADirectoryError:
            if not folder:
                raise
            # A foreign file has the name of the folder: nothing was set aside.

    def _size_set_aside(self) -> int:
        return sum(_on_disk(entry.size) for entry in self._scan(SET_ASIDE))

    def _path_of(self, *names: str) -> str:
        return os.path.join(self.path, *names)


class HeldFile:
    """A locked file. All methods raise `SpoolError`."""

    def __init__(self, file: SpoolFile, path: str, descriptor: int, spool: Spool) -> None:
        self.file = file
        self._path = path
        self._descriptor = descriptor
        self._spool = spool
        self._system = spool.system

    def read(self) -> Contents:
        """Return the intact entries."""
        with _explained("read"):
            return split_frames(self._system.read(self._descriptor))

    def remove(self) -> None:
        """Remove the file."""
        with _explained("removed"), contextlib.suppress(FileNotFoundError):
            self._system.remove(self._path)

    def set_aside(self) -> None:
        """Move the file to the folder of files that are not sent."""
        folder = os.path.join(self._spool.path, SET_ASIDE)
        target = os.path.join(folder, self.file.name)
        with _explained("set aside"):
            self._system.make_directory(folder)
            self._system.rename(self._path, target)

    def replace(self, entries: Sequence[bytes]) -> None:
        """Replace all entries with as many others, atomically."""
        # If this process dies, the remaining file promises no entries beside those of the old file.
        name = make_name(self.file.kind, 0, 0)
        with _explained("written"):
            self._spool._write_file(name, join_frames(entries), self._path)


@contextlib.contextmanager
def _explained(done: str, what: str = _FILE) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SpoolError(_explain(done, error, what)) from None


def _explain(done: str, error: OSError, what: str = _FILE) -> str:
    return f"{what} of the spool cannot be {done} ({_reason(error)})"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error)


def _is_new(entry: Entry) -> bool:
    """Return whether a file may have been created but not locked yet: it is empty."""
    file = parse_name(entry.name)
    if file is None or not file.is_partial or entry.size:
        return False
    return time.time() * 1000 - file.written_ms < NEW_MS


def _on_disk(size: int) -> int:
    return -(-size // BLOCK_BYTES) * BLOCK_BYTES
