"""OpenTelemetry's own samplers, asked in a process of their own.

Once OpenTelemetry is imported, spans look for its active one: the other tests are not to notice.

``python -m tests.opentelemetry_sampler`` reads a JSON list of ``[rate, trace_id, flags]`` and prints
the list of what is sampled. `flags` are a parent's elsewhere, None where the trace begins here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

Question = tuple[float, str, int | None]


def ask(questions: Sequence[Question]) -> list[bool]:
    """Return what OpenTelemetry's samplers answer."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.opentelemetry_sampler"],
        cwd=Path(__file__).parents[1],
        input=json.dumps(questions),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answers: list[bool] = json.loads(done.stdout)
    return answers


def main() -> None:
    """Answer the questions on standard input."""
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    answers = []
    for rate, text, flags in json.load(sys.stdin):
        trace_id, context = int(text, 16), Context()
        if flags is not None:
            parent = SpanContext(trace_id, 1, is_remote=True, trace_flags=TraceFlags(flags))
            context = set_span_in_context(NonRecordingSpan(parent), context)
        sampler = ParentBased(TraceIdRatioBased(rate))
        result = sampler.should_sample(context, trace_id, "GET /")
        answers.append(result.decision.is_sampled())
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
