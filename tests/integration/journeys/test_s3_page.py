"""The examples of the documentation's page on S3 sources, typed as they are printed there.

Only buckets, endpoints and images are this machine's own.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.docker import IMAGE

if TYPE_CHECKING:
    from tests.support.env import Env
    from tests.support.s3 import S3Objects

pytestmark = [
    pytest.mark.docker,
    pytest.mark.xdist_group("docker"),
    pytest.mark.usefixtures("docker_daemon"),
]

OBJECTS = {"key": b"one\n", "data/a": b"two\n", "data/nested/b": b"three\n"}
DIRECT = (
    "bacalhau docker run -i s3://bucket/key,dst=/my/input/path ubuntu -- cat /my/input/path/key"
)
DETAILED = (
    "bacalhau docker run "
    "-i src=s3://bucket/key,dst=/my/input/path,opt=endpoint=ENDPOINT,opt=region=us-east-1 "
    "ubuntu -- cat /my/input/path/key"
)
DECLARATIVE = """\
Name: S3 Data
Type: batch
Count: 1
Tasks:
  - Name: main
    Engine:
      Type: docker
      Params:
        Image: "ubuntu"
        Parameters: ["cat", "/data/a", "/data/nested/b"]
    InputSources:
      - Source:
          Type: "s3"
          Params:
            Bucket: "bucket"
            Key: "data/"
            Endpoint: "ENDPOINT"
            ChecksumSHA256: "e3b0c44b542b..."
      - Target: "/data"
"""


HOW_TO = Path(__file__).parents[3] / "docs" / "how-to" / "read-from-s3.md"
LOGS = {
    "logs/2024-01-15-a.log": b"ERROR\nok\n",
    "logs/2024-01-15-b.log": b"ERROR\nERROR\n",
    "logs/2024-01-16.log": b"ok\n",
    "logs/2024-01-17.log": b"ERROR\nERROR\nERROR\n",
}


def as_printed(text: str, bucket: str, endpoint: str) -> str:
    return (
        text.replace("s3://bucket/", f"s3://{bucket}/")
        .replace('"bucket"', f'"{bucket}"')
        .replace("ENDPOINT", endpoint)
        .replace("ubuntu", IMAGE)
    )


@pytest.mark.parametrize("line", [DIRECT, DETAILED], ids=["short", "with options"])
def test_lines_of_the_page(env: Env, s3_objects: S3Objects, line: str) -> None:
    """Without an endpoint in the line it is the node's own, as AWS is where nothing is set."""
    bucket = s3_objects.bucket(OBJECTS)
    env.variables["AWS_ENDPOINT_URL_S3"] = s3_objects.endpoint
    env.start_node()
    words = shlex.split(as_printed(line, bucket, s3_objects.endpoint))
    outcome = env.cli(*words[1:3], "--follow", *words[3:])
    assert outcome.code == 0, outcome.stderr
    assert "one\n" in outcome.stdout


def test_job_file_of_the_page(env: Env, s3_objects: S3Objects) -> None:
    bucket = s3_objects.bucket(OBJECTS)
    env.start_node()
    (env.directory / "job.yaml").write_text(as_printed(DECLARATIVE, bucket, s3_objects.endpoint))
    outcome = env.cli("job", "run", "--follow", "job.yaml")
    assert outcome.code == 0, outcome.stderr
    assert "two\nthree\n" in outcome.stdout


def test_partitioned_job_of_the_how_to(env: Env, s3_objects: S3Objects) -> None:
    """What is read together is what belongs to one day; every file is read once."""
    found = re.search(
        r"<!-- partitioned job: start -->\n```yaml\n(.*?)```", HOW_TO.read_text(), re.S
    )
    assert found
    text = found[1].replace("my-bucket", s3_objects.bucket(LOGS)).replace("ubuntu:24.04", IMAGE)
    env.variables["AWS_ENDPOINT_URL_S3"] = s3_objects.endpoint
    env.start_node()
    (env.directory / "job.yaml").write_text(text)
    outcome = env.cli("job", "run", "--id-only", "job.yaml")
    assert outcome.code == 0, outcome.stderr
    with env.client() as client:
        executions = client.executions(outcome.stdout.strip()).items
    printed = sorted(execution.run_output.stdout for execution in executions)
    assert [text.splitlines()[0] for text in printed] == [f"part {n} of 3" for n in range(3)]
    counted = sorted(line for text in printed for line in text.splitlines()[1:])
    expected = {key.removeprefix("logs/"): data.count(b"ERROR") for key, data in LOGS.items()}
    seen = {name: int(count) for name, _, count in (line.rpartition(":") for line in counted)}
    assert seen == expected
    (first,) = [text for text in printed if "2024-01-15-a" in text]
    assert "2024-01-15-b" in first
