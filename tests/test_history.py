"""What the demo invents: its tracebacks say nothing that is not so."""

from __future__ import annotations

import importlib
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parent.parent / "docs" / "examples"


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return what imports a module of the demo, which is a script and not installed."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield lambda name: importlib.import_module(f"shop.{name}")
    for name in [one for one in sys.modules if one == "shop" or one.startswith("shop.")]:
        monkeypatch.delitem(sys.modules, name)


def test_tracebacks_quote_the_shop(shop: Any) -> None:
    """Each frame of the shop has the number and the text of a line in the function that it names."""
    history, dice = shop("history"), random.Random(1)
    source = (EXAMPLES / "shop" / "app.py").read_text(encoding="utf-8").splitlines()
    for error in (history.GIFT_CARD, history.PAYMENT, history.DIVISION):
        traceback = history._make_exception(dice, error).traceback
        frames = re.findall(r'File "shop/app.py", line (\d+), in (\w+)\n    (.+)', traceback)
        assert len(frames) == len(error.calls)
        for line, function, text in frames:
            assert source[int(line) - 1].strip() == text
            before = [one for one in source[: int(line)] if one.startswith("def ")]
            assert before[-1].startswith(f"def {function}(")
