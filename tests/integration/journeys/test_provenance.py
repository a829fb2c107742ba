"""What a node recorded of a job, beside what the bucket and the results say."""

from __future__ import annotations

import hashlib
import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.models import JobState
from tests.integration.journeys.conftest import REPOSITORY
from tests.support.engines import compile_text

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.env import Env
    from tests.support.s3 import S3Objects

PROBE = REPOSITORY / "tests" / "data" / "wasm" / "probe.wat"
OBJECTS = {
    "data/a.txt": b"one two\n",
    "data/b c.txt": b"three\n",
    "data/large": b"word\n" * 500_000,
    "single": b"four five six\n",
}
FLAGS = ("--name", "n-records")


@pytest.fixture
def versioned(s3_objects: S3Objects) -> str:
    """A bucket in which every object has been written twice."""
    client, bucket = s3_objects.client, s3_objects.new_bucket()
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key, data in OBJECTS.items():
        client.put_object(Bucket=bucket, Key=key, Body=b"before")
        client.put_object(Bucket=bucket, Key=key, Body=data)
    return bucket


def run(env: Env, s3: S3Objects, bucket: str, *keys: str, wait: bool = True) -> str:
    """Run the word counter over objects and return the job's id."""
    inputs = [
        f"src=s3://{bucket}/{key},dst=/inputs/{number},opt=endpoint={s3.endpoint}"
        for number, key in enumerate(keys)
    ]
    flags = [word for source in inputs for word in ("-i", source)]
    outcome = env.cli("wasm", "run", "--id-only", "-p", "local", *flags, "wordcount.wasm")
    assert outcome.code == 0, outcome.stderr
    return outcome.stdout.split()[0]


def told(env: Env, job: str) -> dict[str, Any]:
    """Return what is recorded of a job's only execution."""
    outcome = env.cli("job", "describe", "--provenance", job)
    assert outcome.code == 0, outcome.stderr
    (record,) = json.loads(outcome.stdout)
    assert isinstance(record, dict)
    return record


def facts(s3: S3Objects, bucket: str, key: str) -> dict[str, Any]:
    """Return what the bucket says of an object now, and its SHA-256."""
    head = s3.client.get_object(Bucket=bucket, Key=key)
    data = head["Body"].read()
    return {
        "Key": key,
        "SizeBytes": head["ContentLength"],
        "ETag": head["ETag"],
        "VersionID": head["VersionId"],
        "SHA256": hashlib.sha256(data).hexdigest(),
    }


def test_inputs_are_recorded_as_the_bucket_has_them_and_outputs_as_they_are_downloaded(
    env: Env, s3_objects: S3Objects, versioned: str
) -> None:
    keys = ("data/", "single")
    expected = {key: facts(s3_objects, versioned, key) for key in OBJECTS}
    env.start_node(*FLAGS)
    job = run(env, s3_objects, versioned, *keys)
    for key in OBJECTS:  # what comes later is not what was read
        s3_objects.client.put_object(Bucket=versioned, Key=key, Body=b"later")
    record = told(env, job)

    assert [each["Origin"] for each in record["Inputs"]] == [f"s3://{versioned}/{k}" for k in keys]
    assert {each["Endpoint"] for each in record["Inputs"]} == {s3_objects.endpoint}
    files = [file for each in record["Inputs"] for file in each["Files"]]
    assert [file["Path"] for file in files] == ["a.txt", "b c.txt", "large", "single"]
    found = {file["Key"]: {name: file[name] for name in expected[file["Key"]]} for file in files}
    assert found == expected

    target = env.directory / "results"
    target.mkdir()
    outcome = env.cli("job", "get", job, "--output-dir", str(target))
    assert outcome.code == 0, outcome.stderr
    assert {file["Path"]: file["SHA256"] for file in record["Outputs"]["Files"]} == hashes(target)
    assert [each["Digest"] for each in record["Inputs"]] == [digest(files[:3]), digest(files[3:])]
    page = env.cli("job", "describe", job).stdout
    for file in (*files, *record["Outputs"]["Files"]):
        assert file["SHA256"][:12] in page


def digest(files: list[dict[str, Any]]) -> str:
    """Compute a digest as the page on it says."""
    kept = [{k: v for k, v in each.items() if k not in ("ETag", "VersionID")} for each in files]
    lines = [json.dumps(each, separators=(",", ":"), ensure_ascii=False) + "\n" for each in kept]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def hashes(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_a_list_too_long_to_keep_is_on_the_node_and_has_the_digest_that_is_told(
    env: Env, s3_objects: S3Objects
) -> None:
    bucket = s3_objects.bucket({f"many/{n:04}.txt": str(n).encode() for n in range(1001)})
    env.start_node(*FLAGS)
    record = told(env, run(env, s3_objects, bucket, "many/"))
    (read,) = record["Inputs"]
    assert (read["Objects"], len(read["Files"])) == (1001, 1000)
    lists = env.directory / "node" / "compute" / "executions" / "output" / record["ExecutionID"]
    path = lists / "provenance" / "input-0.jsonl"
    files = [json.loads(line) for line in path.read_text().splitlines()]
    assert files[:1000] == read["Files"]
    assert files[1000]["SHA256"] == hashlib.sha256(b"1000").hexdigest()
    assert digest(files) == read["Digest"]


def test_what_a_task_reads_is_known_while_it_runs_and_after_its_node_was_killed(
    env: Env, s3_objects: S3Objects, versioned: str
) -> None:
    (env.directory / "probe.wasm").write_bytes(compile_text(PROBE.read_text()))
    node = env.start_node(*FLAGS)
    source = f"src=s3://{versioned}/data/,dst=/inputs,opt=endpoint={s3_objects.endpoint}"
    command = ("wasm", "run", "--wait=false", "-i", source, "--entry-point", "sleep")
    job = env.cli(*command, "probe.wasm", "slept", "4000").stdout.strip()
    with env.client() as client:
        env.wait_until(lambda: client.provenance(job).items, "it is known what is read")
        assert not client.job(job).job.is_terminal
    before = told(env, job)
    node.signal(signal.SIGKILL)
    node.popen.wait()
    env.start_node(*FLAGS)
    # It is taken from what the node kept: as listings have no versions, they are not known then.
    after = told(env, job)
    with env.client() as client:
        env.wait_until(lambda: client.job(job).job.is_terminal, "the job has ended")
        assert client.job(job).job.state.state_type is JobState.COMPLETED
    for record in (before, after, told(env, job)):
        (read,) = record["Inputs"]
        assert read["Digest"] == before["Inputs"][0]["Digest"]
        assert [(file["Key"], file["SHA256"]) for file in read["Files"]] == [
            (key, hashlib.sha256(OBJECTS[key]).hexdigest())
            for key in sorted(OBJECTS)
            if key.startswith("data/")
        ]
