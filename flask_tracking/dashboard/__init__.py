"""The dashboard: pages in the user's own app that show what was recorded.

A leaf: nothing else of the package needs it. It reads through `queries`, `present`, `reproduce` and a
store, and changes nothing but which records are kept.
"""

from .mount import mount

__all__ = ["mount"]
