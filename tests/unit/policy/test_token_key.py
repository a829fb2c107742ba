"""The key that signs tokens is made once and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bacalhau.errors import UserError
from bacalhau.policy.token_key import TokenKey, token_key

if TYPE_CHECKING:
    from pathlib import Path


def test_a_key_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    late = TokenKey(path)
    late.check()
    assert not path.exists()
    first = late.load()
    assert late.load() is first
    late.check()
    assert path.stat().st_mode & 0o777 == 0o600
    assert token_key(path).private_numbers() == first.private_numbers()
    assert first.key_size == 2048


@pytest.mark.parametrize("kind", ["text", "elliptic", "directory"])
def test_what_is_no_key_is_told_with_the_remedy(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "key.pem"
    if kind == "directory":
        path.mkdir()
    elif kind == "text":
        path.write_text("no key")
    else:
        path.write_bytes(
            ec.generate_private_key(ec.SECP256R1()).private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    with pytest.raises(UserError, match=r"key for tokens in .*key\.pem cannot be used") as caught:
        token_key(path)
    assert "remove the file" in caught.value.hint
    if kind != "elliptic":
        with pytest.raises(UserError, match=r"key for tokens in .*key\.pem cannot be used"):
            TokenKey(path).check()
