"""The part of Go's text/template that job files use, over texts by their names (spec cli.md 12).

A name that does not exist is an error (``missingkey=error``). Rendering always ends: loops, nesting
and the length of the result have bounds.
"""

from bacalhau.lib.gotemplate.failure import TemplateError
from bacalhau.lib.gotemplate.rendering import render

__all__ = ["TemplateError", "render"]
