"""Getting results from real servers: a node's own, and S3 with signatures that are checked."""

from __future__ import annotations

import asyncio
import hashlib
import io
import random
import re
import signal
import tarfile
from typing import TYPE_CHECKING

import pytest

from bacalhau.testing import s3_server
from tests.support.fault_proxy import Fault, fault_proxy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cli import Outcome
    from tests.support.env import Env
    from tests.support.fault_proxy import FaultProxy
    from tests.support.s3 import S3Objects

JOB_ID = re.compile(r"j-[0-9a-f-]{36}")
RESULT_BYTES = 200 * 1000 * 1000
IN_FLIGHT_BYTES = 16 * 1000 * 1000
"""What may be on its way between server and client, and is lost with the client."""


def run_job(env: Env, *options: str) -> str:
    """Run the word counter over nothing and return the job."""
    outcome = env.cli("wasm", "run", *options, "wordcount.wasm")
    found = JOB_ID.search(outcome.stdout)
    assert found, f"{outcome.stdout}\n{outcome.stderr}"
    return found[0]


def large_archive(path: Path, size: int) -> bytes:
    """Write a result archive of noise, and return the SHA-256 of its one large file."""
    noise = random.Random(1)
    digest = hashlib.sha256()
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for name, data in (("stdout", b"hello\n"), ("exitCode", b"0")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        member = tarfile.TarInfo("outputs/noise")
        data = noise.randbytes(size)
        member.size = len(data)
        digest.update(data)
        tar.addfile(member, io.BytesIO(data))
    return digest.digest()


def digest_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def published(env: Env) -> Path:
    (archive,) = (env.directory / "node/compute/results/local-publisher").glob("*.tar.gz")
    return archive


def through(proxy: FaultProxy, env: Env) -> None:
    """Let commands reach results through a proxy, which counts."""
    env.variables["http_proxy"] = proxy.endpoint


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
async def test_killed_in_the_middle_it_goes_on_with_what_is_missing(
    env: Env, number: signal.Signals
) -> None:
    await asyncio.to_thread(env.start_node)
    job_id = await asyncio.to_thread(run_job, env, "-p", "local")
    archive = published(env)
    digest = await asyncio.to_thread(large_archive, archive, RESULT_BYTES)
    size = archive.stat().st_size
    upstream = await asyncio.to_thread(results_url, env, job_id)
    target = env.directory / "results"
    target.mkdir()
    async with fault_proxy(upstream) as proxy:
        proxy.pause = lambda: asyncio.sleep(0.001)
        through(proxy, env)
        command = ("job", "get", job_id, "--output-dir", str(target))
        first = env.start_cli(*command)
        while proxy.sent_bytes < size / 2:
            assert first.is_alive, first.tail()
            await asyncio.sleep(0.01)
        first.signal(number)
        await asyncio.to_thread(first.popen.wait, 10)
        arrived = proxy.sent_bytes
        said = first.log.read_text()
        assert ("The same command goes on from here\n" in said) == (number is signal.SIGINT)
        assert "Traceback" not in said
        proxy.pause = None
        second = await asyncio.to_thread(env.cli, *command)
        assert second.code == 0, second.stderr
        fetched_again = proxy.sent_bytes - arrived - (size - arrived)
    print(f"{size} bytes, {arrived} before the kill, {fetched_again} of them again")
    assert fetched_again < IN_FLIGHT_BYTES
    assert digest_of(target / "outputs/noise") == digest
    assert sorted(path.name for path in target.iterdir()) == ["exitCode", "outputs", "stdout"]


async def test_broken_and_silent_connections(env: Env) -> None:
    await asyncio.to_thread(env.start_node)
    job_id = await asyncio.to_thread(run_job, env, "-p", "local")
    archive = published(env)
    digest = await asyncio.to_thread(large_archive, archive, RESULT_BYTES // 4)
    size = archive.stat().st_size
    upstream = await asyncio.to_thread(results_url, env, job_id)
    target = env.directory / "results"
    target.mkdir()
    async with fault_proxy(upstream) as proxy:
        through(proxy, env)
        proxy.judge = lambda _: Fault(after_bytes=2_000_000) if len(proxy.requests) % 2 else None
        done = await asyncio.to_thread(env.cli, "job", "get", job_id, "--output-dir", str(target))
        assert done.code == 0, done.stderr
        assert len(proxy.requests) > 8
        assert proxy.sent_bytes < size + IN_FLIGHT_BYTES
    assert digest_of(target / "outputs/noise") == digest


async def test_a_second_time_nothing_is_fetched(env: Env) -> None:
    await asyncio.to_thread(env.start_node)
    job_id = await asyncio.to_thread(run_job, env, "-p", "local")
    upstream = await asyncio.to_thread(results_url, env, job_id)
    async with fault_proxy(upstream) as proxy:
        through(proxy, env)
        first = await asyncio.to_thread(env.cli, "job", "get", job_id)
        sent = proxy.sent_bytes
        second = await asyncio.to_thread(env.cli, "job", "get", job_id)
        assert (first.code, second.code) == (0, 0)
        assert first.stdout == second.stdout
        assert "They are there already, unchanged: nothing was fetched" in second.stderr
        assert proxy.sent_bytes == sent
        folder = env.directory / f"job-{job_id[:10]}"
        (folder / "stdout").write_text("mine")
        third = await asyncio.to_thread(env.cli, "job", "get", job_id)
        assert third.code == 1
        assert f"output already exists: {folder}/stdout" in third.stderr
        assert proxy.sent_bytes == sent
    assert not (folder / "raw").exists()


def results_url(env: Env, job_id: str) -> str:
    with env.client() as client:
        (result,) = client.results(job_id)
    return str(result.params["URL"]).rpartition("/")[0]


@pytest.mark.s3
class TestInS3:
    def get(self, env: Env, job_id: str, *options: str) -> tuple[Outcome, Path]:
        target = env.directory / "results"
        target.mkdir(exist_ok=True)
        return env.cli("job", "get", job_id, "--output-dir", str(target), *options), target

    def strip_credentials(self, env: Env) -> None:
        for name in s3_server.environment():
            env.variables.pop(name, None)
        env.variables["AWS_EC2_METADATA_DISABLED"] = "true"

    def test_a_signed_archive_without_credentials(self, env: Env, s3_objects: S3Objects) -> None:
        env.start_node()
        publisher = f"s3://{s3_objects.new_bucket()}/r/{{executionID}},opt=endpoint="
        job_id = run_job(env, "-p", publisher + s3_objects.endpoint)
        self.strip_credentials(env)
        outcome, target = self.get(env, job_id)
        assert outcome.code == 0, outcome.stderr
        assert (target / "exitCode").read_text() == "1"
        again, _ = self.get(env, job_id)
        assert "nothing was fetched" in again.stderr
        other = env.cli("job", "get", f"{job_id}/exitCode")
        assert other.code == 0, other.stderr
        folder = env.directory / f"job-{job_id[:10]}"
        assert [path.name for path in folder.iterdir()] == ["exitCode"]

    def test_an_unsigned_archive_with_own_credentials(
        self, env: Env, s3_objects: S3Objects
    ) -> None:
        env.start_node("-c", "Publishers.Types.S3.PreSignedURLDisabled=true")
        publisher = f"s3://{s3_objects.new_bucket()}/r/{{executionID}},opt=endpoint="
        job_id = run_job(env, "-p", publisher + s3_objects.endpoint)
        outcome, target = self.get(env, job_id)
        assert outcome.code == 0, outcome.stderr
        assert (target / "exitCode").read_text() == "1"
        del env.variables["BACALHAU_COMPUTE_ALLOWLISTEDS3ENDPOINTS"]
        refused = env.cli("job", "get", job_id)
        assert refused.code == 1
        assert f"your AWS credentials are not used for {s3_objects.endpoint}" in refused.stderr
        env.variables["AWS_ENDPOINT_URL_S3"] = s3_objects.endpoint
        assert env.cli("job", "get", job_id).code == 0
        self.strip_credentials(env)
        without = env.cli("job", "get", job_id)
        assert without.code == 0
        assert without.stderr.splitlines()[1:4] == [
            "No supported downloader found for the published results: s3",
            "Hint:  the server gives no links to these results in S3: set AWS_PROFILE, or",
            "       AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, of a user who may read them",
        ]

    @pytest.mark.parametrize("is_signed", [True, False])
    def test_plain_files(self, is_signed: bool, env: Env, s3_objects: S3Objects) -> None:
        env.start_node("-c", f"Publishers.Types.S3.PreSignedURLDisabled={not is_signed}")
        publisher = f"s3://{s3_objects.new_bucket()}/r/{{executionID}}/,opt=encoding=plain"
        job_id = run_job(env, "-p", f"{publisher},opt=endpoint={s3_objects.endpoint}")
        if is_signed:
            self.strip_credentials(env)
        outcome, target = self.get(env, job_id)
        assert outcome.code == 0, outcome.stderr
        assert (target / "exitCode").read_text() == "1"
        assert "_manifest.json" not in {path.name for path in target.rglob("*")}
        again, _ = self.get(env, job_id)
        assert "nothing was fetched" in again.stderr
        other = env.cli("job", "get", f"{job_id}/exitCode")
        assert other.code == 0, other.stderr
