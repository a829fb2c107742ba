"""`bacalhau job get` (spec cli.md 8.7)."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bacalhau.cli.command import Arity, Command
from bacalhau.cli.flag import Flag
from bacalhau.cli.flags.node import OLD_IPFS_FLAGS
from bacalhau.cli.output import to_json
from bacalhau.cli.values import BOOL, DURATION, STRING, not_negative
from bacalhau.errors import Code, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bacalhau.cli.session import Session
    from bacalhau.cli.transfer import TransferView
    from bacalhau.client import Client
    from bacalhau.client.results import Content, DirectAccess
    from bacalhau.models.job import SpecConfig

_STALL_SECONDS = 300.0
_UNSIGNED_HINT = (
    "Hint:  the server gives no links to these results in S3: set AWS_PROFILE, or\n"
    "       AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, of a user who may read them"
)


def run(
    session: Session,
    *,
    arguments: tuple[str],
    output_dir: str,
    raw: bool,
    download_timeout_secs: float,
) -> None:
    """Find out where the results are and download them."""
    job_id, _, path = arguments[0].partition("/")
    only = _clean(path, raw=raw)
    given = _existing(output_dir) if output_dir else None
    session.note(f"Fetching results of job '{job_id}'...")
    with session.client() as client:
        results = client.results(job_id)
        if not results:
            session.say("No results found")
            if not (state := client.job(job_id).job.state.state_type).is_terminal:
                session.note(f"The job has not ended yet: it is {state.value}")
            session.say("You can check the logged output of the job using the logs command.")
            session.say(f"\n  bacalhau job logs {job_id}")
            return
        direct = _own_access(session, results)
        if not _all_supported(session, results, is_direct=direct is not None):
            return
        view = _view(session, download_timeout_secs)
        with _place(given, job_id) as directory:
            contents = None if raw else _contents(client, job_id, len(results), directory)
            wanted = _Wanted(
                directory=directory, raw=raw, only=only, direct=direct, contents=contents
            )
            is_new = _download(wanted, results, view, again=lambda: client.results(job_id))
    if not is_new:
        session.note("They are there already, unchanged: nothing was fetched")
    session.say(f"Results for job '{job_id}' have been written to...")
    session.say(output_dir or str(directory))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    """What the user asks for, and what helps to get it."""

    directory: Path
    raw: bool
    only: str
    direct: DirectAccess | None
    contents: Sequence[tuple[Content, ...]] | None


def _clean(path: str, *, raw: bool) -> str:
    from bacalhau.lib.paths import clean_relative

    try:
        only = clean_relative(path)
    except ValueError as exc:
        raise UserError(
            f"no path of a result: {exc}",
            hint="name it as it is in the results: JOB/outputs/file.txt",
            component="CLI",
        ) from exc
    if raw and only:
        raise UserError(
            f'--raw keeps whole results, so it does not go with a path ("{only}")',
            hint="leave out one of them",
            component="CLI",
        )
    return only


def _existing(text: str) -> Path:
    directory = Path(text)
    if not directory.is_dir():
        if os.path.lexists(directory):
            raise UserError(
                f"output dir is no directory: {directory.absolute()}",
                hint="name another one, or leave out --output-dir",
                component="CLI",
            )
        raise UserError(
            f"output dir does not exist: {directory.absolute()}",
            hint="make it before, or leave out --output-dir",
            component="CLI",
        )
    return directory


@contextmanager
def _place(given: Path | None, job_id: str) -> Iterator[Path]:
    """Yield the directory for the results; one that is made for them does not stay empty."""
    from bacalhau.models.ids import short_id

    directory = given or Path.cwd() / f"job-{short_id(job_id)}"
    is_made = not os.path.lexists(directory)
    try:
        if given is None:
            directory.mkdir(mode=0o755, exist_ok=True)
        yield directory
    except OSError as exc:
        raise UserError(
            f"cannot write results to {directory}: {exc.strerror or exc}",
            hint="name a directory that you may write to, and that has room, with --output-dir",
            component="CLI",
        ) from exc
    finally:
        if is_made:
            with suppress(OSError):
                directory.rmdir()


def _own_access(session: Session, results: Sequence[SpecConfig]) -> DirectAccess | None:
    """Return the way to results in S3 that are not signed; None where it leads nowhere."""
    if not any(result.kind == "s3" for result in results):
        return None
    from bacalhau.client.direct import own_access
    from bacalhau.lib.clock import SystemClock

    return own_access(session.settings, SystemClock())


def _contents(
    client: Client, job_id: str, count: int, directory: Path
) -> Sequence[tuple[Content, ...]] | None:
    """Ask what is in the results, if that matters: an empty directory has nothing of it."""
    if not any(directory.iterdir()):
        return None
    from bacalhau.client.contents import published_contents

    return published_contents(client, job_id, count)


def _all_supported(session: Session, results: Sequence[SpecConfig], *, is_direct: bool) -> bool:
    """Tell whether all results can be downloaded; if not, show what they are."""
    from bacalhau.client.results import is_supported

    disabled = {name.lower() for name in session.settings.words("ResultDownloaders.Disabled")}
    refused = sorted({result.type for result in results if result.kind in disabled})
    unknown = sorted(
        {result.type for result in results if not is_supported(result, is_direct=is_direct)}
    )
    if not refused and not unknown:
        return True
    if refused:
        session.note(f"ResultDownloaders.Disabled lists {', '.join(refused)}")
    if unknown:
        session.note(
            f"No supported downloader found for the published results: {', '.join(unknown)}"
        )
        if any(result.kind == "s3" for result in results) and not is_direct:
            session.note(_UNSIGNED_HINT)
    session.note(to_json(list(results), pretty=True, indent=4).rstrip())
    return False


def _view(session: Session, seconds: float) -> TransferView:
    from bacalhau.cli.transfer import TransferView
    from bacalhau.lib.clock import SystemClock

    limit = seconds if "download-timeout-secs" in session.given else 0
    return TransferView(
        session,
        SystemClock(),
        limit_seconds=limit,
        stall_seconds=min(limit or _STALL_SECONDS, _STALL_SECONDS),
    )


def _download(
    wanted: _Wanted,
    results: Sequence[SpecConfig],
    view: TransferView,
    *,
    again: Callable[[], Sequence[SpecConfig]],
) -> bool:
    """Download; signed links that expire meanwhile are asked for ``again``."""
    from bacalhau.client.download import Download, download_results
    from bacalhau.client.meter import Meter
    from bacalhau.client.results import read_results

    has_signed = any(result.kind == "s3presigned" for result in results)
    is_in_vain = False
    try:
        while True:
            meter = Meter()
            try:
                download = Download(
                    results=read_results(results, wanted.direct, wanted.contents),
                    directory=wanted.directory,
                    raw=wanted.raw,
                    only=wanted.only,
                )
                return download_results(download, meter, lambda: view.tick(meter))  # noqa: B023
            except UserError as exc:
                was_in_vain, is_in_vain = is_in_vain, not meter.now().moved_bytes
                if exc.code != Code.FORBIDDEN or not has_signed or (was_in_vain and is_in_vain):
                    raise
                results = again()
    except KeyboardInterrupt:
        view.give_up()
        raise
    finally:
        view.close()


COMMAND = Command(
    "get",
    run,
    flags=(
        *OLD_IPFS_FLAGS,
        Flag("output-dir", STRING, "", "An existing directory for the results."),
        Flag("raw", BOOL, False, "Keep the results in DIR/raw as they were published."),
        Flag(
            "download-timeout-secs",
            not_negative(DURATION),
            _STALL_SECONDS,
            "Longest time for the download, such as 10m. Unless it is given, only a\n"
            "standstill of that length ends the download.",
        ),
    ),
    arity=Arity("JOB[/PATH]", 1, 1),
    text="Download the results of a job into DIR, by default ./job-ID.",
)
