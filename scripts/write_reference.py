"""Write the reference pages that follow from tables in the code: ``docs/reference``.

Run it after a change to the table of configuration keys, to the catalogue of errors, or to what
tests of S3 input declare; a test compares.
"""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path

from bacalhau.api.answers import STATUS_BY_CODE
from bacalhau.config import KEYS
from bacalhau.error_codes import Area, Code

_ROOT = Path(__file__).resolve().parent.parent
_FOLDER = _ROOT / "docs" / "reference"


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


def s3_cases() -> str:
    """Return the page of what is shown about S3 input, on which server, and by which test."""
    sys.path.insert(0, str(_ROOT))  # the tests are no package of ours
    from tests.support.s3_cases import ROWS, declared

    lines = [
        "# S3 input: what is shown, and on which server",
        "",
        "Every row is a test in `tests/integration/s3`, which `make test` runs against real",
        "servers that it starts: OpenStack Swift and Ceph RGW. A stand-in answers where neither",
        "can be brought to: what only AWS says, answers that leave out what they may, listings of",
        "100,000 keys. Where no server is asked, none is needed: parameters are judged first. With",
        "Swift, faults of the network come from a proxy in front of it.",
        "",
        "No server here shows: the certificates of AWS for buckets with dots (H09 shows the",
        "addresses); a bucket that really moved between regions, or an archive that really takes",
        "hours (H01 to H04 and I11 are a stand-in's answers); stored SHA-256 checksums, which",
        "neither server tells (G01, G02, G06, G09); encryption with keys of a real key service",
        "(I09 is Ceph's own key).",
    ]
    shown = declared()
    for letter, (title, _) in ROWS.items():
        lines += ["", f"## {letter}. {title}", "", "| row | shown | server | test |"]
        lines.append("| --- | --- | --- | --- |")
        mine = [item for item in shown if item.row.startswith(letter)]
        for (row, what, test), group in groupby(mine, lambda it: (it.row, it.what, it.test)):
            servers = ", ".join(dict.fromkeys(item.server.value for item in group))
            lines.append(f"| {row} | {_in_cell(what)} | {servers} | `{test}` |")
    return "\n".join([*lines, ""])


def _in_cell(text: str) -> str:
    """Write a text so that it stays in its cell, and controls and blanks are seen."""
    visible = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return visible.replace("|", "\\|")


PAGES = {
    _FOLDER / "configuration.md": configuration,
    _FOLDER / "errors.md": errors,
    _FOLDER / "s3.md": s3_cases,
}
"""What each page consists of."""


if __name__ == "__main__":
    for path, content in PAGES.items():
        path.write_text(content(), encoding="utf-8")
