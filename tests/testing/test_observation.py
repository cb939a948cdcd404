"""What may differ between two runs, one test for each rule, and how a difference reads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from flask_tracking.testing.observation import (
    RULES,
    Answer,
    Observation,
    first_difference,
    normalise,
)

ANSWER = Answer("200 OK", (("Content-Type", "text/plain"), ("Date", "today")), (b"one", b"two"))
SEEN = Observation((ANSWER,), "closed", ("started", "ended"), ("app INFO: hello",))

MASKED = {
    "the date": [("header", "Date: Wed, 25 Nov 2026 00:42:02 GMT", "Date: <date>")],
    "when a cookie expires": [
        (
            "header",
            "Set-Cookie: a=1; Expires=Wed, 25 Nov 2026 00:42:02 GMT; Path=/",
            "Set-Cookie: a=1; Expires=<date>; Path=/",
        )
    ],
    "the debugger's secret": [
        ("body", 'SECRET = "aZ09aZ09aZ09aZ09aZ09";', 'SECRET = "<secret>";'),
        ("body", "?__debugger__=yes&amp;s=aZ09aZ09aZ09aZ09aZ09", "?__debugger__=yes&amp;s=<secret>"),
    ],
    "the debugger's ids of frames": [
        ("body", '<div class="frame" id="frame-139876543210">', '<div class="frame" id="frame-<id>">')
    ],
    "frames of flask_tracking": [
        (
            "log",
            "Traceback\n"
            '  File "/x/flask/app.py", line 1, in f\n    call()\n    ^^^^^^\n'
            '  File "/x/flask_tracking/capture/middleware.py", line 48, in __call__\n'
            "    iterable = self.wsgi_app(environ, start_response)\n    ^^^^^^^^\n"
            '  File "/x/flask/app.py", line 2, in g\n    fail()\nValueError: no',
            "Traceback\n"
            '  File "/x/flask/app.py", line 1, in f\n    call()\n    ^^^^^^\n'
            '  File "/x/flask/app.py", line 2, in g\n    fail()\nValueError: no',
        ),
        (
            "log",
            '  File "/x/flask_tracking/capture/bodies.py", line 4, in __next__\nValueError: no',
            "ValueError: no",
        ),
    ],
    "times": [
        ("log", '- - [25/Nov/2026:00:42:02 +0000] "GET / HTTP/1.1"', '- - <time> "GET / HTTP/1.1"'),
        ("log", "[2026-11-25 00:42:02 +0000] booting", "[<time>] booting"),
        ("log", "Wed Nov 25 00:42:02 2026 - lost", "<time> - lost"),
    ],
    "durations": [
        ("log", "generated 5 bytes in 13 msecs", "generated 5 bytes in <n> msecs"),
        ("log", "buried after 1 seconds", "buried after <n> seconds"),
    ],
    "uWSGI's switches": [("log", "(2 switches on core 0)", "(<n> switches)")],
    "process ids": [
        ("log", "Worker exiting (pid: 4711)", "Worker exiting (pid: <pid>)"),
        ("log", "Started server process [4711]", "Started server process [<pid>]"),
        ("log", "[2026-11-25 00:42:02 +0000] [4711] [INFO] x", "[<time>] [<pid>] [INFO] x"),
        ("log", "at http://127.0.0.1:5000 (4711)", "at http://127.0.0.1:<port> (<pid>)"),
    ],
    "ports": [
        ("log", "http://127.0.0.1:5000/", "http://127.0.0.1:<port>/"),
        ("log", "('127.0.0.1', 5000)", "('127.0.0.1', <port>)"),
    ],
    "addresses in memory": [("log", "<Greenlet at 0x7f0a12345678>", "<Greenlet at <address>>")],
}
"""For each rule what it masks: the place, before and after."""

KEPT = [
    ("header", "Last-Modified: Wed, 25 Nov 2026 00:42:02 GMT"),
    ("header", "X-Date: today"),
    ("header", "Set-Cookie: session=abc.def.ghi; Path=/"),
    ("body", "it is 2026-11-25 00:42:02, and 127.0.0.1:5000 is pid: 4711"),
    ("body", "frame-12 of 0x7f0a12345678"),
    ("log", "GET /orders/4711 answered 200 with 4711 bytes"),
    ("log", '  File "/x/flask/app.py", line 1, in flask_tracking'),
]
"""What no rule touches."""


def observe(place: str, text: str) -> Observation:
    """Return an observation with `text` in one place."""
    if place == "header":
        name, _, value = text.partition(": ")
        return Observation((Answer("200 OK", ((name, value),)),))
    if place == "body":
        return Observation((Answer("200 OK", (), (text.encode(),)),))
    return Observation(log=(text,))


@pytest.mark.parametrize("name", sorted({rule.name for rule in RULES}))
def test_rule_masks_what_it_says(name: str) -> None:
    """Each rule by its name: what it is for is masked, and all around is left."""
    for place, before, after in MASKED[name]:
        assert normalise(observe(place, before)) == observe(place, after)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.name} {rule.pattern.pattern[:20]}")
def test_every_rule_is_needed(rule: object) -> None:
    """No rule is without an example that it alone changes."""
    examples = [one for examples in MASKED.values() for one in examples]
    assert any(
        rule.place == place and rule.apply(before) != before  # type: ignore[attr-defined]
        for place, before, _ in examples
    ) or any("<port> (" in after for _, _, after in examples)


@pytest.mark.parametrize(("place", "text"), KEPT)
def test_nothing_else_is_masked(place: str, text: str) -> None:
    """Dates of the app's own, signatures of cookies, bodies and numbers are compared as they are."""
    assert normalise(observe(place, text)) == observe(place, text)


def test_equal_observations() -> None:
    """Observations that differ in what is masked have no difference."""
    later = replace(ANSWER, headers=(("Content-Type", "text/plain"), ("Date", "tomorrow")))
    assert first_difference(SEEN, replace(SEEN, answers=(later,))) is None


DIFFERENCES = {
    "status of answer 1": replace(SEEN, answers=(replace(ANSWER, status="500 No"),)),
    "header 1 of answer 1": replace(SEEN, answers=(replace(ANSWER, headers=ANSWER.headers[::-1]),)),
    "body of answer 1": replace(SEEN, answers=(replace(ANSWER, chunks=(b"one", b"tw")),)),
    "chunk 1 of answer 1": replace(SEEN, answers=(replace(ANSWER, chunks=(b"on", b"etwo")),)),
    "fate": replace(SEEN, fate="reset"),
    "journal, entry 2": replace(SEEN, journal=("started", "closed")),
    "log, entry 1": replace(SEEN, log=("app INFO: bye",)),
}


@pytest.mark.parametrize("place", DIFFERENCES)
def test_difference_names_its_place(place: str) -> None:
    """A difference says where it is, and what was there with tracking off and on."""
    difference = first_difference(SEEN, DIFFERENCES[place])
    assert difference is not None
    where, off, on = difference.split("\n")
    assert where == place
    assert off.startswith("  off  ") and on.startswith("  on   ")
    assert off[7:] != on[7:]


HEADERS = [
    ((("A", "1"), ("B", "2")), "header X-On: 'yes' with tracking off, missing with it on"),
    (
        (("A", "1"), ("B", "2"), ("X-On", "yes"), ("X-On", "no")),
        "header X-On: 'yes' with tracking off, 'yes', 'no' with it on",
    ),
    ((("X-On", "yes"), ("A", "1"), ("B", "3")), "header B: '2' with tracking off, '3' with it on"),
    (
        (("A", "1"), ("X-On", "yes"), ("B", "2")),
        "header 1 of answer 1\n  off  X-On: yes\n  on   A: 1",
    ),
]


@pytest.mark.parametrize(("headers", "difference"), HEADERS)
def test_headers_are_compared_by_name(headers: tuple[tuple[str, str], ...], difference: str) -> None:
    """A header that is missing does not move those behind it; then their order is compared."""
    body = (b"hello",)
    off = Observation((Answer("200 OK", (("X-On", "yes"), ("A", "1"), ("B", "2")), body),))
    on = Observation((Answer("200 OK", headers, body),))
    assert first_difference(off, on) == difference


def test_the_second_answer_is_named() -> None:
    """Of several answers over one connection the text says which one differs."""
    off = Observation((Answer("200 OK"), Answer("200 OK", (("A", "1"),))))
    on = Observation((Answer("200 OK"), Answer("200 OK")))
    assert first_difference(off, on) == (
        "header A of answer 2: '1' with tracking off, missing with it on"
    )
    assert first_difference(off, replace(on, answers=on.answers[:1])) == (
        "status of answer 2\n  off  200 OK\n  on   (no answer: nothing came)"
    )
    assert first_difference(off, Observation(fate="not played")) == (
        "status of answer 1\n  off  200 OK\n  on   (no answer: not played)"
    )


def test_what_is_missing_is_a_difference() -> None:
    """An answer or an entry that only one side has is told."""
    assert "nothing more" in str(first_difference(SEEN, replace(SEEN, log=())))
    assert first_difference(replace(SEEN, answers=()), SEEN) is not None


def test_long_texts_are_cut_around_the_difference() -> None:
    """Of a long body the part is shown where it differs."""
    bodies = [b"x" * 5000 + middle + b"y" * 5000 for middle in (b"left", b"right")]
    off, on = (Observation((Answer("200 OK", (), (body,)),)) for body in bodies)
    difference = first_difference(off, on)
    assert difference is not None
    assert "xleft" in difference or "10004 bytes" in difference
    assert len(difference) < 1000
