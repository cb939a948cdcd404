"""The front door: what it offers, where that comes from, and what it costs."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import flask_tracking

ROOT = Path(flask_tracking.__file__).parents[1]


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a fresh interpreter that finds the package under test."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )


def typed_imports() -> dict[str, str]:
    """Return what the ``TYPE_CHECKING`` block imports: the module of each name."""
    tree = ast.parse(inspect.getsource(flask_tracking))
    (block,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    modules = {}
    for statement in block.body:
        assert isinstance(statement, ast.ImportFrom)
        assert statement.level == 1
        for alias in statement.names:
            assert alias.asname is None
            modules[alias.name] = str(statement.module)
    return modules


def test_all_is_sorted_and_names_each_thing_once() -> None:
    """``__all__`` is sorted and names each thing once."""
    assert flask_tracking.__all__ == sorted(set(flask_tracking.__all__))


def test_all_names_what_can_be_looked_up() -> None:
    """``__all__`` names exactly what the front door knows how to find."""
    assert set(flask_tracking.__all__) == set(flask_tracking._MODULES)


def test_type_checkers_see_what_the_interpreter_finds() -> None:
    """A type checker is told to find each name in the module where the interpreter finds it."""
    assert typed_imports() == flask_tracking._MODULES


@pytest.mark.parametrize("name", flask_tracking.__all__)
def test_names_are_those_of_their_modules(name: str) -> None:
    """A name of the front door is the very thing in the module that defines it."""
    module = import_module(f"flask_tracking.{flask_tracking._MODULES[name]}")
    value = flask_tracking.__getattr__(name)

    assert value is getattr(module, name)
    assert value is getattr(flask_tracking, name)
    assert getattr(value, "__module__", None) == module.__name__
    assert name in module.__dict__.get("__all__", [name])


def test_looked_up_names_stay() -> None:
    """A name that was looked up once is an ordinary attribute from then on."""
    assert flask_tracking.__getattr__("Filter") is vars(flask_tracking)["Filter"]


def test_unknown_name_is_an_attribute_error() -> None:
    """A name that the front door does not offer is an ``AttributeError`` that says which."""
    with pytest.raises(AttributeError) as caught:
        _ = flask_tracking.Trackign

    assert str(caught.value) == "module 'flask_tracking' has no attribute 'Trackign'"


def test_unknown_import_is_an_import_error() -> None:
    """Importing a name that is not there is an ``ImportError``, as from any module."""
    with pytest.raises(ImportError, match="cannot import name 'Trackign'"):
        exec("from flask_tracking import Trackign", {})  # noqa: S102 - it is the statement under test


def test_dir_lists_all_names() -> None:
    """``dir()`` lists the names that were not looked up yet as well."""
    assert set(flask_tracking.__all__) <= set(dir(flask_tracking))
    assert dir(flask_tracking) == sorted(set(dir(flask_tracking)))


def test_star_import_gives_all_names() -> None:
    """``from flask_tracking import *`` gives what ``__all__`` names."""
    namespace: dict[str, object] = {}

    exec("from flask_tracking import *", namespace)  # noqa: S102 - it is the statement under test

    assert set(flask_tracking.__all__) <= set(namespace)


@pytest.mark.integration
def test_import_costs_neither_flask_nor_a_database_driver() -> None:
    """Importing the package imports neither Flask nor MongoEngine nor PyMongo."""
    finished = run_python("-X", "importtime", "-c", "import flask_tracking")

    imported = {
        line.rpartition("|")[2].strip().partition(".")[0]
        for line in finished.stderr.splitlines()
        if line.startswith("import time:")
    }
    assert "flask_tracking" in imported
    assert imported.isdisjoint({"flask", "werkzeug", "mongoengine", "pymongo", "bson", "ua_parser"})


@pytest.mark.integration
@pytest.mark.parametrize(
    ("name", "unwanted"),
    [
        ("ConfigError", {"flask", "pymongo", "mongoengine"}),
        ("Filter", {"flask", "pymongo", "mongoengine"}),
        ("Settings", {"flask", "pymongo", "mongoengine"}),
        ("MemoryExporter", {"flask", "mongoengine"}),
        ("Tracking", {"mongoengine"}),
    ],
)
def test_name_costs_only_its_leaf(name: str, unwanted: set[str]) -> None:
    """Looking a name up imports what it needs, and no more."""
    script = f"import sys; from flask_tracking import {name}; print(*sys.modules)"

    loaded = set(run_python("-c", script).stdout.split())

    assert f"flask_tracking.{flask_tracking._MODULES[name]}" in loaded
    assert loaded.isdisjoint(unwanted)
