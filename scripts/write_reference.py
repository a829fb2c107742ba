"""Write the reference pages that follow from tables in the code: ``docs/reference``.

Run it after a change to the table of configuration keys; a test compares.
"""

from __future__ import annotations

from pathlib import Path

from bacalhau.config import KEYS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "configuration.md"


def configuration() -> str:
    """Return the page of configuration keys."""
    rows = [
        f"| `{key.name}` | {_shown(key.default)} | `{key.variable}` | {key.description} |"
        for key in sorted(KEYS, key=lambda key: key.name)
    ]
    return "\n".join(
        [
            "# Configuration keys",
            "",
            "Set a key for one call with `-c KEY=VALUE`, for a process with its variable, or in a",
            "YAML file; the first of these that sets a key wins. Files are those named with",
            "`-c FILE.yaml`, later ones over earlier ones, or else `config.yaml` in the DataDir.",
            "`bacalhau config set KEY=VALUE` writes that file; `bacalhau config list` shows what",
            "counts. Names are not case-sensitive. Durations are written as in Go: `90s`, `1m30s`.",
            "Lists are separated by commas, and are lists in a file.",
            "",
            "| key | default | variable | what |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _shown(value: object) -> str:
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    text = text.lower() if isinstance(value, bool) else text
    return f"`{text}`" if text else "-"


if __name__ == "__main__":
    PAGE.write_text(configuration(), encoding="utf-8")
