"""Completing words: what is offered, and a shell that asks for it."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bacalhau.config import KEYS
from tests.support.cli import run_cli

SHELLS = ["bash", "fish", "powershell", "zsh"]
FILES, NO_FILES = 0, 4


def offered(*words: str) -> tuple[list[str], int]:
    """Return the candidates for the last word, and how the shell goes on."""
    outcome = run_cli("__completeNoDesc", *words)
    assert (outcome.code, outcome.stderr) == (0, "")
    *candidates, last = outcome.stdout.splitlines()
    return candidates, int(last.removeprefix(":"))


def test_commands() -> None:
    assert offered("jo") == (["job"], NO_FILES)
    assert offered("wasm", "") == (["run", "validate"], NO_FILES)
    assert offered("--api-port", "1", "-c", "a=b", "wasm", "v") == (["validate"], NO_FILES)
    assert offered("completion", "") == (SHELLS, NO_FILES)
    names, _ = offered("")
    assert {"agent", "devstack", "job"} <= set(names)
    assert not {"list", "__complete"} & set(names)


def test_commands_come_with_what_they_do() -> None:
    outcome = run_cli("__complete", "job", "sto")
    assert outcome.stdout == "stop\tStop a job.\n:4\n"


def test_flags() -> None:
    assert offered("job", "list", "--order-") == (["--order-by", "--order-reversed"], NO_FILES)
    assert offered("job", "logs", "--f") == (["--follow"], NO_FILES)
    assert offered("job", "logs", "j-1", "--f") == (["--follow"], NO_FILES)
    assert offered("--api-h") == (["--api-host"], NO_FILES)
    assert set(offered("job", "logs", "-")[0]) >= {"-f", "--follow", "-c"}
    assert offered("docker", "run", "--concurr")[0] == [], "deprecated flags are not offered"
    assert offered("docker", "run", "ubuntu", "--", "--cp") == ([], FILES)


def test_values_of_flags() -> None:
    assert offered("job", "list", "--output", "j") == (["json"], NO_FILES)
    assert offered("job", "list", "--output=") == (["table", "csv", "json", "yaml"], NO_FILES)
    assert offered("job", "list", "--output", "json", "--wid") == (["--wide"], NO_FILES)
    assert offered("job", "get", "j-1", "--output-dir", "") == ([], FILES)
    assert offered("job", "run", "-f", "") == ([], FILES)
    assert offered("docker", "run", "-fi", "") == ([], FILES)


def test_configuration_keys() -> None:
    no_space = 2
    expected = [f"{key.name}=" for key in KEYS if key.name.startswith("API.")]
    assert offered("-c", "API.") == (expected, no_space)
    assert offered("job", "list", "--config", "API.H") == (["API.Host="], no_space)
    assert offered("job", "list", "--config=API.H") == (["API.Host="], no_space)
    assert offered("-c", "api.") == ([], FILES), "case matters, and a file may be meant"
    assert "API.Host=\tAddress" in run_cli("__complete", "-c", "API.H").stdout


def test_where_nothing_is_known_files_are_offered() -> None:
    assert offered("job", "run", "") == ([], FILES)
    assert offered("nonsense", "more") == ([], FILES)
    assert offered("docker", "run", "-") != ([], FILES)
    assert offered("-") != ([], FILES)


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_name_program_and_request(shell: str) -> None:
    script = run_cli("completion", shell).stdout
    assert "bacalhau" in script
    assert " __complete " in script
    assert not re.search("@[A-Z]+@", script)
    bare = run_cli("completion", shell, "--no-descriptions").stdout
    assert " __completeNoDesc " in bare


def test_a_shell_has_to_be_named() -> None:
    outcome = run_cli("completion")
    assert outcome.code == 0
    assert "Available Commands:\n  bash " in outcome.stdout


@pytest.mark.parametrize(
    ("line", "flags", "replies"),
    [
        ("bacalhau jo", "", ["job"]),
        ("bacalhau wasm ", "--no-descriptions", ["run", "validate"]),
        (
            "bacalhau wasm ",
            "",
            [
                "run       (Run a WebAssembly module as a job.)",
                "validate  (Check that a WebAssembly module can run.)",
            ],
        ),
        ("bacalhau job list --output=ya", "", ["yaml"]),
        ("bacalhau -c API.H", "", ["API.Host="]),
        ("bacalhau job describe ", "", []),
    ],
)
def test_bash(line: str, flags: str, replies: list[str], tmp_path: Path) -> None:
    bash = shutil.which("bash")
    assert bash, "the tests need Bash"
    program = tmp_path / "bacalhau"
    command = f"{shlex.quote(sys.executable)} -m bacalhau.cli.main"
    program.write_text(f'#!{bash}\nexec {command} "$@"\n')
    program.chmod(0o755)
    script = f"""
        PATH={tmp_path}:$PATH
        source <(bacalhau completion bash {flags})
        COMP_LINE=$1 COMP_POINT=${{#1}} COMP_TYPE=9
        _bacalhau_complete
        (( ${{#COMPREPLY[@]}} )) && printf '%s\\n' "${{COMPREPLY[@]}}"
        complete -p bacalhau >&2
    """
    done = subprocess.run(
        [bash, "--norc", "-c", script, "bash", line],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines() == replies, done.stderr
    assert "-F _bacalhau_complete bacalhau" in done.stderr
