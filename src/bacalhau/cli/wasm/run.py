"""`bacalhau wasm run` (spec cli.md 8.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bacalhau.cli.command import Arity, Command
from bacalhau.cli.flag import Flag
from bacalhau.cli.flags.job import JOB_FLAGS, TASK_FLAGS, build_job
from bacalhau.cli.flags.module import read_module
from bacalhau.cli.flags.node import OLD_IPFS_FLAGS
from bacalhau.cli.submission import RUNTIME_FLAGS, Runtime, submit
from bacalhau.cli.values import STRING, STRINGS, each
from bacalhau.errors import UserError
from bacalhau.models.job import InputSource, SpecConfig

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bacalhau.cli.session import Session

_IMPORT_TARGET = "/inputs"


def run(
    session: Session,
    *,
    arguments: tuple[str, ...],
    entry_point: str,
    env: list[str],
    import_module_urls: list[InputSource],
    import_module_volumes: list[InputSource],
    **options: Any,
) -> None:
    """Build a job around a module and submit it."""
    engine = wasm_engine(
        arguments,
        entry_point=entry_point,
        env=env,
        imports=[*import_module_urls, *import_module_volumes],
    )
    job, warnings = build_job(engine, options, session.given)
    submit(session, job, warnings, Runtime.of(options))


def wasm_engine(
    arguments: Sequence[str], *, entry_point: str, env: Iterable[str], imports: list[InputSource]
) -> SpecConfig:
    """Return the engine for a module with its parameters.

    Raises:
        UserError: the module cannot be read, or a variable is not ``NAME=VALUE``.
    """
    import msgspec

    module, *parameters = arguments
    return SpecConfig(
        type="wasm",
        params={
            "EntryModule": msgspec.to_builtins(read_module(module)),
            "Entrypoint": entry_point,
            "Parameters": parameters,
            "EnvironmentVariables": _variables(env),
            "ImportModules": msgspec.to_builtins(imports),
        },
    )


def _variables(texts: Iterable[str]) -> dict[str, str]:
    variables = {}
    for text in texts:
        if text.count("=") != 1:
            raise UserError(
                f"wasm env vars invalid: {text} must have exactly one =, as in NAME=VALUE",
                component="CLI",
            )
        name, _, value = text.partition("=")
        variables[name] = value
    return variables


def _read_import_url(text: str) -> InputSource:
    if not text.lower().startswith(("http://", "https://")):
        raise ValueError(f"{text} is not an http:// or https:// URL")
    if "/" not in text.partition("://")[2]:
        raise ValueError(f"{text}: URL must end with a file name")
    source = SpecConfig(type="urlDownload", params={"URL": text})
    return InputSource(source=source, alias=text, target=_IMPORT_TARGET)


def _read_import_volume(text: str) -> InputSource:
    content_id, _, path = text.partition(":")
    if text.count(":") != 1 or not content_id or not path:
        raise ValueError(f"{text} must be CID:PATH")
    source = SpecConfig(type="ipfs", params={"CID": content_id})
    return InputSource(source=source, alias=f"ipfs://{content_id}", target=path)


COMMAND = Command(
    "run",
    run,
    flags=(
        *JOB_FLAGS,
        *TASK_FLAGS,
        *RUNTIME_FLAGS,
        *OLD_IPFS_FLAGS,
        Flag("entry-point", STRING, "_start", "Function of the module to call."),
        Flag("env", STRINGS, [], "Environment of the module, as NAME=VALUE.", short="e"),
        Flag(
            "import-module-urls",
            each("url", _read_import_url),
            [],
            "URL of a module that the module imports from; may be repeated.",
            short="U",
        ),
        Flag(
            "import-module-volumes",
            each("cid:path", _read_import_volume),
            [],
            "CID:PATH of a module that the module imports from; may be repeated.",
            short="I",
        ),
    ),
    arity=Arity("MODULE [ARG...]", 1, None),
    text="Run a WebAssembly module as a job. MODULE is a local file or a CID.",
    example="""\
# Run a local module with two arguments
bacalhau wasm run main.wasm one two""",
    late_hint="flags of the module belong behind --, as in: wasm run MODULE -- -x",
)
