"""`bacalhau job get` (spec cli.md 8.7)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bacalhau.cli.command import Arity, Command
from bacalhau.cli.flag import Flag
from bacalhau.cli.flags.node import OLD_IPFS_FLAGS
from bacalhau.cli.output import to_json
from bacalhau.cli.values import BOOL, DURATION, STRING, not_negative
from bacalhau.errors import Code, TransientError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bacalhau.cli.session import Session
    from bacalhau.models.job import SpecConfig

_STALL_SECONDS = 300.0
_DRAWN_EVERY_SECONDS = 0.2


def run(
    session: Session,
    *,
    arguments: tuple[str],
    output_dir: str,
    raw: bool,
    download_timeout_secs: float,
) -> None:
    """Find out where the results are and download them."""
    job_id, _, only = arguments[0].partition("/")
    directory = _existing(output_dir) if output_dir else None
    session.note(f"Fetching results of job '{job_id}'...")
    with session.client() as client:
        results = client.results(job_id)
    if not results:
        session.say("No results found")
        session.say("You can check the logged output of the job using the logs command.")
        session.say(f"\n  bacalhau job logs {job_id}")
    elif _all_supported(session, results):
        directory = directory or _default_directory(job_id)
        given = "download-timeout-secs" in session.given
        _download(session, results, directory, raw, only, download_timeout_secs if given else 0)
        session.say(f"Results for job '{job_id}' have been written to...")
        session.say(output_dir or str(directory))


def _existing(text: str) -> Path:
    directory = Path(text)
    if not directory.is_dir():
        raise UserError(
            f"output dir does not exist: {directory.absolute()}",
            hint="make it before, or leave out --output-dir",
            component="CLI",
        )
    return directory


def _default_directory(job_id: str) -> Path:
    from bacalhau.models.ids import short_id

    directory = Path.cwd() / f"job-{short_id(job_id)}"
    try:
        directory.mkdir(mode=0o755, exist_ok=True)
    except OSError as exc:
        raise _unwritable(directory, exc) from exc
    return directory


def _unwritable(directory: Path, error: OSError) -> UserError:
    return UserError(
        f"cannot write results to {directory}: {error.strerror or error}",
        hint="name a directory that you may write to, and that has room, with --output-dir",
        component="CLI",
    )


def _all_supported(session: Session, results: Sequence[SpecConfig]) -> bool:
    """Tell whether all results can be downloaded; if not, show what they are."""
    from bacalhau.client.download import is_supported

    disabled = {name.lower() for name in session.settings.words("ResultDownloaders.Disabled")}
    refused = sorted({result.type for result in results if result.kind in disabled})
    unknown = sorted({result.type for result in results if not is_supported(result)})
    if not refused and not unknown:
        return True
    if refused:
        session.note(f"ResultDownloaders.Disabled lists {', '.join(refused)}")
    if unknown:
        session.note(
            f"No supported downloader found for the published results: {', '.join(unknown)}"
        )
    session.note(to_json(list(results), pretty=True, indent=4).rstrip())
    return False


def _download(
    session: Session,
    results: Sequence[SpecConfig],
    directory: Path,
    raw: bool,
    only: str,
    limit_seconds: float,
) -> None:
    from bacalhau.client.download import download_results

    animated = session.has_colour(session.stderr)
    try:
        download_results(
            results,
            directory,
            stall_seconds=min(limit_seconds or _STALL_SECONDS, _STALL_SECONDS),
            progress=_progress(session, limit_seconds, animated=animated),
            raw=raw,
            only=only,
        )
    except OSError as exc:
        raise _unwritable(directory, exc) from exc
    finally:
        if animated:
            session.stderr.write("\r\x1b[K")


def _progress(
    session: Session, limit_seconds: float, *, animated: bool
) -> Callable[[int, int], None]:
    """Return what is called as data arrives: it draws, and ends what takes too long."""
    from bacalhau.lib.clock import SystemClock
    from bacalhau.lib.units import format_bytes, format_duration

    clock = SystemClock()
    start = clock.monotonic()
    drawn = start

    def arrived(done: int, total: int) -> None:
        nonlocal drawn
        now = clock.monotonic()
        if limit_seconds and now - start > limit_seconds:
            raise TransientError(
                f"the download did not finish within {format_duration(limit_seconds)}",
                code=Code.TIMED_OUT,
                hint="run it again, with a longer --download-timeout-secs: it goes on from here",
                component="CLI",
            )
        if animated and now - drawn >= _DRAWN_EVERY_SECONDS:
            drawn = now
            of_all = f" of {format_bytes(total)}" if total else ""
            session.stderr.write(f"\r{format_bytes(done)}{of_all}\x1b[K")
            session.stderr.flush()

    return arrived


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
