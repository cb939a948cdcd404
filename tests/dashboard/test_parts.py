"""What the pages are put together of: numbers, hidden characters, bodies, tracebacks, waterfalls."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta, timezone

import pytest
from bson import ObjectId

from flask_tracking.dashboard.record.bodies import MAX_NODES, Node, read_body
from flask_tracking.dashboard.record.tracebacks import split_traceback
from flask_tracking.dashboard.record.waterfall import make_waterfall
from flask_tracking.dashboard.tables.keyset import Cursor
from flask_tracking.dashboard.templating import render, show, show_sentence, status_kind
from flask_tracking.dashboard.text import numbers
from flask_tracking.dashboard.text.filter_text import exclude, join, term, without
from flask_tracking.dashboard.text.hidden_characters import split_hidden
from flask_tracking.record import ChildTiming, Remark

from ..captures import make_record


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (None, "–"),
        (0, "0.0 ms"),
        (0.44, "0.4 ms"),
        (9.96, "10 ms"),
        (412.4, "412 ms"),
        (999.6, "1.00 s"),
        (1240, "1.24 s"),
        (9996, "10.0 s"),
        (12_400, "12.4 s"),
        (59_960, "1 min 00 s"),
        (124_000, "2 min 04 s"),
        (3_599_700, "1 h 00 min"),
        (7_260_000, "2 h 01 min"),
    ],
)
def test_duration(ms: float | None, text: str) -> None:
    """Three digits at most, and no line break before the unit."""
    assert numbers.duration(ms) == text.replace(" ", "\u00a0")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("Run `flask tracking doctor`.", "Run <code>flask tracking doctor</code>."),
        ("A ` alone", "A ` alone"),
        (
            "Back to 2026-11-30 12:00:05 UTC.",
            'Back to <time datetime="2026-11-30T12:00:05Z" data-second>2026-11-30 12:00:05 UTC</time>.',
        ),
        ("`<b>`", "<code>&lt;b&gt;</code>"),
        ("2026-11-30 UTC", "2026-11-30 UTC"),
    ],
)
def test_sentence(text: str, html: str) -> None:
    """Code is marked, scripts find the times, and quoted text stays text."""
    assert show_sentence(text) == html


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (numbers.size, 61, "61 B"),
        (numbers.size, 12_300, "12.3 kB"),
        (numbers.size, 999_999, "1.0 MB"),
        (numbers.size, 5 * 10**15, "5000.0 TB"),
        (numbers.count, 1186, "1,186"),
        (numbers.count, 71_200, "71.2 k"),
        (numbers.count, 2_300_000, "2.3 M"),
        (numbers.per_minute, 0, "0"),
        (numbers.per_minute, 0.02, "< 0.1"),
        (numbers.per_minute, 0.42, "0.4"),
        (numbers.per_minute, 1186, "1,186"),
        (numbers.share, 0, "0 %"),
        (numbers.share, 0.0004, "< 0.1 %"),
        (numbers.share, 0.004, "0.4 %"),
        (numbers.share, 0.475, "48 %"),
    ],
)
def test_numbers(function: object, value: float, text: str) -> None:
    """Sizes count in thousands; a small share is not nothing."""
    assert callable(function)
    assert function(value) == text.replace(" ", "\u00a0")


def test_clock() -> None:
    """A time of another day has its date; any has where the days of a list differ."""
    now = datetime(2026, 11, 29, 12, 0, tzinfo=timezone.utc)
    assert numbers.clock(now, now) == "12:00:00.000"
    assert numbers.clock(now - timedelta(days=2), now) == "2026-11-27 12:00:00.000"
    assert numbers.clock(now - timedelta(days=7), now) == "2026-11-22 12:00:00.000"
    assert numbers.clock(now, now, with_date=True) == "2026-11-29 12:00:00.000"
    assert numbers.iso(now) == "2026-11-29T12:00:00.000Z"


def test_hidden_characters() -> None:
    """What would not be seen, or turns the direction of text, becomes a mark; the rest is as it was."""
    parts = split_hidden("gpj\u202e\x00é\n\t\ud800\U000e0041.exe")
    assert "".join(part.text for part in parts if not part.name) == "gpjé\n\t.exe"
    marks = {part.text: part.name for part in parts if part.name}
    assert marks == {
        "U+202E": "U+202E right-to-left override",
        "\u2400": "U+0000 control character",
        "U+D800": "U+D800 control character",
        "U+E0041": "U+E0041 tag latin capital letter a",
    }
    assert split_hidden("") == [("", "")]


def test_shown_text_is_escaped_and_cut() -> None:
    """A text of strangers is text, and never too long for a page."""
    assert show("<b>&") == "&lt;b&gt;&amp;"
    assert show("x" * 12, 10) == 'xxxxxxxxxx<span class="dim">… 2 more</span>'
    assert str(show("\u202e")).startswith('<span class="hidden-character" title="U+202E')


def test_status_kinds() -> None:
    """Each class of status has a shape of its own."""
    kinds = [status_kind(code) for code in (101, 200, 302, 404, 500, None, 999)]
    assert kinds == ["none", "ok", "redirect", "client", "server", "none", "none"]
    assert status_kind(None, "error") == "server"


def find_node(node: Node, key: str) -> Node:
    """Return the child with a key."""
    return next(child for child in node.children if child.key == key)


def test_json_body() -> None:
    """JSON is a tree, with its numbers as they were written and the removed values marked."""
    body = b'{"n": 1.10, "big": 12345678901234567890, "card": "[redacted]", "a": [1, null, {}]}'
    remarks = [Remark("request_body", "card", 50, 16, 51, 10)]
    shown = read_body(body, "application/json; charset=utf-8", remarks)
    assert shown.kind == "JSON" and shown.tree is not None
    assert find_node(shown.tree, "n").pieces[0].text == "1.10"
    assert find_node(shown.tree, "big").pieces[0].text == "12345678901234567890"
    pieces = find_node(shown.tree, "card").pieces
    assert [(piece.text, piece.removed) for piece in pieces] == [
        ('"', None),
        ("[redacted]", "card, 16 bytes"),
        ('"', None),
    ]
    assert [child.kind for child in find_node(shown.tree, "a").children] == ["number", "word", "object"]


def test_marks_of_other_tools() -> None:
    """Where there are more marks than remarks, no reason is claimed."""
    shown = read_body(
        b"a=[Filtered] b=[redacted]", "text/plain", [Remark("request_body", "card", 0, 16)]
    )
    assert [piece.removed for piece in shown.pieces] == [None, "", None, ""]


@pytest.mark.parametrize(
    ("body", "content_type", "kind"),
    [
        (b"", "text/plain", "empty"),
        (b"plain", "", "text"),
        (b'{"a": 1', "application/json", "text"),
        (b"[" * 100_000, "application/json", "text"),
        (b" [1]", "text/plain", "JSON"),
        (b"a=1&b=%20x", "application/x-www-form-urlencoded", "form"),
        (bytes(range(256)), "", "binary"),
        ("é".encode()[:1], "text/plain", "text"),
        (b'"\\ud800"', "application/json", "JSON"),
    ],
)
def test_kinds_of_bodies(body: bytes, content_type: str, kind: str) -> None:
    """Each body is shown as what it is, whatever its type claims."""
    assert read_body(body, content_type, ()).kind == kind


def test_large_bodies_are_cut() -> None:
    """The page holds a part of a large body, and says so."""
    shown = read_body(json.dumps(list(range(MAX_NODES * 2))).encode(), "application/json", ())
    assert shown.tree is not None and shown.is_cut
    assert (len(shown.tree.children), shown.tree.left_out) == (MAX_NODES, MAX_NODES)
    assert read_body(bytes(5000), "", ()).is_cut is False  # NUL is text, if an odd one
    assert read_body(b"\xff" * 5000, "", ()).is_cut


def test_deep_json_is_cut() -> None:
    """What is nested deeper than a page can show says how much there is."""
    body = (b'{"a":' * 200) + b"1" + b"}" * 200
    node = read_body(body, "application/json", ()).tree
    depth = 0
    while node is not None and node.children:
        node, depth = node.children[0], depth + 1
    assert node is not None and (depth, node.left_out) == (64, 1)


TRACEBACK = """Traceback (most recent call last):
  File "/x/site-packages/flask/app.py", line 1, in full_dispatch_request
    rv = self.dispatch_request()
         ^^^^^^^^^^^^^^^^^^^^^^^
  File "/usr/lib/python3.12/json/decoder.py", line 2, in decode
  File "/srv/lib/shop/pay.py", line 88, in charge
    raise CardDeclined("no")
CardDeclined: no

During handling of the above exception, another exception occurred:
"""


def test_traceback() -> None:
    """Frames of libraries are folded, those of the app stand with their source."""
    head, library, own, end = split_traceback(TRACEBACK)
    assert head.text == "Traceback (most recent call last):"
    assert library.packages == ("flask", "Python")
    assert len(library.frames) == 2
    (frame,) = own.frames
    assert (frame.place, frame.function, frame.source) == (
        "shop/pay.py:88",
        "charge",
        ('raise CardDeclined("no")',),
    )
    assert end.text.startswith("CardDeclined: no")


@pytest.mark.parametrize("text", ["", "no traceback\n  at all", '  File "a", line 1\n    x'])
def test_odd_tracebacks(text: str) -> None:
    """Any text is shown."""
    blocks = split_traceback(text)
    shown = "".join(block.text + "".join(frame.file for frame in block.frames) for block in blocks)
    assert shown == {"": "", "n": "no traceback\n  at all"}.get(text[:1], "a")


def test_waterfall() -> None:
    """Bars stand where their child spans ran, and what no child took is told."""
    children = (
        ChildTiming("charge", 20.0, 60.0, "CardDeclined"),
        ChildTiming("load", 0.0, 10.0, None),
        ChildTiming("open", 90.0, None, None),
    )
    record = dataclasses.replace(
        make_record(), execution_time=100.0, time_to_first_byte=95.0, children=children
    )
    found = make_waterfall(record)
    assert found is not None
    assert [(bar.name, bar.left, bar.width) for bar in found.bars] == [
        ("load", 0.0, 10.0),
        ("charge", 20.0, 60.0),
        ("open", 90.0, 10.0),
    ]
    assert found.longest is not None and found.longest.name == "charge"
    assert found.unnamed == pytest.approx(0.2)
    assert [ms for _, ms in found.ticks] == [0, 20, 40, 60, 80, 100]
    assert make_waterfall(dataclasses.replace(record, execution_time=None)) is None
    assert make_waterfall(dataclasses.replace(record, execution_time=0.0)) is None


@pytest.mark.parametrize("total", [0.001, 0.3, 7, 58.3, 99.9, 1234.5, 3e7])
def test_ticks(total: float) -> None:
    """There are two to seven round times on the scale."""
    found = make_waterfall(dataclasses.replace(make_record(), execution_time=total))
    assert found is not None
    assert 2 <= len(found.ticks) <= 7
    steps = [ms / found.ticks[1][1] for _, ms in found.ticks]
    assert steps == pytest.approx(list(range(len(steps))))
    assert f"{found.ticks[1][1]:e}"[0] in "125"


def test_filters_in_addresses() -> None:
    """Terms are added to what the user wrote, which stays as it is."""
    assert term("user", "ann*:1 b") == r'user:"ann\*:1 b"'
    assert join("", "status:5xx") == "status:5xx"
    assert join("a  b", "status:5xx") == "a  b status:5xx"
    assert join("a status:5xx", "status:5xx") == "a status:5xx"
    assert join("a or b", "status:5xx") == "(a or b) status:5xx"
    assert join("(", "status:5xx") == "status:5xx"
    assert exclude("user:1 status:5xx", "status:5xx") == "user:1 not status:5xx"
    assert without("user:1 status:5xx") == [("user:1", "status:5xx"), ("status:5xx", "user:1")]
    assert without("user:1 or status:5xx") == []


@pytest.mark.parametrize("text", ["", "x", "1-2", f"99999999999999-{'0' * 24}", f"-1-{'0' * 24}", "١-"])
def test_odd_cursors(text: str) -> None:
    """An address that somebody cut begins at the newest record."""
    found = Cursor.parse(text)
    assert found is None or str(found) == text


def test_cursor() -> None:
    """What an address says is what was meant."""
    cursor = Cursor(datetime(2026, 11, 29, 1, 2, 3, 4000, tzinfo=timezone.utc), ObjectId())
    assert Cursor.parse(str(cursor)) == cursor


def test_unknown_names_fail() -> None:
    """A template that asks for what there is not fails, and shows no gap."""
    with pytest.raises(Exception, match="undefined"):
        render("message.html", title="x")
