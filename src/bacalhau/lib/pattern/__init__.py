"""Regular expressions of RE2, matched in time linear in the text (spec storage.md 3.5, cli.md 12).

Filters come from job authors and run on the node, where Python's ``re`` would let one expression
such as ``(a+)+$`` hold the whole process. ``compile_pattern(text).matches(name)`` does not.
"""

from bacalhau.lib.pattern.matcher import Pattern, compile_pattern
from bacalhau.lib.pattern.parser import PatternError

__all__ = ["Pattern", "PatternError", "compile_pattern"]
