"""The rules for one task (spec api.md 1.3 to 1.8, storage.md 1.2, engines.md 1.3)."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from bacalhau.lib.units import format_duration
from bacalhau.models.capacity import resource_problems
from bacalhau.models.job import NetworkType
from bacalhau.models.problems import Problem, join_path
from bacalhau.models.specs import wasm
from bacalhau.models.specs.known import ENGINES, PUBLISHERS, SOURCES, spec_problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bacalhau.models.job import Task

_MAX_TIMEOUT_SECONDS = 9_223_372_036
_RESULT_NAME = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
_RESULT_NAME_RULE = (
    "a name has letters, digits, dots, dashes and underscores; "
    "slashes between such parts make nested directories"
)
_KERNELS = frozenset({"proc", "sys"})
_OWN_RESULTS = frozenset({"stdout", "stderr", "exitCode"})
_RESERVED_ENV = "BACALHAU_"
_DOMAIN = re.compile(
    r"\.?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})"
)
_DOMAIN_RULE = (
    "write a host such as example.com, .example.com for it and all below it, or an IP address; "
    "without scheme, port and path"
)


def task_problems(task: Task, path: str) -> list[Problem]:
    """Return what is wrong with a task as a user sent it."""
    name = task.name if task.name.strip() and task.name.isprintable() else repr(task.name)
    rules = (
        *(_name, _engine, _resources, _timeouts, _env, _network, _inputs, _results),
        *(_params, _modules),
    )
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
    if ".." in path.split("/"):
        return 'must not contain ".."'
    place = _place(path)
    if not place:
        return "must not be the root directory"
    if place.partition("/")[0] in _KERNELS:
        return "must not be in /proc or /sys, which belong to the kernel"
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
                f"timeouts are whole seconds from 0, which means none, to {_MAX_TIMEOUT_SECONDS}",
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
    network = task.network
    if network.domains and network.type is not NetworkType.HTTP:
        yield Problem(
            "Network.Domains",
            f"domains can only be set for HTTP network mode, not for {network.type}",
            "set Network.Type to HTTP, or leave out Domains",
        )
    if network.type is NetworkType.HTTP and not network.domains:
        yield Problem(
            "Network.Domains",
            "invalid networking configuration, at least one domain is required when HTTP "
            "networking is enabled",
            "list what the task may reach, such as example.com",
        )
    for index, domain in enumerate(network.domains):
        if not _DOMAIN.fullmatch(domain) and not _is_address(domain):
            text = f"invalid domain: {domain[:64]!r}"
            yield Problem(f"Network.Domains[{index}]", text, _DOMAIN_RULE)


def _is_address(domain: str) -> bool:
    try:
        ipaddress.ip_address(domain)
    except ValueError:
        return False
    return True


def _params(task: Task) -> Iterator[Problem]:
    """Judge the parameters of all types that come with this program."""
    parts = [("Engine", ENGINES, task.engine), ("Publisher", PUBLISHERS, task.publisher)]
    parts += [
        (f"InputSources[{index}].Source", SOURCES, item.source)
        for index, item in enumerate(task.input_sources)
    ]
    for path, rules, spec in parts:
        for problem in spec_problems(rules, spec):
            yield Problem(join_path(path, problem.path), problem.message, problem.hint)


def _modules(task: Task) -> Iterator[Problem]:
    """Find WebAssembly modules that are named by a path which no input provides."""
    if task.engine.kind != "wasm":
        return
    places = [_place(item.target) for item in task.input_sources]
    for path, module in wasm.named_modules(task.engine):
        wanted = _place(module)
        if not any(wanted == place or wanted.startswith(f"{place}/") for place in places):
            yield Problem(
                f"Engine.{path}",
                f'no input of the task provides the module "{module}"',
                "add an input whose Target is this path or a directory above it, or give the "
                "module as {Source: {Type, Params}}",
            )


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
    targets = {_place(source.target.strip()) for source in task.input_sources}
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
        elif _place(result.path) in targets:
            yield Problem(
                f"{where}.Path",
                f"result path '{result.path}' is the target of an input, too",
                "give the result path a place of its own",
            )
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
