"""Commands of the past."""

from __future__ import annotations

import pytest

from tests.support.cli import run_cli

REPLACEMENTS = {
    "cancel": "job stop",
    "create": "job run",
    "describe": "job describe",
    "get": "job get",
    "id": "agent node",
    "list": "job list",
    "logs": "job logs",
    "validate": "job validate",
}


@pytest.mark.parametrize("name", REPLACEMENTS)
@pytest.mark.parametrize("arguments", [[], ["j-1", "more"], ["--output", "json"], ["-f", "j-1"]])
def test_they_name_their_replacement_and_fail(name: str, arguments: list[str]) -> None:
    outcome = run_cli(name, *arguments)
    notice = f'Command "{name}" is deprecated, use `bacalhau {REPLACEMENTS[name]}`\n'
    assert (outcome.code, outcome.stdout, outcome.stderr) == (1, "", notice)


def test_scripts_that_need_success_can_have_it() -> None:
    environment = {"BACALHAU_DEPRECATED_COMMANDS_SUCCEED": "1"}
    outcome = run_cli("list", environment=environment)
    assert outcome.code == 0
    assert "is deprecated" in outcome.stderr


def test_they_are_not_shown_and_not_suggested() -> None:
    page = run_cli("--help").stdout
    shown = {
        line.split()[0] for line in page.splitlines() if line.startswith("  ") and line.split()
    }
    assert "job" in shown
    assert not shown & set(REPLACEMENTS)
    assert "list" not in run_cli("lists").stderr.partition("Did you mean")[2]
