"""What layouts are made of."""

from __future__ import annotations

from typing import NamedTuple


class Piece(NamedTuple):
    """A part of a layout: an element, by the text that Go has for it, or literal text."""

    text: str
    is_element: bool
