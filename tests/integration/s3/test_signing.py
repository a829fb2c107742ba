"""Links to results: they work without credentials, for what was published, for a while."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import msgspec
import pytest
from structlog.testing import capture_logs

from bacalhau.errors import UserError
from bacalhau.lib.clock import SystemClock
from bacalhau.lib.digests import format_digest
from bacalhau.models import Execution, SpecConfig
from bacalhau.publishers.s3 import S3Publisher
from bacalhau.s3.requests.client import S3Client
from bacalhau.s3.results import signing
from bacalhau.s3.results.signing import S3ResultSigner
from bacalhau.testing.contracts.publisher import ToldProgress, execution_with, write_results
from tests.support.engines import plugin_context
from tests.support.fault_proxy import Fault, fault_proxy
from tests.support.s3_cases import BOTH

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from bacalhau.ports import Clock
    from tests.support.s3 import S3Objects

pytestmark = pytest.mark.s3

EACH_SERVER = pytest.mark.parametrize(
    "served", BOTH, indirect=True, ids=[server.name.lower() for server in BOTH]
)
HERE = ("http://127.0.0.1:*",)
FILES = {"stdout": b"hello\n", "stderr": b"", "outputs/é +&%20?#.txt": b"odd"}


class LateClock(SystemClock):
    """A clock that is some minutes late, less than what servers mind."""

    def now_ns(self) -> int:
        """Return the time of ten minutes ago."""
        return super().now_ns() - 600 * 10**9


@asynccontextmanager
async def signer(
    *, seconds: int = 60, trusted: Sequence[str] = HERE, clock: Clock | None = None
) -> AsyncIterator[S3ResultSigner]:
    async with S3Client.open(clock or SystemClock(), connections=4, trusted=trusted) as client:
        yield S3ResultSigner(client, seconds)


def reported(
    job: Mapping[str, Any], result: Mapping[str, Any], kind: str = "s3", name: str = "e-1"
) -> Execution:
    """Return an execution of a job with a publisher, and the result that its node reports."""
    execution = execution_with(SpecConfig(type="s3", params=dict(job)), name)
    return msgspec.structs.replace(
        execution, published_result=SpecConfig(type=kind, params=dict(result))
    )


async def sign(execution: Execution, **options: Any) -> SpecConfig:
    assert execution.job is not None
    async with signer(**options) as opened:
        (result,) = await opened.sign(execution.job, [execution])
        return result


async def published(s3: S3Objects, tmp_path: Path, **params: str) -> Execution:
    """Publish ``FILES``, and return the execution as its node reports it."""
    place = {"Bucket": s3.new_bucket(), "Key": "r/é +/{executionID}", "Endpoint": s3.endpoint}
    execution = execution_with(SpecConfig(type="s3", params={**place, **params}), "e-1")
    results = write_results(tmp_path / "results", FILES)
    async with S3Publisher.open(plugin_context(tmp_path / "publisher")) as publisher:
        spec = (await publisher.publish(execution, results, ToldProgress())).spec
    return msgspec.structs.replace(execution, published_result=spec)


async def fetch(url: str) -> tuple[int, bytes]:
    """GET a link as somebody without credentials does."""
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.read()


@EACH_SERVER
async def test_archive_gets_a_link_that_works_without_credentials(
    served: S3Objects, tmp_path: Path
) -> None:
    execution = await published(served, tmp_path)
    result = await sign(execution, seconds=1800)
    assert result.type == "s3PreSigned"
    assert result.params.keys() == {"PreSignedURL", "SourceSpec"}
    assert result.params["SourceSpec"] == execution.published_result.params
    url = result.params["PreSignedURL"]
    status, archive = await fetch(url)
    assert status == 200
    digest = execution.published_result.params["ChecksumSHA256"]
    assert format_digest(hashlib.sha256(archive).digest()) == digest
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["1800"]
    changed = url[:-1] + ("0" if url[-1] != "0" else "1")
    assert (await fetch(changed))[0] == 403


@EACH_SERVER
async def test_each_plain_file_gets_a_link(served: S3Objects, tmp_path: Path) -> None:
    execution = await published(served, tmp_path, Encoding="plain")
    result = await sign(execution)
    assert result.type == "s3PreSigned"
    assert result.params["SourceSpec"] == execution.published_result.params
    status, manifest = await fetch(result.params["PreSignedURL"])
    assert status == 200
    assert [file["Path"] for file in json.loads(manifest)["Files"]] == sorted(FILES)
    files = {file["Path"]: file for file in result.params["Files"]}
    assert list(files) == sorted(FILES)
    for name, data in FILES.items():
        assert await fetch(files[name].pop("PreSignedURL")) == (200, data)
        digest = hashlib.sha256(data).hexdigest()
        assert files[name] == {"Path": name, "SizeBytes": len(data), "SHA256": digest}


@pytest.mark.parametrize("encoding", ["gzip", "plain"])
@EACH_SERVER
async def test_links_end(encoding: str, served: S3Objects, tmp_path: Path) -> None:
    execution = await published(served, tmp_path, Encoding=encoding)
    params = (await sign(execution, clock=LateClock(), seconds=30)).params
    links = [params["PreSignedURL"], *(file["PreSignedURL"] for file in params.get("Files", []))]
    assert {(await fetch(link))[0] for link in links} == {403}


@pytest.mark.parametrize("encoding", ["gzip", "plain"])
@EACH_SERVER
async def test_links_are_for_the_published_versions(
    encoding: str, served: S3Objects, tmp_path: Path
) -> None:
    bucket = served.new_bucket()
    served.client.put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    execution = await published(served, tmp_path, Encoding=encoding, Bucket=bucket)
    for item in served.client.list_objects_v2(Bucket=bucket)["Contents"]:
        served.client.put_object(Bucket=bucket, Key=item["Key"], Body=b"overwritten")
    params = (await sign(execution)).params
    assert (await fetch(params["PreSignedURL"]))[1] != b"overwritten"
    for file in params.get("Files", []):
        assert await fetch(file["PreSignedURL"]) == (200, FILES[file["Path"]])


@pytest.mark.usefixtures("s3_environment")
@pytest.mark.parametrize(
    ("kind", "key"), [("urlDownload", "r.tar.gz"), ("s3", "r.zip"), ("ipfs", "r/")]
)
async def test_other_results_are_left_alone(kind: str, key: str) -> None:
    execution = reported({"Bucket": "b", "Key": "r"}, {"Bucket": "b", "Key": key}, kind)
    assert await sign(execution) == execution.published_result


async def test_without_credentials_the_plain_location_is_all_there_is(
    s3_environment: pytest.MonkeyPatch,
) -> None:
    s3_environment.setenv("AWS_ACCESS_KEY_ID", "")
    place = {"Bucket": "b", "Key": "r.tar.gz"}
    execution = reported(place, place)
    assert await sign(execution) == execution.published_result


async def test_broken_credentials_are_an_error(
    s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("[profile other]\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        s3_environment.delenv(name)
    s3_environment.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    s3_environment.setenv("AWS_PROFILE", "missing")
    place = {"Bucket": "b", "Key": "r.tar.gz"}
    with pytest.raises(UserError, match="credentials of this node cannot be used"):
        await sign(reported(place, place))


async def test_link_to_aws_names_the_region_of_the_bucket(
    s3_environment: pytest.MonkeyPatch,
) -> None:
    s3_environment.setenv("AWS_REGION", "eu-central-1")
    for region, host in (("", "eu-central-1"), ("us-west-2", "us-west-2")):
        place = {"Bucket": "b", "Key": "r.tar.gz", "Region": region}
        url = (await sign(reported(place, place))).params["PreSignedURL"]
        assert url.startswith(f"https://b.s3.{host}.amazonaws.com/r.tar.gz?")
        assert f"%2F{host}%2Fs3%2Faws4_request" in url


# -- what a hostile node or job may say ----------------------------------------------


async def refused(execution: Execution, said: str, **options: Any) -> None:
    """Check that a result is handed on as it is, and that the log says why."""
    with capture_logs() as logs:
        assert await sign(execution, **options) == execution.published_result
    (line,) = logs
    assert line["event"] == "result_not_signed"
    assert line["log_level"] == "warning"
    assert said in line["reason"]
    assert line["execution_id"] == "e-1"


@pytest.mark.usefixtures("s3_environment")
@pytest.mark.parametrize(
    "result",
    [
        {"Bucket": "victim", "Key": "r/e-1.tar.gz"},
        {"Bucket": "b", "Key": "secret.tar.gz"},
        {"Bucket": "b", "Key": "r/e-2.tar.gz"},
        {"Bucket": "b", "Key": "r/"},
        {"Bucket": "b", "Key": "r/e-1.tar.gz", "Endpoint": "http://127.0.0.1:1"},
    ],
)
async def test_no_link_to_where_the_job_does_not_publish(result: dict[str, str]) -> None:
    """A node could otherwise have read whatever the orchestrator's credentials may read."""
    job = {"Bucket": "b", "Key": "r/{executionID}", "Endpoint": "http://127.0.0.1:2"}
    told = {"Endpoint": job["Endpoint"], **result}
    await refused(reported(job, told), "is not where the job publishes")


@pytest.mark.usefixtures("s3_environment")
async def test_no_link_for_a_job_that_publishes_elsewhere() -> None:
    place = {"Bucket": "b", "Key": "r.tar.gz"}
    execution = reported(place, place)
    assert execution.job is not None
    task = msgspec.structs.replace(execution.job.task, publisher=SpecConfig(type="local"))
    job = msgspec.structs.replace(execution.job, tasks=[task])
    await refused(msgspec.structs.replace(execution, job=job), "is not where the job publishes")


@pytest.mark.usefixtures("s3_environment")
async def test_no_link_for_an_unlisted_server() -> None:
    place = {"Bucket": "b", "Key": "r.tar.gz", "Endpoint": "http://evil.example.com"}
    said = "http://evil.example.com is not listed; the node's operator can add the server"
    await refused(reported(place, place), said, trusted=())


@pytest.mark.usefixtures("s3_environment")
async def test_no_manifest_is_read_from_metadata_of_clouds() -> None:
    place = {"Bucket": "b", "Key": "r/", "Endpoint": "http://169.254.169.254", "Encoding": "plain"}
    execution = reported(place, {key: place[key] for key in ("Bucket", "Key", "Endpoint")})
    await refused(execution, "jobs may not reach", trusted=("*",))


GOOD = {"Path": "stdout", "SizeBytes": 1, "SHA256": "a" * 64}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"Files": [{**GOOD, "Path": "../../secret"}]}, "leaves its directory"),
        ({"Files": [{**GOOD, "Path": "a/../b"}]}, "is not one"),
        ({"Files": [{**GOOD, "Path": "/etc/passwd"}]}, "is an absolute path"),
        ({"Files": [{**GOOD, "Path": ""}]}, "is not one"),
        ({"Files": [{**GOOD, "SHA256": "no"}]}, "is not one"),
        ({"Files": [GOOD, GOOD]}, "names a file twice"),
        ({"ExecutionID": "e-2"}, "it is that of execution 'e-2'"),
        ({"JobID": "j-2"}, "it is that of execution"),
        ({"Version": 2}, "version is 2"),
        ({"Files": None}, "it is not a manifest"),
    ],
)
@pytest.mark.usefixtures("s3_environment")
async def test_manifest_that_lies(change: dict[str, Any], said: str, s3_objects: S3Objects) -> None:
    manifest = {"Version": 1, "JobID": "j-contract", "ExecutionID": "e-1", "Files": [GOOD]}
    body = json.dumps(manifest | change).encode()
    await refused(plain_result(s3_objects, body), said)


@pytest.mark.usefixtures("s3_environment")
async def test_manifest_that_was_replaced(s3_objects: S3Objects) -> None:
    manifest = {"Version": 1, "JobID": "j-contract", "ExecutionID": "e-1", "Files": [GOOD]}
    execution = plain_result(
        s3_objects,
        json.dumps(manifest).encode(),
        ChecksumSHA256=format_digest(hashlib.sha256(b"another").digest()),
    )
    await refused(execution, "not the one that was published")


@pytest.mark.usefixtures("s3_environment")
async def test_manifest_that_is_missing(s3_objects: S3Objects) -> None:
    """As with nodes of v1.9, which store none."""
    await refused(plain_result(s3_objects, None), "there is no object")


@pytest.mark.usefixtures("s3_environment")
async def test_manifest_that_is_no_json(s3_objects: S3Objects) -> None:
    await refused(plain_result(s3_objects, b"<html>"), "it is not a manifest")


@pytest.mark.usefixtures("s3_environment")
async def test_manifest_that_is_too_long(
    s3_objects: S3Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "LIMIT_BYTES", 1000)
    await refused(plain_result(s3_objects, bytes(1001)), "longer than 1000 bytes")


def plain_result(s3: S3Objects, manifest: bytes | None, **reports: str) -> Execution:
    bucket = s3.new_bucket()
    if manifest is not None:
        s3.client.put_object(Bucket=bucket, Key="r/_manifest.json", Body=manifest)
    place = {"Bucket": bucket, "Key": "r/", "Endpoint": s3.endpoint}
    return reported({**place, "Encoding": "plain"}, {**place, **reports})


@pytest.mark.usefixtures("s3_environment")
async def test_server_that_does_not_answer_holds_nobody_up(
    s3_objects: S3Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "SECONDS", 0.3)
    async with fault_proxy(s3_objects.endpoint) as proxy:
        proxy.judge = lambda _: Fault(stalls=True)
        place = {"Bucket": "b", "Endpoint": proxy.endpoint}
        job = {**place, "Key": "r/{executionID}"}
        plain = [
            reported({**job, "Encoding": "plain"}, {**place, "Key": f"r/e-{n}/"}, name=f"e-{n}")
            for n in range(20)
        ]
        first = plain[0].job
        assert first is not None
        async with signer() as opened:
            with capture_logs() as logs:
                results = await opened.sign(first, plain)
    assert results == [execution.published_result for execution in plain]
    assert [line["event"] for line in logs] == ["results_not_signed"]


@pytest.mark.usefixtures("s3_environment")
async def test_ten_thousand_links_take_a_moment(s3_objects: S3Objects) -> None:
    """Signing is work for the processor alone: the event loop goes on meanwhile."""
    files = [{**GOOD, "Path": f"outputs/{n:05}.txt"} for n in range(10_000)]
    manifest = {"Version": 1, "JobID": "j-contract", "ExecutionID": "e-1", "Files": files}
    execution = plain_result(s3_objects, json.dumps(manifest).encode())
    assert execution.job is not None
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - before)

    async with signer() as opened, asyncio.TaskGroup() as group:
        watching = group.create_task(watch())
        begun = time.perf_counter()
        (result,) = await opened.sign(execution.job, [execution])
        took = time.perf_counter() - begun
        watching.cancel()
    assert len({file["PreSignedURL"] for file in result.params["Files"]}) == 10_000
    assert took < 10
    assert longest < 1
