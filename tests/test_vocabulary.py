"""The names in the package are the field's words, and each stands for one thing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import flask_tracking

PACKAGE = Path(flask_tracking.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

BETTER = {
    "living": "weak registry",
    "memo": "bounded cache",
    "gate": "lock",
    "look": "scan, hits",
    "looks": "scan, hits",
    "sight": "hits",
    "revision": "stored-record redaction",
    "wrapped": "encoded",
    "agent": "user agent",
    "agents": "user agents",
    "configured": "custom patterns",
    "finder": "detector",
    "statements": "shell and SQL",
    "forget": "unkeep",
    "temporary": "override",
}
"""Words that were in use here for something that the field has a word for."""


def read_names(module: Path) -> Iterator[str]:
    """Return the name of a module, and those of its classes, functions and constants."""
    yield module.stem
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("__"):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id.isupper():
            yield node.id


def split_name(name: str) -> list[str]:
    """Return the words of a name in lower case; a user agent is one word."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return words.replace("user_agent", "useragent").strip("_").split("_")


@pytest.mark.repeats
@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_names_are_the_fields_words(module: Path) -> None:
    """No module, class, function or constant has a word for which there is a better one."""
    worse = {
        name: BETTER[word] for name in read_names(module) for word in split_name(name) if word in BETTER
    }
    assert worse == {}


def test_one_word_for_one_thing() -> None:
    """A span is a running request; a part of a text is a range."""
    redaction = [module for module in MODULES if "redaction" in module.parts]
    spans = [name for module in redaction for name in read_names(module) if "Span" in name]
    assert redaction
    assert spans == []
