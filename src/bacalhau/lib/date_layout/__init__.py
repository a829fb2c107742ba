"""Dates in texts, described by a layout of Go or by one of ``strftime`` (spec storage.md 9.1).

``read_layout("2006-01-02").date_of("2024-01-15.log")`` is ``b"2024-01-15"``.
"""

from bacalhau.lib.date_layout.layout import DateLayout, LayoutError, read_layout

__all__ = ["DateLayout", "LayoutError", "read_layout"]
