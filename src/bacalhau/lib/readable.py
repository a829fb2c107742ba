"""Text from outside whose bytes are not all UTF-8, such as names of files, and headers."""

from __future__ import annotations


def readable(text: str) -> str:
    r"""Return a text that can be stored and sent; its foreign bytes appear as ``\xff``.

    ``text`` has them as surrogates (PEP 383), as the interpreter and HTTP libraries decode them.
    """
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")
