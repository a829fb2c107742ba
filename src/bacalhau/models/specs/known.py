"""Which rules hold for which type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.models.specs import docker, s3, wasm

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bacalhau.models.job import SpecConfig
    from bacalhau.models.problems import Problem

    Rules = Mapping[str, Callable[[SpecConfig], list[Problem]]]

ENGINE_TYPES = frozenset({"docker", "wasm"})
SOURCE_TYPES = frozenset({"inline", "ipfs", "local", "localdirectory", "s3", "urldownload"})
PUBLISHER_TYPES = frozenset({"ipfs", "local", "s3"})
"""Types that users may mean when they misspell one, in lower case."""

ENGINES: Rules = {"docker": docker.problems_of, "wasm": wasm.problems_of}
SOURCES: Rules = {"s3": s3.problems_of_source}
PUBLISHERS: Rules = {"s3": s3.problems_of_publisher}


def spec_problems(rules: Rules, spec: SpecConfig) -> list[Problem]:
    """Judge parameters; of a type without rules, which a plug-in may know, nothing is wrong."""
    rule = rules.get(spec.kind)
    return [] if rule is None else rule(spec)
