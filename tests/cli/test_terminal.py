"""Lines for the terminal: they end between words, and only where there is a terminal."""

from __future__ import annotations

import dataclasses
import errno
import io
import pkgutil
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from unittest import mock

import click
import pytest
from flask import Flask
from flask.cli import ScriptInfo

from flask_tracking import MemoryExporter, Tracking, cli
from flask_tracking.cli.common import WrongArgument, reports_errors
from flask_tracking.cli.doctor import _render
from flask_tracking.cli.record_table import render_record
from flask_tracking.cli.terminal import (
    ask,
    bar_width,
    cell_width,
    cut_excerpt,
    replace_unknown_characters,
    say,
    wrap,
)
from flask_tracking.doctor import Checked
from flask_tracking.exporters.store import Problem
from flask_tracking.record import Remark

from ..captures import make_record
from .conftest import Invoke


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let both outputs be a terminal of 40 columns."""
    # All are imported first: one that is imported later would keep what stands in for the function.
    modules = [
        import_module(f"{cli.__name__}.{one.name}") for one in pkgutil.iter_modules(cli.__path__)
    ]
    for module in modules:
        if hasattr(module, "terminal_width"):
            monkeypatch.setattr(module, "terminal_width", lambda *, err=False: 40)


@pytest.mark.parametrize("err", [False, True])
def test_no_escape_without_a_style(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], err: bool
) -> None:
    """Where colours are shown, a plain message has no escape sequence, and a coloured one two."""
    monkeypatch.setattr("click.utils.should_strip_ansi", lambda *_: False)
    say("Exported 1 record.", err=err)
    say("Rejected.", err=err, fg="yellow")
    plain, coloured = capsys.readouterr()[err].splitlines()
    assert plain == "Exported 1 record."
    assert coloured == "\x1b[33mRejected.\x1b[0m"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
@pytest.mark.parametrize("size", [1, 1_000_000])
def test_full_disk(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Output that does not fit ends the command in one line, and nothing is tried again at the end."""
    with open("/dev/full", "w") as full:
        monkeypatch.setattr("sys.stdout", full)
        with pytest.raises(click.ClickException) as caught:
            reports_errors(lambda: click.echo("x" * size))()
        monkeypatch.undo()
    assert caught.value.message == "The output cannot be written: No space left on device."
    assert caught.value.exit_code == 1


def test_other_errors_of_the_system_stay() -> None:
    """What has nothing to do with the output keeps its traceback, and a closed pipe is Click's."""

    def fail() -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        reports_errors(fail)()


def test_no_escape_around_plain_facts() -> None:
    """In doctor's report only the level and its problems are coloured."""
    (line,) = _render(Checked("store", facts=("12 records",)))
    assert line.endswith("12 records") and line.count("\x1b") == 2


@pytest.mark.parametrize(
    ("text", "indent", "lines"),
    [
        ("one two three", None, ["one two", "three"]),
        ("  one two three", None, ["  one two", "  three"]),
        ("one two three", 4, ["one two", "    three"]),
        ("a  b   one two", None, ["a  b   one", "two"]),
        ("https://example.com/a b", None, ["https://example.com/a", "b"]),
        ("see https://example.com/a", None, ["see", "https://example.com/a"]),
        ("日本 日本 日本", None, ["日本 日本", "日本"]),
        ("one two   ", None, ["one two   "]),
        ("one two three   ", None, ["one two", "three"]),
        ("", None, [""]),
        (" " * 12, None, [""]),
    ],
)
def test_wrap(text: str, indent: int | None, lines: list[str]) -> None:
    """Lines end between words, a long word stays whole, and nothing else changes."""
    assert wrap(text, 10, indent) == lines


def test_nothing_is_wrapped_in_a_pipe() -> None:
    """What is no terminal gets whole lines."""
    assert wrap("one two " * 100, None) == ["one two " * 100]


def test_sentences(narrow: None, capsys: pytest.CaptureFixture[str]) -> None:
    """In a terminal no line is longer than its width, whatever the lines of the text are."""
    say("No records match path:/nope since:15m.\n  There are some without path:/nope, and more.")
    say("The store does not answer: it is asked again each second.", err=True)
    shown, errors = capsys.readouterr()
    assert shown.splitlines() == [
        "No records match path:/nope since:15m.",
        "  There are some without path:/nope, and",
        "  more.",
    ]
    assert errors.splitlines() == ["The store does not answer: it is asked", "again each second."]


def test_closed_streams(app: Flask, tracking: Tracking, memory: MemoryExporter) -> None:
    """A command that is started without output or input, as by a service, still does its work."""
    memory.export([make_record()])
    with mock.patch.multiple("sys", stdin=None, stdout=None, stderr=None):
        for words in (["list"], ["export"], ["import", "-"]):
            app.cli.main(
                ["tracking", *words], obj=ScriptInfo(create_app=lambda: app), standalone_mode=False
            )
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            stream.close()
    assert len(memory.records) == 1


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
@pytest.mark.parametrize(
    ("encoding", "written"),
    [("ascii", b"gr?n ?\n"), ("us-ascii", b"gr?n ?\n"), ("latin-1", b"gr\xfcn ?\n"), ("utf-8", None)],
)
def test_encodings(encoding: str, written: bytes | None, errors: str) -> None:
    """A stream gets ``?`` for what its encoding lacks, and no UTF-8 that nobody has asked for.

    In the locales C and POSIX, Python lets output pass that it has read, and nothing else: that is no
    choice of the user.
    """
    file = io.BytesIO()
    stream = io.TextIOWrapper(file, encoding=encoding, errors=errors, write_through=True)
    replace_unknown_characters(stream)
    with mock.patch("sys.stdout", stream):
        click.echo("grün 😀")
        click.echo("\ud800", nl=False)
    assert file.getvalue().removesuffix(b"?") == ("grün 😀\n".encode() if written is None else written)


def test_question(narrow: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question has lines that fit, too, and whoever says no ends the command."""
    asked: list[str] = []

    def confirm(text: str, *, abort: bool) -> None:
        assert abort
        asked.append(text)

    monkeypatch.setattr("click.confirm", confirm)
    ask("tracking holds 5 MB. The oldest 50% of its records will be dropped. Go on?")
    assert asked == ["tracking holds 5 MB. The oldest 50% of\nits records will be dropped. Go on?"]


@pytest.mark.parametrize(("width", "bar"), [(None, 36), (40, 0), (79, 0), (80, 36)])
def test_progress_bars(monkeypatch: pytest.MonkeyPatch, width: int | None, bar: int) -> None:
    """A bar is as wide as Click makes it, or takes what a narrow terminal has."""
    monkeypatch.setattr("flask_tracking.cli.terminal.terminal_width", lambda *, err=False: width)
    assert bar_width() == bar


def list_commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the names of a command, and those of all commands in it."""
    yield path
    if isinstance(group, click.Group):
        for name in group.list_commands(click.Context(group)):
            command = group.get_command(click.Context(group), name)
            assert command is not None
            yield from list_commands(command, (*path, name))


def test_help(narrow: None, app: Flask, invoke: Invoke, tracking: Tracking) -> None:
    """Help has lines that fit: Click's own are 50 cells wide in every narrower terminal."""
    for command in list_commands(app.cli.commands["tracking"]):
        lines = invoke(*command, "--help").stdout.splitlines()
        assert lines and [line for line in lines if len(line) > 40] == [], command


def test_errors(narrow: None, capsys: pytest.CaptureFixture[str]) -> None:
    """An error has lines that fit; those that mark a spot stay as they are."""
    spot = "  statuss:500 path:/a/very/long/path/with/many/parts"
    WrongArgument(f"Unknown key 'statuss'. Did you mean status?\n{spot}\n  ^^^").show()
    assert capsys.readouterr().err.splitlines() == [
        "Error: Unknown key 'statuss'. Did you",
        "mean status?",
        "  statuss:500 path:/a/very/long/path/wi…",
        "  ^^^",
    ]


@pytest.mark.parametrize(
    ("text", "marks", "cut"),
    [
        ("  a:1", "  ^^^", ["  a:1", "  ^^^"]),
        ("  a:1 path:/and/more", "  ^^^", ["  a:1 pat…", "  ^^^"]),
        ("  path:/and/more a:1", "                 ^^^", ["…ore a:1", "     ^^^"]),
        ("  path:/and/more a:1 and b", "                 ^^^^^^^", ["…ore a:1 …", "     ^^^^^"]),
    ],
)
def test_excerpt(text: str, marks: str, cut: list[str]) -> None:
    """A long text is cut so that what is marked in it is to be seen."""
    assert cut_excerpt([text, marks], 10) == cut
    assert cut_excerpt([text, marks], None) == [text, marks]
    assert cut_excerpt([], 10) == []


@pytest.mark.parametrize("width", [40, 80])
def test_record(width: int) -> None:
    """A record in full has lines that fit: values go on below values, or below their names."""
    record = dataclasses.replace(
        make_record(
            environ={"HTTP_X_LONG": "many words " * 20, "HTTP_A_NAME_OF_MANY_WORDS": "x " * 40}
        ),
        response_body=b'{"text": "' + b"lorem ipsum " * 20 + b'"}',
        trace_id="55c547a74160d1ccf5793fa3a607172d",
        redacted=(Remark("request_headers.Authorization", "header", 0, 9),),
    )
    lines = render_record(record, width=width).split("\n")
    assert max(map(cell_width, lines)) <= width
    assert " ".join(" ".join(lines).split()) == " ".join(render_record(record).split())


def test_findings_in_a_narrow_terminal() -> None:
    """What the doctor finds stands below the name of its check, where there is no room beside it."""
    problem = Problem(
        "warning", "tracking is capped at 8192 bytes", "To resize it", "flask tracking resize"
    )
    found = Checked("store", (problem,), ("MongoDB at 127.0.0.1:40527, a single server",))
    assert [click.unstyle(line) for line in _render(found, 40)] == [
        "warning  store",
        "  MongoDB at 127.0.0.1:40527, a single",
        "  server",
        "  tracking is capped at 8192 bytes.",
        "  To resize it: flask tracking resize",
    ]


def test_narrow_tables(
    narrow: None, invoke: Invoke, memory: MemoryExporter, tracking: Tracking
) -> None:
    """Tables leave columns out, or shorten them, until they fit."""
    memory.export([make_record(environ={"HTTP_X_API_KEY": "hunter2hunter2"})])
    terms = ["slow_ms=200", "drop=route:/a/very/long/route/of/the/app or route:/poll", "--for", "10m"]
    for command in (["overrides", "set", *terms], ["redact", "formats"], ["scrub"], ["show", "-1"]):
        shown = invoke(*command).stdout
        assert shown and max(map(cell_width, shown.splitlines())) <= 40
