"""Sources of identifiers; implement ``bacalhau.ports.Ids``."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random


_DERIVED = uuid.UUID("5d3c9f0e-6a41-4b7e-9d55-0c1f7be2a4d6")


def derived_uuid(*texts: str) -> str:
    """Return the UUID, version 5, that always stands for the same texts in the same order."""
    return str(uuid.uuid5(_DERIVED, "\0".join(texts)))


class RandomIds:
    """Identifiers that nobody can guess."""

    def uuid(self) -> str:
        """A fresh UUID, version 4, in lower-case hex with dashes."""
        return str(uuid.uuid4())  # noqa: TID251 - this is the one place


class SeededIds:
    """Identifiers that repeat with the seed, for simulations and tests."""

    def __init__(self, source: random.Random) -> None:
        self._source = source

    def uuid(self) -> str:
        """The next UUID, version 4, in lower-case hex with dashes."""
        return str(uuid.UUID(int=self._source.getrandbits(128), version=4))
