"""Hypothesis strategies for jobs and for data that is anything but a job."""

from __future__ import annotations

import string

from hypothesis import strategies as st

from bacalhau.models import (
    InputSource,
    Job,
    JobState,
    JobType,
    LabelSelectorRequirement,
    NetworkConfig,
    NetworkType,
    ResourcesConfig,
    ResultPath,
    SpecConfig,
    State,
    Task,
    TimeoutConfig,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.integers(-(2**63), 2**63 - 1)
text_maps = st.dictionaries(texts, texts, max_size=4)

json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)

_types = texts | st.sampled_from(["docker", "Wasm", "s3", "inline", "local"])
_params = texts | st.sampled_from(
    ["Image", "parameters", "WorkingDirectory", "EnvironmentVariables", "EntryModule",
     "importmodules", "Bucket", "Key"]
)  # fmt: skip
specs = st.builds(SpecConfig, type=_types, params=st.dictionaries(_params, json_values, max_size=4))
tasks = st.builds(
    Task,
    name=texts,
    engine=specs,
    publisher=specs,
    env=text_maps,
    meta=text_maps,
    input_sources=st.lists(
        st.builds(InputSource, source=specs, alias=texts, target=texts), max_size=2
    ),
    result_paths=st.lists(st.builds(ResultPath, name=texts, path=texts), max_size=2),
    resources=st.builds(ResourcesConfig, cpu=texts, memory=texts, disk=texts, gpu=texts),
    network=st.builds(
        NetworkConfig, type=st.sampled_from(NetworkType), domains=st.lists(texts, max_size=2)
    ),
    timeouts=st.builds(
        TimeoutConfig, execution_timeout=numbers, queue_timeout=numbers, total_timeout=numbers
    ),
)
jobs = st.builds(
    Job,
    id=texts,
    name=texts,
    namespace=texts,
    type=st.sampled_from(JobType),
    priority=numbers,
    count=numbers,
    constraints=st.lists(
        st.builds(
            LabelSelectorRequirement, key=texts, operator=texts, values=st.lists(texts, max_size=2)
        ),
        max_size=2,
    ),
    meta=text_maps,
    labels=text_maps,
    tasks=st.lists(tasks, max_size=2),
    state=st.builds(
        State[JobState], state_type=st.sampled_from(JobState), message=texts, details=text_maps
    ),
    version=numbers,
    revision=numbers,
    create_time=numbers,
    modify_time=numbers,
)

_FIELD_NAMES = st.sampled_from(
    [
        "Type", "Count", "Tasks", "Labels", "Name", "Engine", "Params", "InputSources", "Source",
        "Target", "Constraints", "Key", "Values", "State", "StateType", "Network", "Domains",
        "Resources", "CPU", "Timeouts", "TotalTimeout", "ResultPaths", "Path", "Env", "type",
        "tasks", "ENGINE", "inputsources",
    ]
)  # fmt: skip
job_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
    | st.sampled_from(["batch", "ops", "None", "full", "1gb"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(_FIELD_NAMES | texts, inner, max_size=6),
    max_leaves=40,
)  # fmt: skip

_word = st.from_regex(r"\A[A-Za-z0-9]([-A-Za-z0-9_.]{0,10}[A-Za-z0-9])?\Z")
label_keys = _word | st.builds("example.com/{}".format, _word)
label_values = st.just("") | _word
labels = st.dictionaries(label_keys, label_values, max_size=4)


@st.composite
def requirements(draw: st.DrawFn) -> LabelSelectorRequirement:
    """Draw a requirement as the parser makes it: values sorted and unique."""
    operator = draw(st.sampled_from(["exists", "!", "=", "==", "!=", "in", "notin", "gt", "lt"]))
    if operator in ("exists", "!"):
        values = []
    elif operator in ("in", "notin"):
        values = sorted(draw(st.sets(label_values, min_size=1, max_size=3)))
    elif operator in ("gt", "lt"):
        values = [str(draw(st.integers(-(2**63), 2**63 - 1)))]
    else:
        values = [draw(label_values)]
    return LabelSelectorRequirement(key=draw(label_keys), operator=operator, values=values)


selector_texts = st.text(string.ascii_lowercase + "=!<>(), in", max_size=30)
