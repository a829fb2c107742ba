"""Where credentials come from, against small stand-ins for what hands them out (storage.md 2.3)."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import Code, ForbiddenError, UserError
from bacalhau.lib.clock import SystemClock
from bacalhau.sources.s3 import S3Source
from tests.support.fault_proxy import Fault, FaultProxy, fault_proxy
from tests.support.inputs import node_with

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

pytestmark = pytest.mark.s3

LISTING = b"<ListBucketResult><Contents><Key>a</Key><Size>1</Size></Contents></ListBucketResult>"
STS = """<{0}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{0}Result><Credentials>
<AccessKeyId>{1}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
<Expiration>{2}</Expiration></Credentials><AssumedRoleUser><Arn>a</Arn><AssumedRoleId>b
</AssumedRoleId></AssumedRoleUser></{0}Result></{0}Response>"""


def answer(body: str | bytes, status: str = "200 OK") -> Fault:
    data = body.encode() if isinstance(body, str) else body
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    return Fault(instead=head.encode() + data)


def later(seconds: int) -> str:
    now_ns = SystemClock().now_ns()
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_ns // 10**9 + seconds))


def document(key: str, seconds: int = 3600) -> str:
    return json.dumps(
        {
            "Code": "Success",
            "Version": 1,
            "AccessKeyId": key,
            "SecretAccessKey": "s",
            "Token": "t",
            "SessionToken": "t",
            "Expiration": later(seconds),
        }
    )


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A machine without any credentials, which is not in a cloud."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "BOTO_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return monkeypatch


@pytest.fixture
async def giver() -> AsyncIterator[FaultProxy]:
    """What hands out credentials."""
    async with fault_proxy("") as proxy:
        yield proxy


async def signed_by(tmp_path: Path) -> str:
    """Return the key with which a node asks an S3 server."""
    async with fault_proxy("") as s3, node_with(S3Source, tmp_path) as node:
        s3.judge = lambda _: answer(LISTING)
        await node.plan({"Bucket": "b", "Key": "", "Endpoint": s3.endpoint})
        return key_of(s3.requests[0])


def key_of(head: str) -> str:
    return head.partition("Credential=")[2].partition("/")[0]


def config(tmp_path: Path, text: str) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(text)


async def test_profile(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config(tmp_path, "[profile p]\naws_access_key_id = ofp\naws_secret_access_key = s\n")
    bare.setenv("AWS_PROFILE", "p")
    assert await signed_by(tmp_path) == "ofp"


async def test_profile_that_is_not_there(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(UserError, match="nobody") as caught:
        await signed_by(tmp_path)
    assert caught.value.code == Code.INVALID_CREDENTIALS


@pytest.mark.usefixtures("bare")
async def test_process(tmp_path: Path) -> None:
    script = tmp_path / "helper.py"
    script.write_text(f"print({document('ofprocess')!r})")
    config(tmp_path, f'[default]\ncredential_process = "{sys.executable}" "{script}"\n')
    assert await signed_by(tmp_path) == "ofprocess"


@pytest.mark.usefixtures("bare")
async def test_process_that_fails(tmp_path: Path) -> None:
    config(tmp_path, f'[default]\ncredential_process = "{sys.executable}" -c 1/0\n')
    with pytest.raises(UserError, match="credentials of this node cannot be used"):
        await signed_by(tmp_path)


async def test_assumed_role(bare: pytest.MonkeyPatch, giver: FaultProxy, tmp_path: Path) -> None:
    config(
        tmp_path,
        "[profile own]\naws_access_key_id = own\naws_secret_access_key = s\n"
        "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = own\n",
    )
    bare.setenv("AWS_PROFILE", "role")
    bare.setenv("AWS_ENDPOINT_URL_STS", giver.endpoint)
    giver.judge = lambda _: answer(STS.format("AssumeRole", "ofrole", later(3600)))
    assert await signed_by(tmp_path) == "ofrole"
    assert key_of(giver.requests[0]) == "own"


@pytest.mark.parametrize("code", ["AccessDenied", "ExpiredTokenException"])
async def test_role_that_is_refused(
    bare: pytest.MonkeyPatch, giver: FaultProxy, tmp_path: Path, code: str
) -> None:
    (tmp_path / "token").write_text("a.web.token")
    bare.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    bare.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r")
    bare.setenv("AWS_ENDPOINT_URL_STS", giver.endpoint)
    refusal = f"<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"
    giver.judge = lambda _: answer(refusal, "403 Forbidden")
    with pytest.raises(UserError, match=code) as caught:
        await signed_by(tmp_path)
    assert caught.value.code == Code.INVALID_CREDENTIALS


async def test_web_identity(bare: pytest.MonkeyPatch, giver: FaultProxy, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a.web.token")
    bare.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    bare.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r")
    bare.setenv("AWS_ENDPOINT_URL_STS", giver.endpoint)
    giver.judge = lambda _: answer(STS.format("AssumeRoleWithWebIdentity", "ofweb", later(3600)))
    assert await signed_by(tmp_path) == "ofweb"


async def test_container(bare: pytest.MonkeyPatch, giver: FaultProxy, tmp_path: Path) -> None:
    bare.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{giver.endpoint}/creds")
    bare.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "secret")
    giver.judge = lambda _: answer(document("ofcontainer"))
    assert await signed_by(tmp_path) == "ofcontainer"
    assert giver.requests[0].startswith("GET /creds")
    assert "secret" in giver.requests[0]


def metadata(key: Callable[[], str]) -> Callable[[str], Fault]:
    """Answer as the metadata service of an instance does, in its second version."""

    def judge(head: str) -> Fault:
        if head.startswith("PUT /latest/api/token"):
            return answer("token")
        if "/security-credentials/ " in head:
            return answer("role")
        return answer(key())

    return judge


async def test_instance(bare: pytest.MonkeyPatch, giver: FaultProxy, tmp_path: Path) -> None:
    bare.setenv("AWS_EC2_METADATA_DISABLED", "false")
    bare.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", giver.endpoint)
    giver.judge = metadata(lambda: document("ofinstance"))
    assert await signed_by(tmp_path) == "ofinstance"


async def test_credentials_that_expire_while_objects_are_fetched(
    bare: pytest.MonkeyPatch, giver: FaultProxy, tmp_path: Path
) -> None:
    """Those that tell when they expire are renewed before, and the transfer goes on."""
    bare.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{giver.endpoint}/creds")
    given = [document("second"), document("first", seconds=60)]
    giver.judge = lambda _: answer(given.pop() if len(given) > 1 else given[0])
    async with fault_proxy("") as s3, node_with(S3Source, tmp_path) as node:
        s3.judge = lambda head: answer(LISTING if "list-type=2" in head else b"1")
        params = {"Bucket": "b", "Key": "", "Endpoint": s3.endpoint}
        await node.fetch(params)
        assert key_of(s3.requests[-1]) == "second"
    assert len(giver.requests) == 2


def expired(head: str) -> Fault:
    if key_of(head) == "old":
        return answer("<Error><Code>ExpiredToken</Code></Error>", "400 Bad Request")
    return answer(LISTING if "list-type=2" in head else b"1")


async def test_credentials_that_a_server_holds_to_be_expired(
    bare: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What was put in their place meanwhile is found, without a restart."""
    bare.setenv("AWS_ACCESS_KEY_ID", "old")
    bare.setenv("AWS_SECRET_ACCESS_KEY", "s")
    async with fault_proxy("") as s3, node_with(S3Source, tmp_path) as node:
        s3.judge = expired
        params = {"Bucket": "b", "Key": "", "Endpoint": s3.endpoint}
        with pytest.raises(ForbiddenError) as caught:
            await node.plan(params)
        assert caught.value.code == "ExpiredToken"
        bare.setattr("bacalhau.s3.server.credentials._RENEWED_SECONDS", 0.0)
        bare.setenv("AWS_ACCESS_KEY_ID", "new")
        fetched = await node.fetch(params)
    assert fetched.seen == {"a": b"1"}
    assert [key_of(head) for head in s3.requests[-3:]] == ["old", "new", "new"]
