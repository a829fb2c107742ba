"""Sessions in documents: commands after ``$``, and what they print."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_ID = r"[jen]-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[jen]-[0-9a-f]{8}"
_MOVING = re.compile(
    rf"(?P<id>{_ID})|(?P<day>[A-Z][a-z]{{2}} [ \d]\d)|(?P<time>\d\d:\d\d:\d\d(?:\.\d{{3}})?)"
    r"|(?P<arch>amd64|arm64)|(?P<blanks>[ \t]+)"
)


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a document with the output printed under it."""
    for block in _BLOCK.findall(text):
        for part in block.split("$ ")[1:]:
            command, _, output = part.partition("\n")
            yield command, output


@dataclass
class Translation:
    """Which real identifier stands for which one of the document, by their short forms."""

    known: dict[str, str] = field(default_factory=dict)

    def command(self, text: str) -> str:
        """Put real identifiers into a command."""
        return re.sub(_ID, lambda match: self._real(match[0]), text)

    def compare(self, printed: str, real: str) -> None:
        """Assert that an output is the printed one, but for identifiers, times and widths."""
        pattern, names = self._pattern(printed.strip())
        match = re.fullmatch(pattern, real.strip())
        assert match, f"{real}\n--- is not, but for ids and times ---\n{printed}"
        for group, name in names.items():
            self.known[name] = match[group][:10]

    def _pattern(self, printed: str) -> tuple[str, dict[str, str]]:
        names: dict[str, str] = {}
        parts, end = [], 0
        for match in _MOVING.finditer(printed):
            parts.append(re.escape(printed[end : match.start()]))
            parts.append(self._part(match, names))
            end = match.end()
        parts.append(re.escape(printed[end:]))
        return "".join(parts), names

    def _part(self, match: re.Match[str], names: dict[str, str]) -> str:
        if match["blanks"]:
            return r"[ \t]*" if "\n" in match.string[match.end() : match.end() + 1] else r"[ \t]+"
        if match["id"] is None:
            return r"[A-Za-z0-9:. ]+?"
        short = match["id"][:10]
        if short in self.known:
            return re.escape(self.known[short]) + r"[0-9a-f-]*"
        if short in names.values():
            group = next(key for key, value in names.items() if value == short)
            return rf"(?P={group})[0-9a-f-]*"
        group = f"id{len(names)}"
        names[group] = short
        return rf"(?P<{group}>{short[0]}-[0-9a-f]{{8}})[0-9a-f-]*"

    def _real(self, identifier: str) -> str:
        return self.known.get(identifier[:10], identifier)
