"""Files that say who may log in."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import UserError
from bacalhau.policy import passwords
from bacalhau.policy.grant import EVERYBODY, OWNER, Grant, Permission
from bacalhau.policy.passwords import hash_password, is_password
from bacalhau.policy.policy_file import read_asked, read_clients

if TYPE_CHECKING:
    from pathlib import Path

ID = "ab" * 32
SALT = base64.b64encode(b"salt").decode()


def write(directory: Path, text: str) -> Path:
    path = directory / "policy.yaml"
    path.write_text(text)
    return path


def test_clients_by_their_keys(tmp_path: Path) -> None:
    found = read_clients(
        write(
            tmp_path,
            f"""
            Clients:
            - ID: {ID}
            - ID: {"cd" * 32}
              Admin: true
              Namespaces:
                "*": [read]
                team: [Read, write]
                mine: [all]
            """,
        )
    )
    assert found[ID] == Grant(subject=ID, namespaces={"*": EVERYBODY, ID: OWNER})
    admin = found["cd" * 32]
    assert admin.is_admin
    assert admin.permission("other") == Permission.READ
    assert admin.permission("team") == Permission.READ | Permission.WRITE
    assert admin.where(Permission.CANCEL) == ["mine"]


def test_users_and_their_passwords(tmp_path: Path) -> None:
    kept = hash_password("correct horse", b"salt")
    found = read_asked(
        write(tmp_path, f"Users:\n- Name: alice\n  Password: ['{kept}', '{SALT}']\n")
    )
    alice = found.users["alice"]
    assert alice.grant == Grant(subject="alice", namespaces={"*": EVERYBODY, "alice": OWNER})
    assert is_password("correct horse", alice.hash, alice.salt)
    assert not is_password("wrong", alice.hash, alice.salt)


def test_a_secret_that_several_share(tmp_path: Path) -> None:
    found = read_asked(write(tmp_path, "Secret: {Secret: s3cret}"))
    assert found.secret == "s3cret"
    assert found.secret_grant == Grant(namespaces={"*": OWNER})
    some = read_asked(write(tmp_path, "Secret: {Secret: s, Admin: true, Namespaces: {a: [read]}}"))
    assert some.secret_grant == Grant(namespaces={"a": Permission.READ}, is_admin=True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expected `object`, got `null`"),
        ("{", "it is not YAML: line 2"),
        ("Clients: [{ID: x}]", "matching regex"),
        (f"Clients: [{{ID: {ID}, Namespaces: {{a: [fly]}}}}]", '"fly" is no permission'),
        (f"Clients: [{{ID: {ID}, Admn: true}}]", "unknown field `Admn`"),
    ],
)
def test_lists_of_clients_that_cannot_be_used(tmp_path: Path, text: str, reason: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UserError) as refused:
        read_clients(path)
    assert refused.value.message.startswith(f"policy {path} cannot be used: ")
    assert reason in refused.value.message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{}", "either Users or Secret"),
        ("{Users: [], Secret: {Secret: x}}", "either Users or Secret"),
        ("Users: [{Name: a, Password: [x]}]", "length 2"),
        ("Users: [{Name: a, Password: [x, '%']}]", "user a: the salt is not base64"),
        ("Secret: {Secret: ''}", "length >= 1"),
    ],
)
def test_questions_that_cannot_be_asked(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(UserError, match="cannot be used") as refused:
        read_asked(write(tmp_path, text))
    assert reason in refused.value.message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_clients(tmp_path / "absent.yaml")


def test_making_the_hash_of_a_password() -> None:
    command = [sys.executable, "-m", "bacalhau.policy.passwords"]
    done = subprocess.run(
        command, input="open sesame\n", capture_output=True, text=True, check=True
    )
    kept, salt = json.loads(done.stdout)
    assert is_password("open sesame", kept, salt)
    assert subprocess.run(command, input=b"\n", capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize("gone", [EOFError, KeyboardInterrupt])
def test_who_gives_no_password_after_all_sees_no_trace_of_the_program(
    gone: type[BaseException], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def leave() -> str:
        raise gone

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", leave)
    assert passwords.main() == 1
    assert capsys.readouterr() == ("", "\n")
