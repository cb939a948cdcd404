"""What is ours costs the app nothing, and says so once a minute."""

from __future__ import annotations

import logging
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from flask_tracking.runtime import guard
from flask_tracking.runtime.guard import (
    call_foreign,
    drop_own_frame,
    failures,
    harmless,
    report_failure,
    try_foreign,
    warn_rarely,
)

SECRET = "hunter2"


class Clock:
    """A clock that goes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Stand in for ``time.monotonic``."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the guard."""
    clock = Clock()
    monkeypatch.setattr(guard, "monotonic", clock.monotonic)
    return clock


class RaisingHandler(logging.Handler):
    """A log handler with a bug."""

    def emit(self, record: logging.LogRecord) -> None:
        """Raise."""
        raise OSError("the log's disk is full")


@pytest.fixture
def raising_handler() -> Iterator[None]:
    """Let everything that is logged on ``flask_tracking`` raise."""
    handler = RaisingHandler()
    guard.logger.addHandler(handler)
    yield
    guard.logger.removeHandler(handler)


def fail(message: str = SECRET) -> str:
    """Raise an error that quotes a secret, as foreign code does."""
    raise ValueError(f"cannot read {message}")


def fail_because() -> str:
    """Raise an error that has another one as its cause."""
    try:
        return fail()
    except ValueError as error:
        raise LookupError(f"no {SECRET}") from error


@harmless("doing the work")
def work(first: int, second: int = 2) -> int:
    """Divide."""
    return first // second


def test_harmless_returns_what_the_function_returns() -> None:
    """A function that does not raise is as it was: arguments, result, name and docstring."""
    assert work(10) == 5
    assert work(first=12, second=3) == 4
    assert (work.__name__, work.__doc__) == ("work", "Divide.")
    assert not failures


def test_harmless_returns_none_instead_of_raising(caplog: pytest.LogCaptureFixture) -> None:
    """A function that raises returns None; that is counted, and one line says what and where."""
    assert work(1, 0) is None

    assert failures == {"doing the work": 1}
    assert [record.getMessage() for record in caplog.records] == [
        "doing the work failed with ZeroDivisionError"
    ]
    assert [(record.name, record.levelname) for record in caplog.records] == [
        ("flask_tracking", "WARNING")
    ]
    assert "in work" in caplog.text


def test_call_foreign_returns_what_the_callable_returns() -> None:
    """A callable that does not raise gives its result, a None included, and counts nothing."""
    assert call_foreign("a test", divmod, 7, 2, default=None) == (3, 1)
    assert call_foreign("a test", dict[str, str]().get, "missing", default="default") is None
    assert not failures


def test_call_foreign_returns_the_default_instead_of_raising(caplog: pytest.LogCaptureFixture) -> None:
    """A callable that raises gives the default; that is counted, and one line says what and where."""
    assert call_foreign("repr() of an object", fail, default="<unreadable>") == "<unreadable>"

    assert failures == {"repr() of an object": 1}
    assert [record.getMessage() for record in caplog.records] == [
        "repr() of an object failed with ValueError"
    ]
    assert "in fail" in caplog.text


def test_try_foreign_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    """What is expected to raise gives the default, and is neither logged nor counted."""
    assert try_foreign(len, "abc", default=None) == 3
    assert try_foreign(fail, default="instead") == "instead"
    assert caplog.records == []
    assert not failures


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_try_foreign_lets_base_exceptions_pass(error: type[BaseException]) -> None:
    """What belongs to the app and its server passes through."""

    def leave() -> None:
        raise error

    with pytest.raises(error):
        try_foreign(leave, default=None)


@pytest.mark.parametrize("failing", [fail, fail_because])
def test_message_of_the_error_is_never_logged(
    caplog: pytest.LogCaptureFixture, failing: Callable[[], str]
) -> None:
    """Neither the log line nor the traceback beneath it quotes the foreign message, or its cause's."""
    call_foreign("a callback", failing, default=None)
    harmless("our own work")(failing)()

    assert len(caplog.records) == 2
    assert all(record.exc_info for record in caplog.records)
    assert SECRET not in caplog.text
    assert "Traceback (most recent call last)" in caplog.text
    assert "the message may quote a value, so it is not shown" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, BaseException])
def test_base_exceptions_pass(caplog: pytest.LogCaptureFixture, error: type[BaseException]) -> None:
    """What ends a process, a thread or a greenlet belongs to the app and passes through unlogged."""

    def leave() -> None:
        raise error

    with pytest.raises(error):
        harmless("doing the work")(leave)()
    with pytest.raises(error):
        call_foreign("a callback", leave, default=None)

    assert not failures
    assert not caplog.records


def test_one_line_a_minute(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    """A kind of failure is logged once a minute and counted every time."""
    for _ in range(100):
        work(1, 0)
        clock.now += 0.5
    assert len(caplog.records) == 1

    clock.now = 1059.9
    work(1, 0)
    assert len(caplog.records) == 1

    clock.now = 1060.0
    work(1, 0)
    work(1, 0)
    assert len(caplog.records) == 2
    assert failures == {"doing the work": 103}


def test_minute_begins_anew_with_each_line(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    """The minute counts from the last line that was logged, not from the last failure."""
    for now in (1000.0, 1030.0, 1059.0, 1061.0, 1119.0, 1121.0):
        clock.now = now
        warn_rarely("key", "%s", now)

    assert [record.getMessage() for record in caplog.records] == ["1000.0", "1061.0", "1121.0"]


def test_clock_that_starts_at_zero(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    """Right after the machine has started the first line is logged as well."""
    clock.now = 0.0

    warn_rarely("key", "first")
    warn_rarely("key", "second")

    assert [record.getMessage() for record in caplog.records] == ["first"]


def test_kinds_do_not_silence_each_other(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    """Each kind of failure has a minute of its own."""
    call_foreign("one callback", fail, default=None)
    call_foreign("another callback", fail, default=None)
    call_foreign("one callback", fail, default=None)

    assert [record.getMessage() for record in caplog.records] == [
        "one callback failed with ValueError",
        "another callback failed with ValueError",
    ]
    assert failures == {"one callback": 2, "another callback": 1}


def test_warn_rarely_logs_a_line_without_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """A line that is no failure has its arguments, its level and no traceback, and counts nothing."""
    warn_rarely("queue", "%d of %s dropped", 3, "many", level=logging.ERROR)

    (record,) = caplog.records
    assert record.getMessage() == "3 of many dropped"
    assert record.levelno == logging.ERROR
    assert record.exc_info is None
    assert not failures


def test_error_that_was_never_raised_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """An error without a traceback is reported by its type alone."""
    report_failure("a callback", ValueError(SECRET))

    assert [record.getMessage() for record in caplog.records] == ["a callback failed with ValueError"]
    assert SECRET not in caplog.text
    assert failures == {"a callback": 1}


@pytest.mark.usefixtures("raising_handler")
def test_raising_log_handler_harms_nothing() -> None:
    """A log handler that raises costs the line: the default is returned, and the handler counted."""
    assert call_foreign("a callback", fail, default="default") == "default"
    assert work(1, 0) is None
    warn_rarely("key", "text")

    assert failures == {"a callback": 1, "doing the work": 1, "a log handler": 3}


@pytest.mark.usefixtures("raising_handler")
def test_raising_log_handler_is_not_asked_again_within_the_minute(clock: Clock) -> None:
    """A log handler that raises is spared for the minute as well."""
    for _ in range(5):
        call_foreign("a callback", fail, default=None)
    clock.now += 60
    call_foreign("a callback", fail, default=None)

    assert failures == {"a callback": 6, "a log handler": 2}


def test_line_with_wrong_arguments_harms_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A line that cannot be formatted is lost without an error, as logging is set up to do."""
    monkeypatch.setattr(logging, "raiseExceptions", False)

    warn_rarely("key", "%d", "not a number")
    warn_rarely("another key", "text")

    assert caplog.records[-1].getMessage() == "text"


def test_switched_off_log_counts_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures are counted whether or not anybody listens to the log."""
    monkeypatch.setattr(guard.logger, "disabled", True)

    work(1, 0)

    assert failures == {"doing the work": 1}


@pytest.mark.skipif(sys.version_info < (3, 11), reason="a bare raise restores the traceback there")
def test_own_frame_is_dropped() -> None:
    """An exception that is raised again shows the frames before and after, and is the same object."""
    error = ValueError("no")

    def inner() -> None:
        raise error

    def ours() -> None:
        try:
            inner()
        except ValueError:
            drop_own_frame()
            raise

    with pytest.raises(ValueError) as caught:
        ours()

    assert caught.value is error
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert names == ["test_own_frame_is_dropped", "inner"]


def test_no_frame_to_drop() -> None:
    """Without an exception there is nothing to drop."""
    drop_own_frame()


def test_failures_of_one_app() -> None:
    """What fails while an app is served is counted for it, too, and for no other."""
    ours, others = Counter[str](), Counter[str]()
    with guard.counting(ours):
        guard.call_foreign("a callback", lambda: 1 // 0, default=None)
        with guard.counting(others):
            guard.report_failure("the other's", ValueError())
        guard.call_foreign("a callback", lambda: 1 // 0, default=None)
    guard.call_foreign("nobody's", lambda: 1 // 0, default=None)
    assert (ours, others) == ({"a callback": 2}, {"the other's": 1})
    assert failures == {"a callback": 2, "the other's": 1, "nobody's": 1}


def test_whose_a_failure_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who knows what is being served is asked once something fails; the first who knows decides."""
    asked: list[str] = []
    ours, others = Counter[str](), Counter[str]()
    monkeypatch.setattr(guard, "_lookups", [])
    guard.attribute_by(lambda: asked.append("first"))
    guard.attribute_by(lambda: ours)
    guard.attribute_by(lambda: others)
    guard.call_foreign("a callback", lambda: None, default=None)
    assert asked == []
    guard.call_foreign("a callback", lambda: 1 // 0, default=None)
    assert (asked, ours, others) == (["first"], {"a callback": 1}, {})
    with guard.counting(others):
        guard.call_foreign("a callback", lambda: 1 // 0, default=None)
    assert (asked, others) == (["first"], {"a callback": 1})
