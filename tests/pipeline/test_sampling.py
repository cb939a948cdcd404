"""Which traces are picked: those that OpenTelemetry picks."""

from __future__ import annotations

import random
from typing import Any

import pytest

from flask_tracking.pipeline.sampling import LIMIT, Sampler
from flask_tracking.pipeline.summary import summarise

from ..captures import make_capture, make_record
from ..opentelemetry_sampler import Question, ask

RATES = (0.0, 1e-30, 2**-64, 1e-9, 0.001, 0.01, 1 / 3, 0.5, 0.999, 1 - 2**-53, 1.0)


def make_questions() -> list[Question]:
    """Ask at random, and on both sides of every threshold."""
    randomness = random.Random(20261124)
    questions: list[Question] = []
    for rate in RATES:
        bound = round(rate * LIMIT)
        lower = [
            number for number in (0, bound - 1, bound, bound + 1, LIMIT - 1) if 0 <= number < LIMIT
        ]
        lower += [randomness.getrandbits(64) for _ in range(100)]
        # The upper half of an id must not matter.
        questions += [
            (rate, f"{randomness.getrandbits(63) + 1:016x}{number:016x}", None) for number in lower
        ]
    for _ in range(1000):
        questions.append((randomness.random(), f"{randomness.getrandbits(128) | 1:032x}", None))
    return questions


@pytest.mark.integration
def test_same_traces_as_opentelemetry() -> None:
    """At every rate and on both sides of every threshold the same traces are picked."""
    questions = make_questions()
    ours = [Sampler(rate).picks_trace(trace_id) for rate, trace_id, _ in questions]
    assert ours == ask(questions)
    assert 500 < sum(ours) < len(ours) - 500


def pick(rate: float, header: str | None, *, honours_parent: bool = True) -> bool:
    """Ask about a request with this ``traceparent``."""
    environ = {} if header is None else {"HTTP_TRACEPARENT": header}
    summary = summarise(make_capture(environ=environ, trace=None))
    return Sampler(rate, honours_parent=honours_parent).picks(summary)


@pytest.mark.integration
def test_parent_decides_as_in_opentelemetry() -> None:
    """Where the parent is honoured its sampled flag decides, whatever the rate, as in ParentBased."""
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    questions: list[Question] = [
        (rate, trace_id, flags) for rate in (0.0, 0.5, 1.0) for flags in (0x00, 0x01, 0x02, 0x03, 0xFF)
    ]
    headers = [f"00-{trace_id}-00f067aa0ba902b7-{flags:02x}" for _, _, flags in questions]
    ours = [pick(rate, header) for (rate, _, _), header in zip(questions, headers, strict=True)]
    assert ours == ask(questions)
    assert set(ours) == {True, False}


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
    ],
)
def test_header_that_is_not_valid_decides_nothing(header: str | None) -> None:
    """Without a valid header the rate decides."""
    assert pick(0.0, header) is False
    assert pick(1.0, header) is True


@pytest.mark.parametrize("flags", ["00", "01"])
def test_parent_is_not_honoured_by_default(flags: str) -> None:
    """What a stranger says about sampling is ignored, unless the settings say otherwise."""
    header = f"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}"
    assert pick(0.0, header, honours_parent=False) is False
    assert pick(1.0, header, honours_parent=False) is True


@pytest.mark.parametrize("parts", [{"environ": {"HTTP_TRACEPARENT": "x"}}, {}])
def test_made_ids_are_sampled_at_the_rate(parts: dict[str, Any]) -> None:
    """Ids of our own are random enough: a tenth of them is a tenth."""
    sampler = Sampler(0.1)
    picked = sum(
        sampler.picks_trace(make_record(trace=None, **parts).trace_id or "") for _ in range(4000)
    )
    assert 280 < picked < 520  # six standard deviations
