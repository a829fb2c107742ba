"""Logging in as Go clients do."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.support.api_server import TOKEN_KEY, Api, Reply, Stage, call, make_api

pytestmark = pytest.mark.asyncio(loop_scope="module")

_AUTH = "/api/v1/auth"
_METHOD = f"{_AUTH}/clientkey"
_CLIENT_KEY = rsa.generate_private_key(65537, 2048)


@pytest.fixture
def api(stage: Stage) -> Api:
    return stage.put_on(make_api())


def answer_to(phrase: str, key: rsa.RSAPrivateKey = _CLIENT_KEY) -> dict[str, str]:
    signed = key.sign(base64.b64decode(phrase), padding.PKCS1v15(), hashes.SHA256())
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.PKCS1
    )
    return {
        "PhraseSignature": base64.b64encode(signed).decode(),
        "PublicKey": base64.b64encode(public).decode(),
    }


async def log_in(api: Api, data: Any, path: str = _METHOD) -> Reply:
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    body = {
        "Namespace": "",
        "Credential": None,
        "Name": "clientkey",
        "MethodData": base64.b64encode(text).decode(),
    }
    return await call(api, "POST", path, json=body)


async def challenge(api: Api) -> str:
    method = (await call(api, "GET", _METHOD)).body
    assert method["type"] == "challenge"
    return str(method["params"]["InputPhrase"])


async def test_who_signs_the_challenge_gets_a_token(api: Api) -> None:
    listed = (await call(api, "GET", _AUTH)).body["Methods"]
    phrase = listed["clientkey"]["params"]["InputPhrase"]
    reply = await log_in(api, answer_to(phrase))
    assert reply.status == 200
    token = reply.body["Authentication"]["token"]
    assert reply.body == {"Authentication": {"success": True, "token": token}}
    claims = jwt.decode(
        token, TOKEN_KEY.public_key(), ["RS256"], audience="n-here", issuer="n-here"
    )
    assert claims["exp"] - claims["iat"] == 30 * 24 * 3600
    client = claims["sub"]
    assert len(client) == 64
    assert claims["ns"] == {"*": 5, client: 15}


async def test_a_challenge_names_the_server_and_is_never_the_same(api: Api) -> None:
    phrases = {base64.b64decode(await challenge(api)).decode() for _ in range(3)}
    assert len(phrases) == 3
    assert all("n-here" in phrase for phrase in phrases)


async def test_an_answer_counts_once(api: Api) -> None:
    answer = answer_to(await challenge(api))
    assert (await log_in(api, answer)).status == 200
    again = await log_in(api, answer)
    assert again.status == 401
    assert again.body["Authentication"]["success"] is False
    assert "has been answered" in again.body["Authentication"]["reason"]


async def test_the_node_id_of_v1_5_is_no_challenge(api: Api) -> None:
    reply = await log_in(api, answer_to(base64.b64encode(b"n-here").decode()))
    assert reply.status == 401


async def test_a_signature_of_another_key_is_refused(api: Api) -> None:
    other = rsa.generate_private_key(65537, 2048)
    phrase = await challenge(api)
    mixed = {**answer_to(phrase, other), "PublicKey": answer_to(phrase)["PublicKey"]}
    reply = await log_in(api, mixed)
    assert reply.status == 401
    assert "token" not in reply.body["Authentication"]


async def test_weak_keys_are_refused(api: Api) -> None:
    for key in (rsa.generate_private_key(65537, 1024), rsa.generate_private_key(3, 2048)):
        reply = await log_in(api, answer_to(await challenge(api), key))
        assert reply.status == 401
        assert "2048" in reply.body["Authentication"]["reason"]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"no json", "invalid JSON"),
        ({"PublicKey": "%%", "PhraseSignature": ""}, "PublicKey is not base64"),
        ({"PublicKey": "AAAA", "PhraseSignature": ""}, "PublicKey is no public key"),
        ({}, "PublicKey is no public key"),
    ],
)
async def test_what_is_no_proof_at_all_is_told(api: Api, data: Any, complaint: str) -> None:
    reply = await log_in(api, data)
    assert reply.status == 400
    assert complaint in reply.body["Message"]


async def test_method_data_must_be_base64(api: Api) -> None:
    reply = await call(api, "POST", _METHOD, json={"Name": "clientkey", "MethodData": "{}"})
    assert reply.status == 400
    assert "MethodData is not base64" in reply.body["Message"]


async def test_other_methods_are_not_found(api: Api) -> None:
    assert (await call(api, "GET", f"{_AUTH}/ask")).status == 404
    assert (await log_in(api, {}, f"{_AUTH}/ask")).status == 404
