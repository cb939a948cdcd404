"""What README.md and docs/ say is true: the examples run, and nothing public is left out."""

from __future__ import annotations

import ast
import dataclasses
import doctest
import functools
import importlib
import importlib.util
import re
import shlex
import subprocess
import sys
import weakref
from collections.abc import Callable, Container, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

import click
import mongoengine
import pytest
from flask import Flask
from mongoengine.queryset.base import BaseQuerySet

from flask_tracking import Record, Settings, Tracking, cli, registry
from flask_tracking.cli.records import list_records
from flask_tracking.documents import Tracking as TrackingDocument
from flask_tracking.exporters.rollup_table import align
from flask_tracking.filters.terms import TERMS
from flask_tracking.pipeline.stats import Stats
from flask_tracking.rollups.rollup import Rollup

from .captures import make_record

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [README, *sorted((ROOT / ".github").glob("*.md")), *sorted(DOCS.glob("*.md"))]
OPERATIONS = DOCS / "operations.md"
MESSAGES = DOCS / "messages.md"
EXAMPLE_URI = "mongodb://127.0.0.1:27027/tracking"
"""What the pages write where the test's own database is meant."""
DOCTEST_OPTIONS = doctest.ELLIPSIS | doctest.REPORT_ONLY_FIRST_FAILURE

RunPage = Callable[[Path], dict[str, Any]]


class Example(NamedTuple):
    """A fenced block that is meant to run; a fragment has another info string."""

    language: str
    code: str
    line: int
    """Of the page, where the code begins."""


def read_examples(page: Path) -> list[Example]:
    """Return the blocks of ``python``, and of ``pycon``, which shows what is printed."""
    text = page.read_text()
    blocks = re.finditer(r"^```(python|pycon)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [Example(block[1], block[2], text.count("\n", 0, block.start(2))) for block in blocks]


def run_python(example: Example, page: Path, namespace: dict[str, Any]) -> None:
    """Run statements; a query that stands for itself is asked."""
    module = ast.increment_lineno(ast.parse(example.code), example.line)
    for statement in module.body:
        if isinstance(statement, ast.Expr):
            code = compile(ast.Expression(statement.value), page, "eval")
            value = eval(code, namespace)  # noqa: S307 - the code is ours
            if isinstance(value, BaseQuerySet):
                list(value)
        else:
            exec(compile(ast.Module([statement], []), page, "exec"), namespace)  # noqa: S102 - as above


def run_session(example: Example, page: Path, namespace: dict[str, Any]) -> None:
    """Run a session of the interpreter, and compare what it prints."""
    test = doctest.DocTestParser().get_doctest(
        example.code, namespace, page.name, str(page), example.line
    )
    report: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=DOCTEST_OPTIONS)
    failed = runner.run(test, out=report.append, clear_globs=False).failed
    assert not failed, "".join(report)
    namespace.update(test.globs)


@pytest.fixture
def run_page(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunPage]:
    """Run all examples of a page in one namespace, which is returned."""
    monkeypatch.chdir(tmp_path)
    before = weakref.WeakSet(registry._tracked)
    namespace: dict[str, Any] = {"__name__": "shop"}

    def run(page: Path) -> dict[str, Any]:
        for example in read_examples(page):
            if EXAMPLE_URI in example.code:
                uri = request.getfixturevalue("database_uri")
                example = example._replace(code=example.code.replace(EXAMPLE_URI, uri))
            run_example = run_python if example.language == "python" else run_session
            run_example(example, page, namespace)
        return namespace

    yield run
    for tracked in [one for one in registry._tracked if one not in before]:
        if tracked.worker is not None:
            tracked.worker.close(20)
    mongoengine.disconnect_all()
    namespace.clear()  # an exporter of a class that is defined here holds it, and so its app


@pytest.mark.integration
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_run(page: Path, run_page: RunPage) -> None:
    """The Python examples of a page run from its top to its bottom, and print what they say."""
    run_page(page)


@pytest.mark.integration
def test_readme_example_is_recorded(run_page: RunPage) -> None:
    """The view in the README answers, and the queries there find its record."""
    namespace = run_page(README)
    assert namespace["app"].test_client().post("/orders").json == {"id": 17}
    assert namespace["tracking"].flush(20)
    (record,) = TrackingDocument.objects.filter(custom_data__order_id=17)
    assert record.user_id == "acme:42"
    assert [child.name for child in record.children] == ["charge card"]


@pytest.mark.integration
def test_tests_of_the_testing_page_pass(tmp_path: Path) -> None:
    """The tests that the testing page proposes pass; those of a live server in their own module."""
    code = [example.code for example in read_examples(DOCS / "testing.md") if "pytest" in example.code]
    served = [example for example in code if "live_server" in example]
    (tmp_path / "test_shop.py").write_text("\n".join(one for one in code if one not in served))
    (tmp_path / "test_served.py").write_text("\n".join(["from test_shop import create_app", *served]))
    plugins = ["-p", "no:cacheprovider", "-p", "flask_tracking.pytest_plugin"]
    command = [sys.executable, "-m", "pytest", "-q", *plugins, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_readme_is_short() -> None:
    """The README has under 90 lines."""
    assert len(README.read_text().splitlines()) < 90


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Links to files lead to files that are there."""
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).is_file()] == []


# The reference of the settings


def load_extension(name: str) -> Any:
    """Import a module of docs/_ext."""
    spec = importlib.util.spec_from_file_location(name, DOCS / "_ext" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def settings_page() -> str:
    """The page of the settings with the reference in it."""
    pytest.importorskip("sphinx")
    page = (DOCS / "settings.md").read_text()
    assert "```{tracking-settings}\n```" in page
    return page + str(load_extension("settings_reference").render_settings())


@pytest.mark.parametrize("field", dataclasses.fields(Settings), ids=lambda field: field.name)
def test_setting_is_on_the_settings_page(field: dataclasses.Field[Any], settings_page: str) -> None:
    """A setting is in the table, and stands below it with unit, default and meaning."""
    key, default = field.metadata["key"], field.metadata["default"]
    assert f"| {{confval}}`{key}` |" in settings_page
    _, _, entry = settings_page.partition(f"```{{confval}} {key}\n")
    entry, _, _ = entry.partition("\n```\n")
    assert f":default: `{default!r}`" in entry
    words = re.sub(r"\{confval\}|`", "", entry).split()
    for text in (field.metadata["unit"], field.metadata["meaning"]):
        said = text.replace("`", "").split()
        assert any(words[start : start + len(said)] == said for start in range(len(words)))


def test_settings_that_are_mentioned_exist() -> None:
    """Every ``TRACKING_`` key on any page is one of the settings."""
    known = {field.metadata["key"] for field in dataclasses.fields(Settings)}
    mentioned = {
        key
        for page in [*PAGES, ROOT / "CHANGELOG.md"]
        for key in re.findall(r"(?<![A-Z])TRACKING_[A-Z_]*[A-Z]", page.read_text())
    }
    assert mentioned - known == set()


def test_settings_are_in_the_changelog() -> None:
    """Every key is in the changelog, or on the upgrading page as one that was there before."""
    pages = (ROOT / "CHANGELOG.md").read_text() + (DOCS / "upgrading.md").read_text()
    keys = [field.metadata["key"] for field in dataclasses.fields(Settings)]
    assert [key for key in keys if f"`{key}`" not in pages] == []


# Records, numbers and commands


def test_fields_are_described() -> None:
    """Every field of a record, and no other, is in a table of the recording page."""
    page = (DOCS / "recording.md").read_text()
    fields, _, _ = page.partition("## Bodies")
    cells = re.findall(r"^\| (`[^|]*) \|", fields, re.MULTILINE)
    described = [name for cell in cells for name in re.findall(r"`([a-z_]+)`", cell)]
    stored = {field.name for field in dataclasses.fields(Record)} - {"id"} | {"_id", "date_stored"}
    assert sorted(described) == sorted(stored)


def test_stats_are_described() -> None:
    """Every number of the stats, and every reason to drop a record, is on the operations page."""
    page = OPERATIONS.read_text()
    for field in dataclasses.fields(Stats):
        assert re.search(rf"^\| .*`{field.name}`", page, re.MULTILINE), field.name
    source = (ROOT / "flask_tracking/pipeline/stats.py").read_text()
    (listed,) = re.findall(r'dropped: dict\[str, int\]\n    """(.*?)"""', source, re.DOTALL)
    for reason in re.findall(r"``(\w+)``", listed):
        assert re.search(rf"^(`\w+`, )*`{reason}`.*\n: ", page, re.MULTILINE), reason


def test_commands_are_described() -> None:
    """Every command is on its page, and every option of ``list`` that is no term of a filter."""
    page = (DOCS / "commands.md").read_text()
    described = "\n".join(re.findall(r"^(`.*)\n: ", page, re.MULTILINE))
    assert [name for name in cli._MODULES if not re.search(rf"\b{name}\b", described)] == []
    for parameter in list_records.params:
        name = parameter.opts[0].removeprefix("--")
        shown = name if isinstance(parameter, click.Option) else str(parameter.metavar)
        # The page of the filters has a line for each term: see tests/filters/test_terms.py.
        assert name in TERMS or f"--{shown}" in page or f"{shown.strip('.')}`" in page, shown


def test_commands_that_are_mentioned_exist() -> None:
    """A command that a page or a message names is one, and so is one of a group."""
    paths = [*PAGES, *(ROOT / "flask_tracking").rglob("*.py")]
    text = "\n".join(path.read_text() for path in paths)
    groups = {name: import_group(name) for name in ("overrides", "redact", "spool")}
    for name, word in re.findall(r"flask tracking ([a-z]+)(?: ([a-z]+))?", text):
        assert name in cli._MODULES, name
        assert not word or word in groups.get(name, {word}), f"{name} {word}"


def import_group(name: str) -> Container[str]:
    """Return the names of the commands of a group."""
    module = importlib.import_module(f"flask_tracking.cli.{cli._MODULES[name]}")
    (group,) = (one for one in module.COMMANDS if one.name == name)
    assert isinstance(group, click.Group)
    return group.commands


# Sessions of the terminal


VARIES = r"[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
"""A time of day, which no page can know."""
WITH_DAY = r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2} )?"
"""Stands before it where it is of tomorrow."""


def read_sessions(page: Path) -> list[tuple[str, str]]:
    """Return the commands of the sessions on a page, each with what it prints there."""
    blocks = re.findall(
        r"^```\{code-block\} (?:text|console)\n(\$ .*?)^```$",
        page.read_text(),
        re.MULTILINE | re.DOTALL,
    )
    parts = re.split(r"^\$ (.*)\n", "".join(blocks), flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def make_pattern(shown: str) -> str:
    """Return a pattern of what may be printed: ``…`` is any text, on a line of its own any lines."""
    lines = []
    for line in shown.rstrip("\n").splitlines():
        words = [
            re.sub(VARIES, lambda _: WITH_DAY + VARIES, re.escape(word)) for word in line.split("…")
        ]
        lines.append("(?:.*\n)*?" if line == "…" else ".*".join(words) + " *\n")
    return "".join(lines)


def make_shown_app(page: Path, namespace: dict[str, Any], uri: str) -> Flask:
    """Return the app of a session: that of the page's examples, or one with records in its store."""
    if page.name in ("redaction.md", "reproduce.md", "rollups.md"):
        app: Flask = namespace["app"]
        return app
    app = Flask("shop")
    app.config.update(TRACKING_MONGODB_URI=uri, TRACKING_EXCLUDE_STATUS_CODES=[304])
    Tracking(app)
    bodies = [b"a=1", b"b=2", b"password=hunter2"] * 100
    store = app.extensions["tracking"].exporter
    store.export(
        [
            dataclasses.replace(
                make_record(custom_data={"tenant": "acme"}),
                request_body=body,
                kept=at < 30,
                redaction_version=None,
            )
            for at, body in enumerate(bodies)
        ]
    )
    now = datetime.now(timezone.utc)
    store.rollups.store([Rollup(width_s=60, start=align(now, 60), source="web1:7:a.1")])
    return app


@pytest.mark.parametrize(
    "page", [page for page in PAGES if read_sessions(page)], ids=lambda page: page.name
)
def test_sessions_print_what_is_shown(page: Path, run_page: RunPage, database_uri: str) -> None:
    """Every command that a page shows prints what stands below it; ``cat`` shows its input."""
    runner = make_shown_app(page, run_page(page), database_uri).test_cli_runner()
    for command, shown in read_sessions(page):
        program, *arguments = shlex.split(command)
        if program == "cat":
            Path(arguments[0]).write_text(shown.rstrip("\n"))
            continue
        assert program == "flask", command
        result = runner.invoke(args=arguments)
        assert re.fullmatch(make_pattern(shown), result.output), f"{command}\n{result.output}"


# Messages


SAYS: dict[str, int] = {
    "ConfigError": 0,
    "ExportError": 0,
    "FilterError": 0,
    "NoDatabaseError": 0,
    "Problem": 1,
    "TrackingError": 0,
    "warn": 0,
    "warning": 0,
    "warn_rarely": 1,
}
"""Which argument of what is called is a message."""


def read_template(node: ast.expr) -> str:
    """Return a text with ``…`` for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub("%[sd]", "…", node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(read_template, node.values))
    return "…"


class Sources(NamedTuple):
    """What stands in the package's code, with ``…`` for what is filled in."""

    texts: frozenset[str]
    messages: frozenset[str]
    """All that it says in its log and in its errors."""


@functools.cache
def read_sources() -> Sources:
    """Read the package's code, once for all tests."""
    texts, messages = set(), set()
    for path in (ROOT / "flask_tracking").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant | ast.JoinedStr):
                texts.add(read_template(node))
            elif isinstance(node, ast.Call):
                messages.add(read_message(node))
    return Sources(frozenset(texts), frozenset(messages - {"…"}))


def read_message(call: ast.Call) -> str:
    """Return the message that a call is given, or ``…``."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if name in SAYS and len(call.args) > SAYS[name]:
        return read_template(call.args[SAYS[name]])
    return "…"


def read_documented_messages() -> list[str]:
    """Return the messages that the page of the messages quotes, each with a definition."""
    terms = re.findall(r"^(`.*`)\n: ", MESSAGES.read_text(), re.MULTILINE)
    return [text for term in terms for _, text in re.findall(r"(`+) ?(.+?) ?\1(?:, |$)", term)]


@pytest.mark.repeats
def test_documented_messages_exist() -> None:
    """Every message on its page is a text of the package."""
    texts = read_sources().texts
    assert [message for message in read_documented_messages() if message not in texts] == []


def test_messages_are_documented() -> None:
    """Every message that the package says is on the page of the messages, with what to do about it."""
    assert sorted(read_sources().messages - set(read_documented_messages())) == []
