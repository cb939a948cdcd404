"""All checks in their order. A new one is a function and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

from ..errors import ExportError, NoDatabaseError, TrackingError
from ..exporters.store import Problem
from .delivery import check_drops, check_lag
from .process import check_capture, check_settings, check_speed, check_threads
from .records import check_proxy, check_records, check_secrets
from .storage import check_spool, check_store
from .subject import Findings, Subject, Unknown

Level = Literal["ok", "warning", "error", "skipped"]


class Check(NamedTuple):
    """One thing to look at."""

    name: str
    run: Callable[[Subject], Findings]
    reads_store: bool = False
    """True where it is skipped if the store does not answer, or there is none."""
    clear: str = ""
    """What is in order if nothing is found."""


CHECKS: Sequence[Check] = (
    Check("store", check_store),
    Check("spool", check_spool),
    Check("settings", check_settings, clear="as they were when the app was tracked"),
    Check("capture", check_capture, clear="requests pass through it"),
    Check("threads", check_threads, reads_store=True, clear="the server lets them run"),
    Check("records", check_records, reads_store=True),
    Check("drops", check_drops, reads_store=True, clear="no record was lost in the last three hours"),
    Check("lag", check_lag, reads_store=True, clear="no process is behind"),
    Check("proxy", check_proxy, reads_store=True, clear="no record has a proxy's address as its `ip`"),
    Check("secrets", check_secrets, reads_store=True, clear="none in the newest records"),
    Check("speed", check_speed, clear="native code is installed"),
)


class Checked(NamedTuple):
    """The findings of a check."""

    name: str
    problems: tuple[Problem, ...] = ()
    facts: tuple[str, ...] = ()
    """Facts that are not problems, a line each."""
    is_skipped: bool = False
    """True if the check cannot tell, for example without a store that answers; `facts` say why."""

    @property
    def level(self) -> Level:
        """The level of the worst problem."""
        if self.is_skipped:
            return "skipped"
        levels = {problem.level for problem in self.problems}
        return "error" if "error" in levels else "warning" if levels else "ok"


def examine(subject: Subject, checks: Sequence[Check] = CHECKS) -> Iterator[Checked]:
    """Run the checks in their order, and change nothing.

    Args:
        subject: the app and its store.
        checks: the checks.

    Returns:
        What each found, as soon as it is known.
    """
    missing = "there is no store" if subject.store is None else ""
    for check in checks:
        if missing and check.reads_store:
            yield Checked(check.name, facts=(missing,), is_skipped=True)
            continue
        findings: list[Problem | str] = []
        try:
            findings += check.run(subject)
        except TrackingError as error:
            if isinstance(error, (ExportError, NoDatabaseError)):
                missing = "the store does not answer"
            findings.append(Problem("error", str(error).removesuffix("."), error.fix))
        if not findings and check.clear:
            findings.append(check.clear)
        yield _sum_up(check.name, findings)


def _sum_up(name: str, findings: Sequence[Problem | str]) -> Checked:
    problems = tuple(one for one in findings if isinstance(one, Problem))
    is_skipped = not problems and any(isinstance(one, Unknown) for one in findings)
    facts = tuple(one for one in findings if isinstance(one, str))
    return Checked(name, problems, facts, is_skipped)
