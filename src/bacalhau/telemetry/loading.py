"""Importing structlog alone.

Where they are installed, structlog takes along what draws coloured tracebacks on terminals: rich,
Pygments and others, 8 MiB that a server never uses.
"""

from __future__ import annotations

import sys

_UNWANTED = ("better_exceptions", "colorama", "greenlet", "rich")


def load_structlog() -> None:
    """Import structlog, which finds none of what is unwanted. Must come before any other import."""
    hidden = [name for name in _UNWANTED if name not in sys.modules]
    # With None in its place, importing a module fails as if it were not installed.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        import structlog  # noqa: F401 - for those that come after
    finally:
        for name in hidden:
            del sys.modules[name]
