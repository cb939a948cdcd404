"""``python -m tests.conformance``: the table of views and servers."""

from __future__ import annotations

import sys

from .command import main

if __name__ == "__main__":
    sys.exit(main())
