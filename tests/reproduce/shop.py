"""The demo's shop, anew for each test."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

SHOP = Path(__file__).parents[2] / "docs" / "examples" / "shop"


def load_shop() -> ModuleType:
    """Import the shop anew."""
    spec = importlib.util.spec_from_file_location("shop_under_test", SHOP / "app.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Flask looks there for the folder of the app
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    return module
