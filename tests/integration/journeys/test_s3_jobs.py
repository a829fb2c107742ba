"""Jobs over S3 data, as a user runs them: real server, real node, real commands."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

import pytest

from bacalhau.models import JobState

if TYPE_CHECKING:
    from pathlib import Path

    from bacalhau.models import Job
    from tests.support.cli import Outcome
    from tests.support.env import Env
    from tests.support.s3 import S3Objects

JOB_ID = re.compile(r"j-[0-9a-f-]{36}")
TEXT = b"one two\nthree\n"
OBJECTS = {"data/a.txt": TEXT, "data/b.txt": b"four\n", "other.txt": b"five\n"}

DECLARATIVE = """\
Name: count words
Type: batch
Count: 1
Tasks:
  - Name: main
    Engine:
      Type: wasm
      Params:
        EntryModule:
          Source:
            Type: inline
            Params:
              URL: "{module}"
    Publisher:
      Type: local
    ResultPaths:
      - Name: outputs
        Path: /outputs
    InputSources:
      - Source:
          Type: "s3"
          Params:
            Bucket: "{bucket}"
            Key: "data/"
            Endpoint: "{endpoint}"
            ChecksumSHA256: "e3b0c44b542b"
      - Target: "/inputs"
"""


def finished(env: Env, outcome: Outcome) -> Job:
    found = JOB_ID.search(outcome.stdout)
    assert found, f"{outcome.stdout}\n{outcome.stderr}"
    with env.client() as client:
        return client.job(found[0]).job


def counts(env: Env, job: Job) -> dict[str, tuple[int, int, int]]:
    """Download a job's results and read the table of the word counter."""
    target = env.directory / f"results-{job.id}"
    target.mkdir()
    outcome = env.cli("job", "get", job.id, "--output-dir", str(target))
    assert outcome.code == 0, outcome.stderr
    rows = [line.split() for line in (target / "outputs" / "counts.txt").read_text().splitlines()]
    return {row[3]: (int(row[0]), int(row[1]), int(row[2])) for row in rows[1:-1]}


def wasm_run(env: Env, source: str) -> Outcome:
    return env.cli("wasm", "run", "-i", source, "-p", "local", "wordcount.wasm")


def input_directories(env: Env) -> list[Path]:
    """Return what is left of inputs on the node."""
    root = env.directory / "node" / "compute" / "executions"
    kept = {"output"}
    return [path for path in root.glob("*") if path.name not in kept]


def test_the_yaml_of_the_source_page_and_its_imperative_form_do_the_same(
    env: Env, s3_objects: S3Objects
) -> None:
    bucket = s3_objects.bucket(OBJECTS)
    env.start_node()
    encoded = base64.b64encode((env.directory / "wordcount.wasm").read_bytes()).decode()
    module = f"data:application/wasm;base64,{encoded}"
    (env.directory / "job.yaml").write_text(
        DECLARATIVE.format(bucket=bucket, endpoint=s3_objects.endpoint, module=module)
    )

    declarative = env.cli("job", "run", "--show-warnings", "job.yaml")
    imperative = wasm_run(
        env, f"src=s3://{bucket}/data/,dst=/inputs,opt=endpoint={s3_objects.endpoint}"
    )

    expected = {"a.txt": (2, 3, len(TEXT)), "b.txt": (1, 1, 5)}
    assert counts(env, finished(env, declarative)) == expected
    assert counts(env, finished(env, imperative)) == expected
    assert "merged separate Target item" in declarative.stdout + declarative.stderr


def test_a_prefix_of_a_thousand_objects_arrives_complete(env: Env, s3_objects: S3Objects) -> None:
    objects = {f"many/{n:04}.txt": (f"{n} " * (n % 7 + 1)).encode() for n in range(1000)}
    bucket = s3_objects.bucket(objects)
    env.start_node()

    outcome = wasm_run(
        env, f"src=s3://{bucket}/many/,dst=/inputs,opt=endpoint={s3_objects.endpoint}"
    )

    expected = {
        key.removeprefix("many/"): (0, len(data.split()), len(data))
        for key, data in objects.items()
    }
    assert counts(env, finished(env, outcome)) == expected


@pytest.mark.parametrize(
    ("key", "option", "said"),
    [
        ("data/a.txt", "checksum256={wrong}", "checksum mismatch for s3://{bucket}/data/a.txt"),
        ("data/missing.txt", "", "s3://{bucket}/data/missing.txt"),
    ],
    ids=["wrong checksum", "missing key"],
)
def test_what_no_retry_can_help_ends_the_job_with_one_message(
    env: Env, s3_objects: S3Objects, key: str, option: str, said: str
) -> None:
    bucket = s3_objects.bucket(OBJECTS)
    wrong = base64.b64encode(hashlib.sha256(b"something else").digest()).decode()
    env.start_node()
    options = f',"opt={option.format(wrong=wrong)}"' if option else ""

    outcome = wasm_run(
        env, f"src=s3://{bucket}/{key},dst=/inputs,opt=endpoint={s3_objects.endpoint}{options}"
    )

    job = finished(env, outcome)
    assert job.state.state_type is JobState.FAILED
    assert said.format(bucket=bucket) in job.state.message
    with env.client() as client:
        assert len(client.executions(job.id).items) == 1
    assert outcome.code == 1
    assert (outcome.stdout + outcome.stderr).count("Error: ") == 1
    assert "\nHint:  " in outcome.stderr
    env.wait_until(lambda: not input_directories(env), "the input directory is gone")


def test_a_wrong_secret_ends_the_job_with_one_message(env: Env, s3_objects: S3Objects) -> None:
    bucket = s3_objects.bucket(OBJECTS)
    env.variables["AWS_SECRET_ACCESS_KEY"] = "not the secret"
    env.start_node()

    outcome = wasm_run(
        env, f"src=s3://{bucket}/data/,dst=/inputs,opt=endpoint={s3_objects.endpoint}"
    )

    job = finished(env, outcome)
    assert job.state.state_type is JobState.FAILED
    assert "SignatureDoesNotMatch" in job.state.message + str(job.state.details) + outcome.stdout
    assert (outcome.stdout + outcome.stderr).count("Error: ") == 1
    env.wait_until(lambda: not input_directories(env), "the input directory is gone")


def test_following_goes_on_until_results_are_stored_or_cannot_be(
    env: Env, s3_objects: S3Objects
) -> None:
    """The output ends before that."""
    bucket = s3_objects.bucket(OBJECTS)
    results = s3_objects.new_bucket()
    env.start_node()
    command = ("wasm", "run", "--follow", "wordcount.wasm")
    source = f"src=s3://{bucket}/data/,dst=/inputs,opt=endpoint={s3_objects.endpoint}"

    place = f"s3://{results}/{{jobID}},opt=endpoint={s3_objects.endpoint}"
    stored = env.cli(*command, "-i", source, "-p", place)
    assert stored.code == 0, stored.stderr
    assert "a.txt" in stored.stdout
    assert finished(env, stored).state.state_type is JobState.COMPLETED
    assert s3_objects.client.list_objects_v2(Bucket=results)["KeyCount"] == 1

    nowhere = place.replace(results, "there-is-no-such-bucket")
    refused = env.cli(*command, "-i", source, "-p", nowhere)
    assert refused.code == 1
    assert "a.txt" in refused.stdout
    assert 'there is no bucket "there-is-no-such-bucket"' in refused.stderr
    assert refused.stderr.count("Error: ") == 1


def test_results_in_s3_are_downloaded_without_credentials(env: Env, s3_objects: S3Objects) -> None:
    bucket = s3_objects.bucket(OBJECTS)
    results = s3_objects.new_bucket()
    env.start_node()
    endpoint = s3_objects.endpoint

    outcome = env.cli(
        *("wasm", "run", "-i", f"src=s3://{bucket}/data/,dst=/inputs,opt=endpoint={endpoint}"),
        *("-p", f"s3://{results}/{{jobID}}/{{executionID}},opt=endpoint={endpoint}"),
        "wordcount.wasm",
    )
    job = finished(env, outcome)
    for name in [name for name in env.variables if name.startswith("AWS_")]:
        del env.variables[name]

    assert counts(env, job)["a.txt"] == (2, 3, len(TEXT))
    (stored,) = s3_objects.client.list_objects_v2(Bucket=results)["Contents"]
    assert stored["Key"].startswith(f"{job.id}/e-")
