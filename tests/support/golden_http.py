"""Exchanges recorded from v1.5.2: reading them, and comparing ours with them.

Placeholders such as ``<job_id>`` stand for values. In what we send and store they are replaced by
values of ours; in what comes back, a value is compared with them by kind. The same placeholder is
the same value within one exchange, but for times and amounts.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bacalhau.lib.timestamps import parse_rfc3339, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parent.parent / "data" / "golden-http"
OVERRIDES: dict[str, Any] = json.loads((FOLDER.parent / "golden-http-overrides.json").read_text())

_PLACEHOLDER = re.compile(r"<([a-z][a-z0-9_]*)>")
_SECOND = re.compile(r"_\d+$")
_START_NS = 1_732_104_000_123_456_789
_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_PATTERNS = {
    "job_id": f"j-{_UUID}",
    "execution_id": f"e-{_UUID}",
    "node_id": f"n-{_UUID}",
    "evaluation_id": _UUID,
    "uuid": _UUID,
    "request_id": "[0-9A-Za-z]{32}",
}
_LETTERS = {"job_id": "j-", "execution_id": "e-", "node_id": "n-"}
_AMOUNTS = {"cpu": 3.5, "memory": 8_000_000_000, "disk": 100_000_000_000, "port": 6001}
_ADDRESSES = frozenset({"api_address", "nats_address", "publisher_address", "file_server"})
_SETS = frozenset({"ExecutionEngines", "Publishers", "StorageSources"})


class Values:
    """What the placeholders of one exchange stand for."""

    def __init__(self) -> None:
        self._bound: dict[str, str] = {}
        self._time_ns = _START_NS

    def fill(self, data: Any) -> Any:
        """Replace all placeholders in JSON data by values."""
        if isinstance(data, dict):
            return {key: self.fill(value) for key, value in data.items()}
        if isinstance(data, list):
            return [self.fill(value) for value in data]
        if not isinstance(data, str):
            return data
        whole = _PLACEHOLDER.fullmatch(data)
        if whole:
            return self._value(whole[1])
        return _PLACEHOLDER.sub(lambda match: str(self._value(match[1])), data)

    def _value(self, name: str) -> str | float:
        kind = _SECOND.sub("", name)
        if kind in ("time_ns", "time"):
            self._time_ns += 1_000_000_000
            return self._time_ns if kind == "time_ns" else rfc3339(self._time_ns)
        if kind in _AMOUNTS:
            return _AMOUNTS[kind]
        if kind.endswith("_short"):
            return self.bound(name.replace("_short", ""))[:10]
        return self.bound(name)

    def bound(self, name: str) -> str:
        """Return the value of a placeholder that always stands for the same one."""
        if name not in self._bound:
            self._bound[name] = _invented(name)
        return self._bound[name]

    def differences(self, expected: Any, actual: Any, path: str = "") -> Iterator[str]:
        """Yield a line for each way in which data is not what was recorded."""
        if isinstance(expected, dict) and isinstance(actual, dict):
            yield from self._key_differences(expected, actual, path)
            return
        if isinstance(expected, list) and isinstance(actual, list):
            if path.rpartition(".")[2] in _SETS:
                expected, actual = sorted(expected), sorted(actual)
            if len(expected) != len(actual):
                yield f"{path}: {len(expected)} items recorded, {len(actual)} now"
            for index, (old, new) in enumerate(zip(expected, actual, strict=False)):
                yield from self.differences(old, new, f"{path}[{index}]")
            return
        if isinstance(expected, str) and _PLACEHOLDER.search(expected):
            if not self._fits(expected, actual):
                yield f"{path}: {actual!r} is no {expected}"
        elif type(expected) is not type(actual) or expected != actual:
            yield f"{path}: {expected!r} recorded, {actual!r} now"

    def _key_differences(
        self, expected: dict[str, Any], actual: dict[str, Any], path: str
    ) -> Iterator[str]:
        if list(expected) != list(actual):
            yield f"{path}: keys {list(expected)} recorded, {list(actual)} now"
        for key in expected.keys() & actual.keys():
            yield from self.differences(expected[key], actual[key], f"{path}.{key}")

    def _fits(self, expected: str, actual: Any) -> bool:
        whole = _PLACEHOLDER.fullmatch(expected)
        if whole is None:
            return bool(actual == self.fill(expected))
        kind = _SECOND.sub("", whole[1])
        if kind == "time_ns":
            return type(actual) is int and actual > 0
        if kind in _AMOUNTS:
            return type(actual) in (int, float) and actual > 0
        if not isinstance(actual, str) or not actual:
            return False
        if kind == "time":
            return actual.endswith("Z") and parse_rfc3339(actual) > 0
        if kind in _PATTERNS:
            matches = re.fullmatch(_PATTERNS[kind], actual) is not None
            return matches and self._bound.setdefault(whole[1], actual) == actual
        return True


def _invented(name: str) -> str:
    kind = _SECOND.sub("", name)
    number = name.removeprefix(kind).lstrip("_") or "1"
    made = number.zfill(8) + str(uuid.uuid5(uuid.NAMESPACE_OID, kind))[8:]
    if kind in _LETTERS:
        return _LETTERS[kind] + made
    if kind in ("evaluation_id", "uuid"):
        return made
    if kind in _ADDRESSES:
        return "127.0.0.1:6001"
    if kind in ("goos", "goarch", "arch"):
        return {"goos": "linux"}.get(kind, "amd64")
    if kind == "text":
        return "a sentence of several words that is meant for people"
    if kind == "build_date":
        return "2024-10-29T15:51:32Z"
    return f"some-{kind}"


@dataclass(frozen=True)
class Exchange:
    """A recorded request with its response, changed where we chose to differ."""

    name: str
    request: dict[str, Any]
    response: dict[str, Any]

    @property
    def kind(self) -> str:
        """What is asked, such as ``job-list``."""
        name = _ASKED_OTHERWISE.get(self.name, self.name)
        return next(kind for kind in KINDS if name.startswith(kind))


_ASKED_OTHERWISE = {
    "bearer-token-garbage": "job-list",
    "old-client-list": "job-list",
    "old-client-put": "job-put",
}
KINDS = (
    "job-describe",
    "job-executions",
    "job-history",
    "job-list",
    "job-post",
    "job-put",
    "job-results",
    "job-stop",
    "logs",
    "node-describe",
    "node-list",
    "node-",
    "agent-debug",
    "old-client-history",
    "",
)


def load(name: str) -> Exchange:
    """Read one exchange, with the override that it has, if any."""
    recorded = json.loads((FOLDER / f"{name}.json").read_text())
    response = recorded["response"]
    body = response.get("body")
    override = OVERRIDES["exchanges"].get(name, {})
    for key in ("status", "frames"):
        response[key] = override.get(key, response.get(key))
    if "replaced_body" in override:
        response["body"] = override["replaced_body"]
    elif "body" in override:
        response["body"] = {**body, **override["body"]}
    for key in override.get("left_out", ()):
        del body[key]
    response["headers"] |= override.get("headers", {})
    return Exchange(name, recorded["request"], response)


def names(*kinds: str) -> list[str]:
    """Return the names of all exchanges whose name starts with one of ``kinds``."""
    return sorted(path.stem for path in FOLDER.glob("*.json") if path.stem.startswith(kinds))


def error_differences(expected: dict[str, Any], actual: Any, values: Values) -> list[str]:
    """Compare an error's envelope: a hint may be added, and the request id is filled in."""
    if not isinstance(actual, dict):
        return [f"{actual!r} is no envelope"]
    actual = dict(actual)
    better = OVERRIDES["codes"]["by_status"].get(str(expected["Status"]), [])
    if expected["Code"] == "InternalError" and actual.get("Code") in better:
        expected = {**expected, "Code": actual["Code"]}
    if "Hint" not in expected:
        actual.pop("Hint", None)
    if not actual.get("RequestID"):
        return ["RequestID is empty"]
    return list(values.differences(expected, {**actual, "RequestID": expected["RequestID"]}))
