"""Observations of a request from outside, rules for what may differ between runs, and their comparison.

`normalise` is the whole list of what may differ between two runs of one request, and nothing else may.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

__all__ = [
    "OFF_AND_ON",
    "RULES",
    "TWICE",
    "Answer",
    "Observation",
    "Rule",
    "Sides",
    "first_difference",
    "normalise",
]

Lines = dict[str, str]
"""What was observed, by its place."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One response as it reached the client."""

    status: str
    """The status line."""
    headers: tuple[tuple[str, str], ...] = ()
    """Every header in its order, names as they were written."""
    chunks: tuple[bytes, ...] = ()
    """The body, in the pieces that can be told apart."""


@dataclass(frozen=True, slots=True)
class Observation:
    """All that one exchange showed to the client, to the app and to whoever reads the log."""

    answers: tuple[Answer, ...] = ()
    fate: str = ""
    """The end of the connection, or the exception that the app raised."""
    journal: tuple[str, ...] = ()
    """Events in the app, in order: signals, teardowns, reads, closes."""
    log: tuple[str, ...] = ()
    """Log output, with tracebacks."""


class Sides(NamedTuple):
    """The names of the two observations in the text of a difference."""

    words: tuple[str, str]
    """At the beginning of a line."""
    phrases: tuple[str, str]
    """In a sentence."""


OFF_AND_ON = Sides(("off", "on"), ("with tracking off", "with it on"))
TWICE = Sides(("once", "then"), ("the first time", "the second time"))


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that may differ from run to run."""

    name: str
    place: str
    """``header`` (the whole line), ``body`` (a chunk, read as Latin-1) or ``log`` (an entry)."""
    pattern: re.Pattern[str]
    mask: str | Callable[[re.Match[str]], str]

    def apply(self, text: str) -> str:
        """Put the mask where the pattern matches."""
        return self.pattern.sub(self.mask, text)


def _rule(name: str, place: str, pattern: str, mask: str) -> Rule:
    return Rule(name, place, re.compile(pattern, re.MULTILINE), mask)


_FRAME_OF_OURS = (
    r'^ +File "[^"\n]*[/\\]flask_tracking[/\\][^"\n]*", line \d+.*\n'
    r"(?:    [^\n]*(?:\n|\Z))*?(?= +File |\S|\Z)"
)

RULES: tuple[Rule, ...] = (
    _rule("the date", "header", r"^(Date: ).*", r"\1<date>"),
    _rule("when a cookie expires", "header", r"^(Set-Cookie: .*?; Expires=)[^;]*", r"\1<date>"),
    _rule("the debugger's secret", "body", r'(SECRET = "|[?&;]s=)[A-Za-z0-9]{20}', r"\1<secret>"),
    _rule("the debugger's ids of frames", "body", r"(frame-|tb-|TRACEBACK = )-?\d{6,}", r"\1<id>"),
    # Python 3.10 cannot drop them.
    *(
        [_rule("frames of flask_tracking", "log", _FRAME_OF_OURS, "")]
        if sys.version_info < (3, 11)
        else []
    ),
    _rule("times", "log", r"\[?\b\d\d/\w{3}/\d{4}[: ]\d\d:\d\d:\d\d( [+-]\d{4})?\]?", "<time>"),
    _rule("times", "log", r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d([.,]\d+)?Z?( ?[+-]\d{4})?", "<time>"),
    _rule("times", "log", r"\b\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4}", "<time>"),
    _rule("durations", "log", r"\b(in|after) \d+ (msecs|micros|seconds)\b", r"\1 <n> \2"),
    _rule("uWSGI's switches", "log", r"\(\d+ switches on core \d+\)", "(<n> switches)"),
    _rule("process ids", "log", r"(?i)(\bpids?\b[:= ]*)\d+", r"\1<pid>"),
    _rule("process ids", "log", r"(?i)(\b(?:server )?process \[)\d+", r"\1<pid>"),
    _rule("process ids", "log", r"^((?:<time>|\S+) )?\[\d+\] ", r"\1[<pid>] "),
    _rule("ports", "log", r"(\b127\.0\.0\.1(?::|', ?))\d+", r"\1<port>"),
    _rule("process ids", "log", r"(127\.0\.0\.1:<port> \()\d+(?=\)$)", r"\1<pid>"),
    _rule("addresses in memory", "log", r"\b0x[0-9a-f]{6,}", "<address>"),
)
"""Values that may differ, in the order in which they are masked."""


def _mask(place: str, text: str) -> str:
    for rule in RULES:
        if rule.place == place:
            text = rule.apply(text)
    return text


def _mask_header(name: str, value: str) -> tuple[str, str]:
    masked = _mask("header", f"{name.title()}: {value}").partition(": ")[2]
    return name, masked


def normalise(observation: Observation) -> Observation:
    """Mask all that may differ between two runs of one request; nothing else may."""
    answers = [
        Answer(
            answer.status,
            tuple(_mask_header(*header) for header in answer.headers),
            tuple(_mask("body", chunk.decode("latin-1")).encode("latin-1") for chunk in answer.chunks),
        )
        for answer in observation.answers
    ]
    log = tuple(_mask("log", entry) for entry in observation.log)
    return dataclasses.replace(observation, answers=tuple(answers), log=log)


def first_difference(off: Observation, on: Observation, sides: Sides = OFF_AND_ON) -> str | None:
    """Say readably where two observations first differ, after `normalise`; None when they are equal.

    Args:
        off: what was seen without tracking.
        on: what was seen with it.
        sides: the names of both.
    """
    for describe, left, right in _pair(normalise(off), normalise(on)):
        for place in {**left, **right}:
            texts = left.get(place), right.get(place)
            if texts[0] != texts[1]:
                return describe(place, texts, sides)
    return None


Texts = tuple[str | None, str | None]


def _pair(
    off: Observation, on: Observation
) -> Iterator[tuple[Callable[[str, Texts, Sides], str], Lines, Lines]]:
    """Yield what belongs together, in the order in which it is compared."""
    answers = zip_longest(off.answers, on.answers)
    for number, (one, other) in enumerate(answers, 1):
        of = f" of answer {number}"
        left, right = one or _no_answer(off), other or _no_answer(on)
        yield _describe, {f"status{of}": left.status}, {f"status{of}": right.status}
        # By name first: a header that only one side has would move those behind it.
        yield _describe_header, _by_name(left, number), _by_name(right, number)
        yield _describe, _list_headers(left, of), _list_headers(right, of)
        yield _describe, _list_body(left, of), _list_body(right, of)
    yield _describe, {"fate": off.fate}, {"fate": on.fate}
    yield _describe, _number("journal", off.journal), _number("journal", on.journal)
    yield _describe, _number("log", off.log), _number("log", on.log)


def _no_answer(observation: Observation) -> Answer:
    """Stand in for an answer that is missing, and say how the exchange ended instead."""
    return Answer(f"(no answer: {observation.fate or 'nothing came'})")


def _by_name(answer: Answer, number: int) -> Lines:
    found: Lines = {}
    of = f" of answer {number}" if number > 1 else ""
    for name, value in answer.headers:
        place = f"header {name}{of}"
        found[place] = f"{found[place]}, {value!r}" if place in found else repr(value)
    return found


def _list_headers(answer: Answer, of: str) -> Lines:
    named = enumerate(answer.headers, 1)
    return {f"header {at}{of}": f"{name}: {value}" for at, (name, value) in named}


def _list_body(answer: Answer, of: str) -> Lines:
    chunks = {f"chunk {at}{of}": _show(chunk) for at, chunk in enumerate(answer.chunks, 1)}
    return {f"body{of}": _show(b"".join(answer.chunks)), **chunks}


def _show(data: bytes) -> str:
    return f"{len(data)} bytes: {data!r}"


def _number(place: str, entries: Sequence[str]) -> Lines:
    return {f"{place}, entry {number}": entry for number, entry in enumerate(entries, 1)}


def _describe(place: str, texts: Texts, sides: Sides) -> str:
    left, right = ("(nothing more)" if one is None else one for one in texts)
    room = max(map(len, sides.words))
    shown = zip(sides.words, (_abridge(left, right), _abridge(right, left)), strict=True)
    return "\n".join([place, *(f"  {word:<{room}}  {text}" for word, text in shown)])


def _describe_header(place: str, texts: Texts, sides: Sides) -> str:
    left, right = ("missing" if one is None else one for one in texts)
    first, second = sides.phrases
    return f"{place}: {_abridge(left, right)} {first}, {_abridge(right, left)} {second}"


def _abridge(text: str, other: str, room: int = 300) -> str:
    """Cut `text` to the surroundings of its first difference from `other`."""
    if len(text) <= room:
        return text or "(nothing)"
    pairs = enumerate(zip_longest(text, other))
    differs_at = next((at for at, (one, two) in pairs if one != two), 0)
    start = max(0, differs_at - room // 2)
    return ("..." if start else "") + text[start : start + room] + "..."
