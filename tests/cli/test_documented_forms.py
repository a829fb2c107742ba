"""Command lines that the documentation of v1.5 shows and its program refuses (spec cli.md 14)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml
from msgspec.structs import replace

from tests.support.api_server import store_job
from tests.support.cli import run_cli
from tests.support.jobs import finished_execution, finished_job

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cli import ServedApi


@pytest.fixture
def jobs(server: ServedApi) -> ServedApi:
    """A server with two jobs, the first of which has two executions."""
    first = replace(finished_job(1), meta={"bacalhau.org/orchestrator.id": "n", "mine": "kept"})
    run = finished_execution(first)
    runs = [replace(run, id=f"{run.id[:-1]}{last}") for last in "21"]
    server.run(store_job(server.api.store, first, runs))
    server.run(store_job(server.api.store, finished_job(2)))
    return server


@pytest.mark.parametrize("form", [["--id-filter"], []])
def test_one_job_of_the_list(jobs: ServedApi, form: list[str]) -> None:
    wanted = finished_job(2).id
    for reference in (wanted, wanted[:10]):
        outcome = jobs.cli("job", "list", *form, reference, "--output", "json")
        assert [job["ID"] for job in json.loads(outcome.stdout)] == [wanted]
    assert json.loads(jobs.cli("job", "list", *form, "j-none", "--output", "json").stdout) == []


@pytest.mark.parametrize("form", [["--id-filter"], []])
@pytest.mark.parametrize("start", ["j-", "2b1e6c1", "j-2b1e6c1"])
def test_jobs_of_the_list_whose_ids_begin_alike(
    jobs: ServedApi, form: list[str], start: str
) -> None:
    first, second = finished_job(1).id, finished_job(2).id

    def shown(*more: str) -> list[str]:
        outcome = jobs.cli("job", "list", *form, start, "--output", "json", *more)
        assert outcome.code == 0, outcome
        return [job["ID"] for job in json.loads(outcome.stdout)]

    assert shown() == [first, second]
    assert shown("--order-reversed") == [second, first]
    assert shown("--limit", "1") == [first]
    assert shown("--labels", "number=2") == [second]


def test_no_limit_hides_jobs_whose_ids_begin_alike(jobs: ServedApi) -> None:
    for number in range(3, 15):
        jobs.run(store_job(jobs.api.store, finished_job(number)))
    outcome = jobs.cli("job", "list", "--id-filter", "j-2b", "--output", "csv", "--hide-header")
    assert len(outcome.lines) == 14


def test_a_token_of_another_list(jobs: ServedApi) -> None:
    for command in (
        ["job", "executions", finished_job(1).id],
        ["job", "executions", finished_job(1).id, "--order-by", "state"],
        ["node", "list"],
    ):
        outcome = jobs.cli(*command, "--next-token", "bogus")
        assert outcome.code == 1
        assert 'next_token must be empty, not "bogus"' in outcome.stderr
        assert "Hint:  leave it out: this list has one page" in outcome.stderr


def test_a_short_name_for_the_limit(jobs: ServedApi) -> None:
    assert len(jobs.cli("job", "list", "-n", "1", "--hide-header", "--output", "csv").lines) == 1


def test_a_job_as_it_was_submitted(jobs: ServedApi) -> None:
    job_id = finished_job(1).id
    text = jobs.cli("job", "describe", "--spec", job_id).stdout
    document = yaml.safe_load(text)
    assert document["Meta"] == {"mine": "kept"}
    assert "ID" not in document
    again = jobs.cli("job", "run", "--wait=false", stdin=text)
    assert again.code == 0, again
    assert again.stdout.startswith("j-")


@pytest.mark.parametrize("form", [["--output", "json"], ["--json"]])
def test_a_job_as_it_was_submitted_in_json(jobs: ServedApi, form: list[str]) -> None:
    text = jobs.cli("job", "describe", "--spec", *form, finished_job(1).id).stdout
    document = json.loads(text)
    assert document["Meta"] == {"mine": "kept"}
    assert "ID" not in document


def test_old_flags_of_describe(jobs: ServedApi) -> None:
    job_id = finished_job(1).id
    outcome = jobs.cli("job", "describe", "--json", "--include-events", job_id)
    assert json.loads(outcome.stdout)["Job"]["ID"] == job_id
    assert outcome.stderr.count("has been deprecated") == 2


def test_an_order_that_executions_do_not_have_is_told_with_all_that_they_have(
    jobs: ServedApi,
) -> None:
    arguments = ("job", "executions", finished_job(1).id, "--order-by")
    outcome = jobs.cli(*arguments, "foo")
    assert (outcome.code, outcome.stdout) == (1, "")
    assert "cannot use 'foo' as order-by value" in outcome.stderr
    assert '"created_at" "modified_at" "id" "state"' in outcome.stderr
    for order in ("ID", "State", "Created_At", "modify_time"):
        assert jobs.cli(*arguments, order).code == 0


@pytest.mark.parametrize("order", ["id", "state"])
def test_orders_of_executions(jobs: ServedApi, order: str) -> None:
    arguments = ("job", "executions", finished_job(1).id, "--order-by", order, "--output", "json")
    upwards = [run["ID"] for run in json.loads(jobs.cli(*arguments).stdout)]
    assert len(upwards) == 2
    downwards = json.loads(jobs.cli(*arguments, "--order-reversed", "--limit", "1").stdout)
    assert len(downwards) == 1
    if order == "id":
        assert upwards == sorted(upwards)
        assert downwards[0]["ID"] == upwards[-1]


def test_history_of_a_node(jobs: ServedApi) -> None:
    arguments = ("job", "history", finished_job(1).id, "--output", "json", "--node-id")
    assert json.loads(jobs.cli(*arguments, "n-nowhere").stdout) == []
    assert jobs.cli(*arguments, "n-").code == 0


def test_the_default_configuration(tmp_path: Path) -> None:
    outcome = run_cli("config", "default", "--path", str(tmp_path), "-c", "API.Port=9")
    path = tmp_path / "config.yaml"
    path.write_text(outcome.stdout)
    assert yaml.safe_load(outcome.stdout)["API"]["Port"] == 1234
    assert run_cli("config", "list", "-c", str(path)).stderr == ""
    assert yaml.safe_load(outcome.stdout)["DataDir"] == str(tmp_path)


def test_shares_of_the_machine(tmp_path: Path) -> None:
    environment = {"BACALHAU_DIR": str(tmp_path)}
    path = tmp_path / "config.yaml"
    path.write_text("Labels: {a: b}")
    outcome = run_cli("config", "auto-resources", environment=environment)
    assert outcome.stdout == f"Writing config to {path}\n"
    document = yaml.safe_load(path.read_text())
    assert document["labels"] == {"a": "b"}
    shares = document["compute"]["allocatedcapacity"]
    assert shares == dict.fromkeys(("cpu", "memory", "disk", "gpu"), "75%")

    flags = ("--total-percentage", "50", "--default-job-percentage", "10", "--job-percentage", "5")
    outcome = run_cli("config", "auto-resources", *flags, environment=environment)
    assert "Flag --job-percentage has been deprecated, it has no effect" in outcome.stderr
    document = yaml.safe_load(path.read_text())
    assert document["compute"]["allocatedcapacity"]["cpu"] == "50%"
    assert document["jobdefaults"]["service"]["task"]["resources"]["cpu"].endswith("m")
    assert run_cli("config", "list", environment=environment).code == 0


@pytest.mark.parametrize("share", ["0", "101", "-5"])
def test_shares_that_are_none(tmp_path: Path, share: str) -> None:
    outcome = run_cli(
        *("config", "auto-resources", f"--total-percentage={share}"),
        environment={"BACALHAU_DIR": str(tmp_path)},
    )
    assert outcome.code == 1
    assert f"{share} is no percentage from 1 to 100" in outcome.stderr
    assert list(tmp_path.iterdir()) == []
