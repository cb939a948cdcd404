"""The dashboard: pages in the user's own app that show what was recorded.

Nothing else in the package imports it. It reads through `queries`, `present`, `reproduce` and a store,
and the only change it makes is to keep records or stop keeping them.
"""

from .mount import mount

__all__ = ["mount"]
