"""Write the reference pages that follow from tables in the code: ``docs/reference``.

Run it after a change to the table of configuration keys or to the catalogue of errors; a test
compares.
"""

from __future__ import annotations

from pathlib import Path

from bacalhau.api.answers import STATUS_BY_CODE
from bacalhau.config import KEYS
from bacalhau.error_codes import Area, Code

_FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"


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


def errors() -> str:
    """Return the page of errors."""
    lines = [
        "# Errors",
        "",
        "Every error has a message that names what it is about, mostly a hint, and a code. The",
        "command line prints message and hint, and the code with `DEBUG=true`; it ends with exit",
        "code 1. The HTTP API sends all three as `Message`, `Hint` and `Code`; the history of a",
        "job has `Message`, `Details.Hint` and `Details.ErrorCode`, there as `COMPONENT:CODE`.",
        "",
        "Codes of S3 servers are passed on as they come; those listed are the ones with advice of",
        "their own. Plug-ins may bring further ones.",
    ]
    for area in Area:
        lines += [
            "",
            f"## {area.value}",
            "",
            "| code | HTTP status | cause | what to do |",
            "| --- | --- | --- | --- |",
        ]
        for code in Code:
            if code.area is area:
                status = STATUS_BY_CODE.get(code, "")
                lines.append(f"| `{code}` | {status} | {code.cause} | {code.remedy} |")
    return "\n".join([*lines, ""])


PAGES = {_FOLDER / "configuration.md": configuration, _FOLDER / "errors.md": errors}
"""What each page consists of."""


if __name__ == "__main__":
    for path, content in PAGES.items():
        path.write_text(content(), encoding="utf-8")
