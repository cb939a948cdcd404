"""The directory: whole files or none, within bounds, for one reader at a time."""

from __future__ import annotations

import errno
import os
import signal
import stat
from pathlib import Path
from unittest import mock

import pytest

from flask_tracking import ConfigError, Settings
from flask_tracking.spool import SET_ASIDE, Kind, Spool, SpoolError, Written, open_spool
from flask_tracking.spool.system import System

from .faulty import FaultySystem, Killed, list_contents

MAX_BYTES = 64 * 1024
KEPT, ROUTINE = Kind.KEPT, Kind.ROUTINE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A directory that is not there yet, in one that is not there either."""
    return tmp_path / "spool" / "shop"


@pytest.fixture
def system() -> FaultySystem:
    return FaultySystem()


@pytest.fixture
def spool(path: Path, system: FaultySystem) -> Spool:
    return Spool(str(path), MAX_BYTES, system)


def read(spool: Spool) -> list[list[bytes]]:
    """Return the entries of each file that waits."""
    contents = []
    for file in spool.waiting():
        with spool.hold(file) as held:
            assert held is not None
            contents.append(held.read().entries)
    return contents


def test_round_trip(spool: Spool) -> None:
    """What is written waits, and is gone once it is removed."""
    assert spool.waiting() == []
    assert spool.write(ROUTINE, [b"a", b"b"], gap=3) == Written(True)
    (file,) = spool.waiting()
    assert (file.entry_count, file.gap, read(spool)) == (2, 3, [[b"a", b"b"]])
    with spool.hold(file) as held:
        assert held is not None
        assert held.read() == held.read() == ([b"a", b"b"], True)
        held.remove()
    assert spool.waiting() == []
    with spool.hold(file) as held:
        assert held is None


def test_nobody_else_may_read(path: Path, spool: Spool) -> None:
    """Directories are the user's alone, and so are files."""
    spool.write(ROUTINE, [b"a"])
    (file,) = path.iterdir()
    modes = [stat.S_IMODE(one.stat().st_mode) for one in (path.parent, path, file)]
    assert modes == [0o700, 0o700, 0o600]


def test_file_is_synced_before_it_has_its_name(spool: Spool, system: FaultySystem) -> None:
    """After a power cut a file is whole, or not there."""
    spool.write(ROUTINE, [b"a"])
    order = [name for name in system.calls if name in ("write", "sync", "rename", "sync_directory")]
    assert order == ["write", "sync", "rename", "sync_directory"]


@pytest.mark.parametrize("call", ["make_directory", "create", "write", "sync", "rename"])
def test_file_that_cannot_be_written(path: Path, spool: Spool, system: FaultySystem, call: str) -> None:
    """Nothing is left of it, and the reason is told."""
    system.errors[call] = OSError(errno.EROFS, os.strerror(errno.EROFS))
    assert spool.write(ROUTINE, [b"a"]) == Written(False, error="Read-only file system")
    assert list_contents(path) == {}
    system.errors.clear()
    assert spool.write(ROUTINE, [b"a"]).is_written


def test_full_disk(path: Path, spool: Spool, system: FaultySystem) -> None:
    """What is on a full disk stays, and what does not fit leaves nothing behind."""
    spool.write(ROUTINE, [b"a"])
    before = list_contents(path)
    system.disk.free_bytes = 10
    assert spool.write(ROUTINE, [b"b" * 100]).error == "No space left on device"
    assert list_contents(path) == before


def fill(spool: Spool, *kinds: Kind) -> list[Written]:
    """Write a file of a sixth of the bound for each kind."""
    return [spool.write(kind, [bytes([at]) * 10_000]) for at, kind in enumerate(kinds)]


def kinds_of(spool: Spool) -> list[Kind]:
    """Return the kinds of what waits."""
    return sorted((file.kind for file in spool.waiting()), key=lambda kind: kind.value)


def test_oldest_routine_records_go_first(spool: Spool) -> None:
    """Past the bound routine files go, the oldest first, whatever comes."""
    fill(spool, KEPT, ROUTINE, ROUTINE, KEPT, ROUTINE)
    files = spool.waiting()
    (written,) = fill(spool, ROUTINE)
    oldest = next(file for file in files if file.kind is ROUTINE)
    assert written == Written(True, (oldest,))
    assert fill(spool, KEPT)[0].evicted[0].kind is ROUTINE


def test_kept_ones_go_last(spool: Spool) -> None:
    """Where only kept records are left the oldest of them makes room for one, but not for routine."""
    fill(spool, *[KEPT] * 5)
    oldest = spool.waiting()[0]
    assert fill(spool, ROUTINE) == [Written(False)]
    assert kinds_of(spool) == [KEPT] * 5
    assert fill(spool, KEPT) == [Written(True, (oldest,))]
    assert kinds_of(spool) == [KEPT] * 5


def test_what_is_larger_than_the_bound(spool: Spool) -> None:
    """Nothing is evicted for what does not fit in any case."""
    fill(spool, ROUTINE, ROUTINE)
    assert spool.write(KEPT, [b"a" * MAX_BYTES]) == Written(False)
    assert len(spool.waiting()) == 2


def test_bound_holds(path: Path, system: FaultySystem) -> None:
    """However many write, what they have written takes no more than the bound on the disk."""
    spools = [Spool(str(path), MAX_BYTES, FaultySystem()) for _ in range(4)]
    for at in range(100):
        spools[at % 4].write(KEPT if at % 3 else ROUTINE, [b"a" * (at * 37 % 9000)])
        sizes = [-(-len(content) // 4096) * 4096 for content in list_contents(path).values()]
        assert sum(sizes) <= MAX_BYTES


@pytest.mark.repeats
def test_bound_of_many_processes(path: Path) -> None:
    """Each process uses a share of the room before it looks again; together they stay within it."""
    limit = 2**20
    processes = [Spool(str(path), limit) for _ in range(32)]
    for _ in range(10):
        for process in processes:
            process.write(ROUTINE, [b"a" * 3000])
            assert process.size() <= limit


@pytest.mark.parametrize("name", [SET_ASIDE, "rollups"])
def test_foreign_file_with_the_name_of_a_folder(spool: Spool, path: Path, name: str) -> None:
    """It is left alone, and records are spooled beside it."""
    path.mkdir(parents=True)
    (path / name).write_text("mine")
    assert spool.write(ROUTINE, [b"a"]).is_written
    assert (spool.set_aside(), spool.foreign()) == ([], [name])
    assert len(spool.waiting()) == 1


def test_what_is_sent_is_not_evicted(spool: Spool, path: Path) -> None:
    """A file that somebody has in hand is not counted as lost."""
    fill(spool, *[ROUTINE] * 5)
    oldest, second = spool.waiting()[:2]
    with Spool(str(path), MAX_BYTES).hold(oldest) as held:
        assert held is not None
        assert fill(spool, ROUTINE)[0].evicted == (second,)


def test_eviction_that_is_not_enough(spool: Spool, path: Path) -> None:
    """What was evicted is told also where another file that should go is being sent."""
    fill(spool, *[ROUTINE] * 5)
    *evicted, last = spool.waiting()
    with Spool(str(path), MAX_BYTES).hold(last) as held:
        assert held is not None
        assert spool.write(ROUTINE, [b"a" * 60_000]) == Written(False, tuple(evicted))


def test_one_reader_at_a_time(spool: Spool, path: Path) -> None:
    """A file that is held is not lent to another one, of this process or not."""
    spool.write(ROUTINE, [b"a"])
    (file,) = spool.waiting()
    other = Spool(str(path), MAX_BYTES)
    with spool.hold(file) as held, other.hold(file) as second:
        assert held is not None and second is None
    with other.hold(file) as second:
        assert second is not None


def test_file_that_is_being_written(spool: Spool, path: Path, system: FaultySystem) -> None:
    """What another one is writing is left alone; what a killed process has left is not."""
    other = FaultySystem()
    other.calls_left = 6  # within the write
    seen = []

    class Slow(FaultySystem):
        def sync(self, descriptor: int) -> None:
            (file,) = spool.waiting()
            with spool.hold(file) as held:
                seen.append((file.is_partial, held))

    Spool(str(path), MAX_BYTES, Slow()).write(ROUTINE, [b"a"])
    assert seen == [(True, None)]
    with spool.hold(spool.waiting()[0]) as held:
        assert held is not None
        held.remove()
    with pytest.raises(Killed):
        Spool(str(path), MAX_BYTES, other).write(ROUTINE, [b"a" * 100, b"b" * 100])
    (file,) = spool.waiting()
    with spool.hold(file) as held:
        assert held is not None and file.is_partial
        assert not held.read().is_whole


def test_new_file_is_left_alone(spool: Spool, path: Path) -> None:
    """Before it is locked there is nothing in it; one that is old was left by a killed process."""
    spool.write(ROUTINE, [b"a"])
    (file,) = spool.waiting()
    (path / f"{file.name}.tmp").touch()
    old = path / f"{file.written_ms - 3_600_001}-0123456789ab.kept.2+0.v1.tmp"
    old.touch()
    assert [one.name for one in spool.waiting()] == [old.name, file.name]


def test_new_file_that_another_one_removes(spool: Spool, path: Path, system: FaultySystem) -> None:
    """Between creating a file and locking it another process may take it for that of a dead one."""
    path.mkdir(parents=True)

    def remove(descriptor: int) -> bool:
        for file in path.iterdir():
            file.unlink()
        return True

    system.lock = remove  # type: ignore[method-assign]
    written = spool.write(ROUTINE, [b"a"])
    assert written == Written(False, error="another process has taken the new file")


def test_file_system_without_locks(path: Path, spool: Spool) -> None:
    """Files are read without a lock, for sending one twice does no harm; partial ones are not."""

    class Lockless(System):
        def lock(self, descriptor: int) -> None:
            return None

    spool.write(ROUTINE, [b"a"])
    (file,) = spool.waiting()
    partial = path / f"{file.name}.tmp"
    partial.write_bytes(b"x")
    lockless = Spool(str(path), MAX_BYTES, Lockless())
    lent = []
    for one in lockless.waiting():
        with lockless.hold(one) as held:
            lent.append((one.is_partial, held is not None))
    assert lent == [(False, True), (True, False)]


def test_set_aside(spool: Spool, path: Path) -> None:
    """What is set aside is kept and does not wait any more; it takes of the room."""
    fill(spool, ROUTINE)
    (file,) = spool.waiting()
    with spool.hold(file) as held:
        assert held is not None
        held.set_aside()
    assert (spool.waiting(), spool.set_aside()) == ([], [file])
    with spool.hold(file, SET_ASIDE) as held:
        assert held is not None and held.read().is_whole
    fill(spool, *[KEPT] * 6)
    assert len(spool.waiting()) == 4
    assert spool.set_aside() == [file]


def test_replace(spool: Spool, path: Path) -> None:
    """A file gets other entries at once or not at all, and whoever has it open notices."""
    spool.write(ROUTINE, [b"a", b"b"])
    (file,) = spool.waiting()
    with spool.hold(file) as held:
        assert held is not None
        held.replace([b"c", b"d"])
    assert spool.waiting() == [file]
    assert read(spool) == [[b"c", b"d"]]


@pytest.mark.parametrize("calls", range(12))
def test_replace_that_is_killed(spool: Spool, path: Path, calls: int) -> None:
    """Wherever the process is killed, the old entries are there or the new ones."""
    spool.write(ROUTINE, [b"a"])
    (file,) = spool.waiting()
    system = FaultySystem()
    system.calls_left = calls
    dying = Spool(str(path), MAX_BYTES, system)
    try:
        with dying.hold(file) as held:
            assert held is not None
            held.replace([b"b"])
    except Killed:
        pass
    wholes = [one for one in spool.waiting() if not one.is_partial]
    assert wholes == [file]
    with spool.hold(file) as held:
        assert held is not None
        assert held.read() in [([b"a"], True), ([b"b"], True)]
    assert sum(one.entry_count for one in spool.waiting()) == 1


def test_foreign_files(spool: Spool, path: Path) -> None:
    """What is not the spool's stays as it is, and is told."""
    spool.write(ROUTINE, [b"a"])
    newer = spool.waiting()[0].name.replace(".v1", ".v2")
    for name in ("README", newer):
        (path / name).write_bytes(b"hello")
    (path / "folder").mkdir()
    (path / "link").symlink_to("README")
    assert len(spool.waiting()) == 1
    assert spool.foreign() == sorted(["README", newer])


def test_directory_that_cannot_be_read(path: Path, spool: Spool, system: FaultySystem) -> None:
    """What the system says is told."""
    system.errors["scan"] = OSError(errno.EACCES, os.strerror(errno.EACCES))
    with pytest.raises(SpoolError, match=r"cannot be read \(Permission denied\)"):
        spool.waiting()
    assert spool.write(ROUTINE, [b"a"]) == Written(False, error="Permission denied")


@pytest.mark.integration
def test_fork_leaves_locks_to_the_parent(spool: Spool, path: Path) -> None:
    """A child that lives on does not keep a file locked, nor does it unlock it for others."""
    spool = Spool(str(path), MAX_BYTES)
    spool.write(ROUTINE, [b"a"])
    (file,) = spool.waiting()
    told, tell = os.pipe()
    with spool.hold(file) as held:
        assert held is not None
        child = os.fork()
        if child == 0:
            with Spool(str(path), MAX_BYTES).hold(file) as second:
                os.write(tell, b"free" if second else b"held")
            signal.pause()
        assert os.read(told, 4) == b"held"
    with Spool(str(path), MAX_BYTES).hold(file) as second:
        assert second is not None
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(told)
    os.close(tell)


def test_apps_have_folders_of_their_own(tmp_path: Path) -> None:
    """Apps that share the directory do not send each other's records."""
    settings = Settings(spool_dir=str(tmp_path))
    other = Settings(spool_dir=str(tmp_path), collection="other")
    names = ["shop", "blog", "../shop", "shöp", "shop/../blog", ""]
    paths = {getattr(open_spool(settings, name), "path", None) for name in names}
    paths.add(getattr(open_spool(other, "shop"), "path", None))
    for uri in ("mongodb://a,b:1/bank?w=1", "mongodb+srv://u:p@a/shop/../bank", "mongodb://a/?w=1"):
        settings = Settings(spool_dir=str(tmp_path), mongodb_uri=uri)
        paths.add(getattr(open_spool(settings, "shop"), "path", None))
    assert len(paths) == len(names) + 3  # the last URI names no database, like no URI
    assert all(path is not None and Path(path).parent == tmp_path for path in paths)
    assert open_spool(Settings(), "shop") is None


def test_relative_directory() -> None:
    """Where it is does not depend on where the process was started."""
    with pytest.raises(ConfigError, match="absolute path"):
        Settings.from_mapping({"TRACKING_SPOOL_DIR": "spool"})


def test_link_that_leads_nowhere(tmp_path: Path) -> None:
    """Its disk is not mounted: that is an error like others, and nothing is written."""
    (tmp_path / "spool").symlink_to(tmp_path / "mnt")
    spool = Spool(str(tmp_path / "spool" / "shop"), MAX_BYTES)
    assert spool.write(ROUTINE, [b"a"]) == Written(False, (), os.strerror(errno.ENOENT))
    (tmp_path / "mnt").mkdir()
    assert spool.write(ROUTINE, [b"a"]) == Written(True)


def test_full_with_a_file_that_cannot_be_opened(spool: Spool, system: FaultySystem) -> None:
    """A file of another user stays, and the next one makes room instead."""
    entries = [b"x" * 15_000]
    for _ in range(4):
        assert spool.write(ROUTINE, entries) == Written(True)
    first, second, *_ = spool.waiting()
    real_open = system.open

    def open_(path: str) -> int:
        if path.endswith(first.name):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real_open(path)

    with mock.patch.object(system, "open", open_):
        written = spool.write(ROUTINE, entries)
    assert written.is_written and written.evicted[0] == second
    assert first in spool.waiting()
    system.errors["remove"] = PermissionError(errno.EACCES, "Permission denied")
    written = [spool.write(ROUTINE, entries) for _ in range(4)][-1]
    assert written == Written(False, (), "a file of the spool cannot be removed (Permission denied)")
