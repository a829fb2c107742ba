"""The rules for one task (spec api.md 1.3 to 1.8, storage.md 1.2, engines.md 1.3)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bacalhau.lib.units import format_duration
from bacalhau.models.capacity import resource_problems
from bacalhau.models.problems import Problem, join_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bacalhau.models.job import Task

_MAX_TIMEOUT_SECONDS = 9_223_372_036
_RESULT_NAME = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
_RESULT_NAME_RULE = (
    "a name has letters, digits, dots, dashes and underscores; "
    "slashes between such parts make nested directories"
)
_OWN_RESULTS = frozenset({"stdout", "stderr", "exitCode"})
_RESERVED_ENV = "BACALHAU_"
_UNFIT_DOMAIN = re.compile(r"[\x00-\x20\x7f]|\A\Z")


def task_problems(task: Task, path: str) -> list[Problem]:
    """Return what is wrong with a task as a user sent it."""
    name = task.name if task.name.strip() and task.name.isprintable() else repr(task.name)
    rules = (_name, _engine, _resources, _timeouts, _env, _network, _inputs, _results)
    return [
        Problem(
            join_path(path, problem.path),
            f"task {name} validation failed: {problem.message}",
            problem.hint,
        )
        for rule in rules
        for problem in rule(task)
    ]


def stored_task_problems(task: Task, path: str) -> list[Problem]:
    """Return what is wrong with a task once all defaults are in it."""
    problems = []
    limits = task.timeouts
    if task.result_paths and task.publisher.is_empty:
        problems.append(
            Problem(
                join_path(path, "Publisher"),
                f"task {task.name} validation failed: "
                "publisher must be set if result paths are set",
                "name a publisher, or leave out ResultPaths",
            )
        )
    if 0 < limits.total_timeout < limits.execution_timeout + limits.queue_timeout:
        shown = [
            format_duration(seconds)
            for seconds in (
                limits.effective_execution_timeout,
                limits.queue_timeout,
                limits.total_timeout,
            )
        ]
        problems.append(
            Problem(
                join_path(path, "Timeouts.TotalTimeout"),
                f"task {task.name} validation failed: execution timeout {shown[0]} and "
                f"queue timeout {shown[1]} should be less than total timeout {shown[2]}",
                "raise TotalTimeout, or lower the others",
            )
        )
    return problems


def path_problem(path: str) -> str:
    """Return why a path cannot be a place in a task, or an empty text."""
    if not path.startswith("/"):
        return "must be absolute"
    if "\0" in path:
        return "contains a null byte"
    segments = path.split("/")
    if ".." in segments:
        return 'must not contain ".."'
    if not any(segment not in ("", ".") for segment in segments):
        return "must not be the root directory"
    return ""


def _name(task: Task) -> Iterator[Problem]:
    if not task.name.strip():
        yield Problem("Name", "missing task name")
    elif "\0" in task.name:
        yield Problem("Name", "task name contains a null byte")


def _engine(task: Task) -> Iterator[Problem]:
    if not task.engine.kind:
        yield Problem("Engine.Type", "engine validation failed: missing spec type")
    if not task.publisher.kind and not task.publisher.is_empty:
        yield Problem("Publisher.Type", "publisher validation failed: missing spec type")


def _resources(task: Task) -> Iterator[Problem]:
    for problem in resource_problems(task.resources):
        yield Problem(
            f"Resources.{problem.path}",
            f"task resources validation failed: {problem.message}",
            problem.hint,
        )


def _timeouts(task: Task) -> Iterator[Problem]:
    limits = task.timeouts
    for name, seconds in (
        ("Execution", limits.execution_timeout),
        ("Queue", limits.queue_timeout),
        ("Total", limits.total_timeout),
    ):
        if not 0 <= seconds <= _MAX_TIMEOUT_SECONDS:
            shown = format_duration(seconds) if abs(seconds) <= _MAX_TIMEOUT_SECONDS else seconds
            yield Problem(
                f"Timeouts.{name}Timeout",
                f"invalid {name.lower()} timeout value: {shown}",
                "timeouts are whole seconds from 0, which means none",
            )


def _env(task: Task) -> Iterator[Problem]:
    for name, value in task.env.items():
        where = f"Env[{name[:64]!r}]"
        if not name or "=" in name or "\0" in name:
            yield Problem(where, f"{name[:64]!r} cannot be the name of an environment variable")
        elif name.upper().startswith(_RESERVED_ENV):
            yield Problem(
                where,
                f'environment variable "{name}" is reserved',
                "choose a name that does not start with BACALHAU_",
            )
        elif "\0" in value:
            yield Problem(where, f'environment variable "{name}" contains a null byte')


def _network(task: Task) -> Iterator[Problem]:
    for index, domain in enumerate(task.network.domains):
        if _UNFIT_DOMAIN.search(domain):
            yield Problem(f"Network.Domains[{index}]", f"invalid domain: {domain[:64]!r}")


def _inputs(task: Task) -> Iterator[Problem]:
    wrapper = "artifact validation failed: "
    aliases: set[str] = set()
    targets: set[str] = set()
    for index, source in enumerate(task.input_sources):
        where = f"InputSources[{index}]"
        if not source.source.kind:
            yield Problem(
                f"{where}.Source.Type", f"{wrapper}invalid artifact source: missing spec type"
            )
        if source.alias and source.alias in aliases:
            yield Problem(
                f"{where}.Alias", f"input source with alias '{source.alias}' already exists"
            )
        aliases.add(source.alias)
        target = source.target.strip()
        if not target:
            yield Problem(
                f"{where}.Target",
                f"{wrapper}missing artifact target",
                "Target is the absolute path at which the task finds the input",
            )
            continue
        reason = path_problem(target)
        if reason:
            yield Problem(f"{where}.Target", f"{wrapper}target '{target}' {reason}")
        elif _place(target) in targets:
            yield Problem(f"{where}.Target", f"input source with target '{target}' already exists")
        targets.add(_place(target))


def _results(task: Task) -> Iterator[Problem]:
    names: set[str] = set()
    paths: set[str] = set()
    for index, result in enumerate(task.result_paths):
        where = f"ResultPaths[{index}]"
        reason = _result_name_problem(result.name)
        if reason:
            yield Problem(f"{where}.Name", reason, _RESULT_NAME_RULE if result.name else "")
        elif result.name in names:
            yield Problem(f"{where}.Name", f"result path with name '{result.name}' already exists")
        names.add(result.name)
        if not result.path.strip():
            yield Problem(f"{where}.Path", "missing result path")
            continue
        reason = path_problem(result.path)
        if reason:
            yield Problem(f"{where}.Path", f"result path `{result.path}` {reason}")
        elif _place(result.path) in paths:
            yield Problem(f"{where}.Path", f"result path '{result.path}' already exists")
        paths.add(_place(result.path))


def _result_name_problem(name: str) -> str:
    if not name.strip():
        return "missing result path name"
    segments = name.split("/")
    if not _RESULT_NAME.fullmatch(name) or "." in segments or ".." in segments:
        return f"invalid result path name: {name[:64]!r}"
    if segments[0] in _OWN_RESULTS:
        return f"result path name '{name}' is taken by the results themselves"
    return ""


def _place(path: str) -> str:
    """Return a path in the one form that tells places apart."""
    return "/".join(segment for segment in path.split("/") if segment not in ("", "."))
