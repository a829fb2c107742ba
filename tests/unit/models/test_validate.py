"""The rules for jobs (spec api.md 1, orchestration.md 2.2, storage.md 1.2, engines.md 1.3)."""

from __future__ import annotations

from typing import Any

import pytest

from bacalhau.errors import ValidationError
from bacalhau.models import (
    InputSource,
    Job,
    JobID,
    JobType,
    LabelSelectorRequirement,
    NetworkConfig,
    NetworkType,
    ResourcesConfig,
    ResultPath,
    SpecConfig,
    Task,
    TimeoutConfig,
)
from bacalhau.models.validate import Problem, raise_for, validate_stored, validate_submission


def _task(**changes: Any) -> Task:
    engine = SpecConfig(type="docker", params={"Image": "ubuntu"})
    return Task(**{"name": "main", "engine": engine, **changes})


def _job(task: Task | None = None, **changes: Any) -> Job:
    tasks = [task or _task()]
    return Job(**{"type": JobType.BATCH, "count": 1, "tasks": tasks, **changes})


def _stored(task: Task | None = None, **changes: Any) -> Job:
    return _job(task, **{"id": JobID("j-1"), "name": "n", "namespace": "default", **changes})


def _input(target: str, alias: str = "", kind: str = "urlDownload") -> InputSource:
    return InputSource(source=SpecConfig(type=kind), target=target, alias=alias)


def _http(*domains: str) -> NetworkConfig:
    return NetworkConfig(type=NetworkType.HTTP, domains=list(domains))


def _texts(problems: list[Problem]) -> list[str]:
    return [problem.message.removeprefix("task main validation failed: ") for problem in problems]


def _only(job: Job) -> tuple[str, str]:
    (problem,) = validate_submission(job)
    return problem.path, _texts([problem])[0]


def test_a_minimal_job_is_fine() -> None:
    assert validate_submission(_job()) == []
    assert validate_stored(_stored()) == []


def test_a_job_without_a_task_is_refused() -> None:
    assert _only(_job(tasks=[])) == ("Tasks", "missing job tasks")


@pytest.mark.parametrize("kind", [JobType.BATCH, JobType.SERVICE, JobType.OPS, JobType.DAEMON])
def test_a_count_beyond_all_reason_is_refused_with_the_bound(kind: JobType) -> None:
    path, message = _only(_job(type=kind, count=1_000_000_000))
    assert path == "Count"
    assert "at most 10000, got 1000000000" in message


def test_the_largest_count_is_accepted() -> None:
    assert validate_submission(_job(count=10_000)) == []


def test_a_negative_count_is_refused() -> None:
    assert _only(_job(count=-1)) == ("Count", "job count must be >= 0, got -1")


def test_every_task_is_looked_at() -> None:
    job = _job(tasks=[_task(), _task(name=" ")])
    assert [problem.path for problem in validate_submission(job)] == ["Tasks", "Tasks[1].Name"]


@pytest.mark.parametrize(
    ("changes", "path", "text"),
    [
        ({"name": ""}, "Name", "task '' validation failed: missing task name"),
        ({"name": "a\0b"}, "Name", "contains a null byte"),
        ({"engine": SpecConfig(type=" ")}, "Engine.Type", "missing spec type"),
        (
            {"publisher": SpecConfig(params={"Key": "x"})},
            "Publisher.Type",
            "publisher validation failed: missing spec type",
        ),
        (
            {"resources": ResourcesConfig(cpu="inf")},
            "Resources.CPU",
            "task resources validation failed: invalid CPU value: inf",
        ),
        (
            {"resources": ResourcesConfig(memory="-1")},
            "Resources.Memory",
            "invalid memory value: -1",
        ),
        ({"resources": ResourcesConfig(disk="1e99")}, "Resources.Disk", "invalid disk value: 1e99"),
        ({"resources": ResourcesConfig(gpu="0.5")}, "Resources.GPU", "invalid GPU value: 0.5"),
        (
            {"timeouts": TimeoutConfig(total_timeout=-90)},
            "Timeouts.TotalTimeout",
            "invalid total timeout value: -1m30s",
        ),
        (
            {"timeouts": TimeoutConfig(queue_timeout=2**63 - 1)},
            "Timeouts.QueueTimeout",
            "invalid queue timeout value: 9223372036854775807",
        ),
        ({"env": {"": "x"}}, "Env['']", "cannot be the name of an environment variable"),
        ({"env": {"A=B": "x"}}, "Env['A=B']", "cannot be the name of an environment variable"),
        ({"env": {"A": "x\0"}}, "Env['A']", "contains a null byte"),
        ({"env": {"bacalhau_x": "1"}}, "Env['bacalhau_x']", "is reserved"),
        ({"network": _http()}, "Network.Domains", "at least one domain is required"),
        ({"network": _http("a\nb.com")}, "Network.Domains[0]", "invalid domain: 'a\\nb.com'"),
        ({"network": _http("a.com", "")}, "Network.Domains[1]", "invalid domain: ''"),
        ({"network": _http("not a domain")}, "Network.Domains[0]", "invalid domain"),
        ({"network": _http("https://a.com")}, "Network.Domains[0]", "invalid domain"),
        ({"network": _http("*.a.com")}, "Network.Domains[0]", "invalid domain"),
        (
            {"network": NetworkConfig(domains=["example.com"])},
            "Network.Domains",
            "domains can only be set for HTTP network mode, not for None",
        ),
        ({"publisher": SpecConfig(type="  ")}, "Publisher.Type", "the type is blank: '  '"),
        (
            {"publisher": SpecConfig(type="S3", params={"key": "k"})},
            "Publisher.Params.Bucket",
            "invalid s3 params. bucket cannot be empty",
        ),
    ],
)
def test_each_part_of_a_task_has_its_rules(changes: dict[str, Any], path: str, text: str) -> None:
    found, message = _only(_job(_task(**changes)))
    assert found == f"Tasks[0].{path}"
    assert text in message


def test_the_longest_time_out_is_told() -> None:
    (problem,) = validate_submission(_job(_task(timeouts=TimeoutConfig(total_timeout=10**14))))
    assert problem.hint == "timeouts are whole seconds from 0, which means none, to 9223372036"


@pytest.mark.parametrize(
    "domain",
    ["example.com", ".example.com", "a_b.s3.amazonaws.com", "xn--bcher-kva.xn--p1ai", "10.0.0.1",
     "::1", "EXAMPLE.com "],
)  # fmt: skip
def test_domains_are_hosts_or_addresses(domain: str) -> None:
    assert validate_submission(_job(_task(network=_http(domain)))) == []


@pytest.mark.parametrize(
    ("engine", "path", "text"),
    [
        (SpecConfig(type="docker"), "Engine.Params.Image", "'Image' cannot be empty"),
        (
            SpecConfig(type="Docker", params={"Image": "a", "Parameters": "echo"}),
            "Engine.Params.Parameters",
            'expected a list, got the string "echo"',
        ),
        (
            SpecConfig(type="docker", params={"Image": "a", "WorkingDirectory": "rel"}),
            "Engine.Params.WorkingDirectory",
            '("rel") must contain absolute path',
        ),
        (SpecConfig(type="wasm"), "Engine.Params.EntryModule", "entry module. cannot be nil"),
        (
            SpecConfig(type="wasm", params={"EntryModule": "/x.wasm"}),
            "Engine.Params.EntryModule",
            'no input of the task provides the module "/x.wasm"',
        ),
    ],
)
def test_parameters_of_known_engines_have_rules(engine: SpecConfig, path: str, text: str) -> None:
    found, message = _only(_job(_task(engine=engine)))
    assert found == f"Tasks[0].{path}"
    assert text in message


def test_a_module_may_be_an_input_or_in_one() -> None:
    params = {"EntryModule": "/wasm/a.wasm", "ImportModules": ["lib/b.wasm"]}
    task = _task(
        engine=SpecConfig(type="wasm", params=params),
        input_sources=[_input("/wasm/a.wasm"), _input("/lib/")],
    )
    assert validate_submission(_job(task)) == []


def test_types_that_a_plug_in_may_bring_pass_with_whatever_they_have() -> None:
    unknown = SpecConfig(type="nonsense", params={"Image": 5})
    inputs = [InputSource(source=unknown, target="/a")]
    task = _task(engine=unknown, publisher=unknown, input_sources=inputs)
    assert validate_submission(_job(task)) == []


def test_a_misspelt_parameter_is_guessed() -> None:
    engine = SpecConfig(type="docker", params={"Imgae": "ubuntu"})
    (problem,) = validate_submission(_job(_task(engine=engine)))
    assert problem.hint == "did you mean Image?"


def test_a_daemon_has_no_count() -> None:
    assert validate_submission(_job(type=JobType.DAEMON, count=1)) == []
    assert validate_submission(_job(type=JobType.OPS, count=3)) == []
    assert _only(_job(type=JobType.DAEMON, count=2)) == (
        "Count",
        "job count must be 1 for a daemon job, got 2",
    )


@pytest.mark.parametrize("target", ["/data", "/a/b/", "/a/./b", "/..a"])
def test_targets_of_inputs_are_absolute_paths(target: str) -> None:
    assert validate_submission(_job(_task(input_sources=[_input(target)]))) == []


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("", "missing artifact target"),
        ("  ", "missing artifact target"),
        ("data", "target 'data' must be absolute"),
        ("/", "must not be the root directory"),
        ("//./", "must not be the root directory"),
        ("/proc", "must not be in /proc or /sys"),
        ("//sys/kernel", "must not be in /proc or /sys"),
        ("/a/../b", 'must not contain ".."'),
        ("/a\0b", "contains a null byte"),
    ],
)
def test_other_targets_are_refused(target: str, text: str) -> None:
    path, message = _only(_job(_task(input_sources=[_input(target)])))
    assert path == "Tasks[0].InputSources[0].Target"
    assert message.startswith("artifact validation failed: ")
    assert text in message


def test_an_input_needs_a_type() -> None:
    assert _only(_job(_task(input_sources=[_input("/a", kind="")]))) == (
        "Tasks[0].InputSources[0].Source.Type",
        "artifact validation failed: invalid artifact source: missing spec type",
    )


def test_two_inputs_share_neither_alias_nor_target() -> None:
    sources = [_input("/a", "x"), _input("/b", "x"), _input("/a/"), _input("//a/.")]
    problems = validate_submission(_job(_task(input_sources=sources)))
    assert _texts(problems) == [
        "input source with alias 'x' already exists",
        "input source with target '/a/' already exists",
        "input source with target '//a/.' already exists",
    ]


@pytest.mark.parametrize("name", ["outputs", "/outputs", "a/b.c/d_e-f", "...", "stdout.txt"])
def test_names_of_results_may_be_nested(name: str) -> None:
    results = [ResultPath(name=name, path="/outputs")]
    assert validate_submission(_job(_task(result_paths=results))) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("", "missing result path name"),
        (" ", "missing result path name"),
        ("/", "missing result path name"),
        ("..", "invalid result path name: '..'"),
        ("a/../b", "invalid result path name"),
        ("./a", "invalid result path name"),
        ("//a", "invalid result path name"),
        ("a//b", "invalid result path name"),
        ("a/", "invalid result path name"),
        ("a b", "invalid result path name"),
        ("stdout", "result path name 'stdout' is taken"),
        ("/stderr", "result path name 'stderr' is taken"),
        ("exitCode/a", "result path name 'exitCode/a' is taken"),
    ],
)
def test_other_names_of_results_are_refused(name: str, text: str) -> None:
    path, message = _only(_job(_task(result_paths=[ResultPath(name=name, path="/o")])))
    assert path == "Tasks[0].ResultPaths[0].Name"
    assert text in message


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("", "missing result path"),
        ("o", "result path `o` must be absolute"),
        ("/", "must not be the root directory"),
        ("/a/..", 'must not contain ".."'),
    ],
)
def test_results_are_absolute_paths(result: str, text: str) -> None:
    path, message = _only(_job(_task(result_paths=[ResultPath(name="o", path=result)])))
    assert path == "Tasks[0].ResultPaths[0].Path"
    assert text in message


def test_a_result_is_not_where_an_input_is() -> None:
    task = _task(
        input_sources=[_input("/data")],
        result_paths=[
            ResultPath(name="a", path="/data/"),
            ResultPath(name="b", path="/data/inside"),
        ],
    )
    path, message = _only(_job(task))
    assert path == "Tasks[0].ResultPaths[0].Path"
    assert "result path '/data/' is the target of an input, too" in message


def test_two_results_share_neither_name_nor_path() -> None:
    results = [
        ResultPath(name="o", path="/a"),
        ResultPath(name="/o", path="/b"),
        ResultPath(name="p", path="/a/"),
    ]
    assert _texts(validate_submission(_job(_task(result_paths=results)))) == [
        "result path with name 'o' already exists",
        "result path '/a/' already exists",
    ]


def test_constraints_are_counted_from_one() -> None:
    constraints = [
        LabelSelectorRequirement(key="a", operator="exists"),
        LabelSelectorRequirement(key="a", operator="~~", values=["b"]),
        LabelSelectorRequirement(key=" ", operator="gt", values=["x"]),
    ]
    assert [problem.text for problem in validate_submission(_job(constraints=constraints))] == [
        'constraint 2 validation failed: unknown operator "~~", expected one of '
        "in notin = == != exists ! gt lt (at Constraints[1].Operator)",
        "constraint 3 validation failed: the key is blank (at Constraints[2].Key)",
        'constraint 3 validation failed: operator "gt" needs a whole number, got "x" '
        "(at Constraints[2].Values)",
    ]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"name": "a\x1b[31m"}, "Name"),
        ({"name": "é" * 129}, "Name"),
        ({"namespace": "a\x7fb"}, "Namespace"),
        ({"namespace": "a b"}, "Namespace"),
        ({"namespace": " a"}, "Namespace"),
        ({"labels": {f"k{i}": "" for i in range(65)}}, "Labels"),
        ({"labels": {"k": "v" * 257}}, "Labels['k']"),
        ({"labels": {"k\0": "v"}}, "Labels['k\\x00']"),
    ],
)
def test_names_and_labels_have_limits(changes: dict[str, Any], path: str) -> None:
    assert _only(_job(**changes))[0] == path


def test_names_may_have_blanks_as_in_the_published_examples() -> None:
    job = _job(_task(name="My main task"), name="A Simple Docker Job")
    assert validate_submission(job) == []


@pytest.mark.parametrize(
    "labels", [{"team": "data"}, {"example.com/Team_1": "a.b-c"}, {"bacalhau_canary": ""}]
)
def test_labels_can_be_asked_for(labels: dict[str, str]) -> None:
    assert validate_submission(_job(labels=labels)) == []


@pytest.mark.parametrize(
    ("labels", "path", "text"),
    [
        ({"bad key!": "v"}, "Labels['bad key!']", "invalid label key: 'bad key!'"),
        ({"k": "bad value !"}, "Labels['k']", "invalid label value: 'bad value !'"),
        ({"": "v"}, "Labels['']", "invalid label key: ''"),
        ({"k": "v" * 64}, "Labels['k']", "invalid label value"),
    ],
)
def test_labels_that_no_selector_could_name_are_refused(
    labels: dict[str, str], path: str, text: str
) -> None:
    found, message = _only(_job(labels=labels))
    assert found == path
    assert text in message


@pytest.mark.parametrize(
    ("changes", "path", "text"),
    [
        ({"id": JobID("")}, "ID", "missing job ID"),
        ({"id": JobID("a/b")}, "ID", "invalid job ID: 'a/b'"),
        ({"id": JobID("..")}, "ID", "invalid job ID"),
        ({"id": JobID("a b")}, "ID", "invalid job ID"),
        ({"id": JobID("a\0")}, "ID", "invalid job ID"),
        ({"id": JobID("a" * 129)}, "ID", "invalid job ID"),
        ({"name": " "}, "Name", "missing job name"),
        ({"namespace": " "}, "Namespace", "missing job namespace"),
    ],
)
def test_a_stored_job_has_a_fit_id_name_and_namespace(
    changes: dict[str, Any], path: str, text: str
) -> None:
    (problem,) = validate_stored(_stored(**changes))
    assert problem.path == path
    assert text in problem.message


def test_results_need_a_publisher_once_defaults_are_applied() -> None:
    task = _task(result_paths=[ResultPath(name="o", path="/o")])
    assert validate_submission(_job(task)) == []
    assert _texts(validate_stored(_stored(task))) == [
        "publisher must be set if result paths are set"
    ]


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ((60, 40, 100), None),
        ((100, 0, 0), None),
        ((0, 100, 100), None),
        (
            (61, 40, 100),
            "execution timeout 1m1s and queue timeout 40s should be less than total timeout 1m40s",
        ),
        (
            (0, 101, 100),
            "execution timeout 1m40s and queue timeout 1m41s "
            "should be less than total timeout 1m40s",
        ),
    ],
)
def test_the_parts_of_a_timeout_fit_into_the_whole(
    limits: tuple[int, int, int], text: str | None
) -> None:
    execution, queue, total = limits
    timeouts = TimeoutConfig(execution_timeout=execution, queue_timeout=queue, total_timeout=total)
    found = _texts(validate_stored(_stored(_task(timeouts=timeouts))))
    assert found == ([] if text is None else [text])


def test_one_error_tells_all_problems_their_places_and_remedies() -> None:
    task = _task(resources=ResourcesConfig(cpu="x"), timeouts=TimeoutConfig(total_timeout=-1))
    with pytest.raises(ValidationError) as caught:
        raise_for(validate_submission(_job(task, count=-1)))
    error = caught.value
    assert error.message.split("\n") == [
        "job count must be >= 0, got -1",
        "task main validation failed: task resources validation failed: invalid CPU value: x "
        "(at Tasks[0].Resources.CPU)",
        "task main validation failed: invalid total timeout value: -1s "
        "(at Tasks[0].Timeouts.TotalTimeout)",
    ]
    assert error.fields == ("Count", "Tasks[0].Resources.CPU", "Tasks[0].Timeouts.TotalTimeout")
    assert "expected cores such as 2, 0.5 or 500m" in error.hint
    assert error.code == "ValidationError"


def test_no_problem_raises_nothing() -> None:
    raise_for([])
