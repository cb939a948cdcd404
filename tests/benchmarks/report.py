"""The ratios and the table: what is added to bare, as a share of what OpenTelemetry adds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tests.benchmarks.subject import Cost
from tests.benchmarks.traffic import KINDS

Round = Mapping[str, Mapping[str, Cost]]
"""The costs of one round, by variant and kind of request."""


class Metric(NamedTuple):
    """One thing that is measured, and how much of what OpenTelemetry adds we may add."""

    name: str
    read: Callable[[Cost], float]
    targets: Mapping[str, float]
    """By kind of request; empty where it is only shown."""


METRICS = (
    Metric("process CPU", lambda cost: cost.cpu_us, {"GET": 0.30, "POST": 0.40}),
    Metric("  of it request thread", lambda cost: cost.thread_us, {"GET": 0.15, "POST": 0.20}),
    Metric("  of it other threads", lambda cost: cost.cpu_us - cost.thread_us, {}),
    Metric("open loop 1/2, median", lambda cost: cost.half_median_us, {"GET": 0.15, "POST": 0.20}),
    Metric("open loop 1/2, p99", lambda cost: cost.half_p99_us, {"GET": 0.30, "POST": 0.30}),
    Metric("open loop 1/10, median", lambda cost: cost.calm_median_us, {}),
    Metric("open loop 1/10, p99", lambda cost: cost.calm_p99_us, {}),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of one kind of request, over all rounds."""

    name: str
    kind: str
    absolute_us: Mapping[str, float]
    """Medians by variant."""
    ratios: tuple[float, ...]
    """Of each round, sorted."""
    target: float | None

    @property
    def ratio(self) -> float:
        """The median over the rounds."""
        return statistics.median(self.ratios)

    @property
    def is_met(self) -> bool:
        """Tell whether the target is reached; True without one."""
        return self.target is None or self.ratio <= self.target


def make_rows(rounds: Sequence[Round]) -> list[Row]:
    """Compute every row of the table."""
    return [_make_row(metric, kind, rounds) for kind in KINDS for metric in METRICS]


def _make_row(metric: Metric, kind: str, rounds: Sequence[Round]) -> Row:
    values = {
        variant: [metric.read(one[variant][kind]) for one in rounds]
        for variant in ("bare", "ours", "otel")
    }
    ratios = [
        (ours - bare) / (otel - bare) if otel > bare else float("nan")
        for bare, ours, otel in zip(values["bare"], values["ours"], values["otel"], strict=True)
    ]
    medians = {variant: statistics.median(measured) for variant, measured in values.items()}
    return Row(metric.name, kind, medians, tuple(sorted(ratios)), metric.targets.get(kind))


def format_table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of the table."""
    columns = "".join(f"{name:>8}" for name in ("bare", "ours", "otel", "+ours", "+otel"))
    yield f"{'µs per request, medians':29}{columns}   ratio: min  median   max   target"
    for row in rows:
        bare, ours, otel = (row.absolute_us[variant] for variant in ("bare", "ours", "otel"))
        columns = "".join(f"{value:8.0f}" for value in (bare, ours, otel, ours - bare, otel - bare))
        ratios = f"{row.ratios[0]:13.2f}{row.ratio:8.2f}{row.ratios[-1]:6.2f}"
        target = "" if row.target is None else f"{row.target:9.2f} {'met' if row.is_met else 'MISSED'}"
        yield f"{row.kind:5}{row.name:24}{columns}{ratios}{target}"


def format_load(rounds: Sequence[Round]) -> Iterator[str]:
    """Say how busy each variant is at half of bare's rate: past 100 % its requests queue up."""
    for kind in KINDS:
        shares = []
        for variant in ("ours", "otel"):
            loads = [one[variant][kind].cpu_us / (2 * one["bare"][kind].wall_us) for one in rounds]
            shares.append(f"{variant} {statistics.median(loads):.0%}")
        yield f"{kind} at 1/2 of bare's rate: {', '.join(shares)} of what one interpreter can do."


def format_verdict(rows: Sequence[Row]) -> str:
    """Say which targets are met."""
    aimed = [row for row in rows if row.target is not None]
    missed = [f"{row.kind} {row.name.removeprefix('  of it ')}" for row in aimed if not row.is_met]
    met = f"{len(aimed) - len(missed)} of {len(aimed)} targets are met"
    return f"{met}." if not missed else f"{met}; missed: {', '.join(missed)}."
