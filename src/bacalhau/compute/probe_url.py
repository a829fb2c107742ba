"""The operator's service that says whether to take a job (spec orchestration.md 6.2: S7).

Whatever is not clearly a yes is a no: time-outs, answers that are too long, JSON that says nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp

from bacalhau.compute.failures import COMPONENT
from bacalhau.errors import Code, TransientError, ValidationError
from bacalhau.lib.outbound import proxy_for
from bacalhau.lib.units import format_duration
from bacalhau.lib.urls import shown
from bacalhau.models.decode import decode, parse_json
from bacalhau.models.params import ParamsModel

if TYPE_CHECKING:
    from typing import Final

_MAX_ANSWER_BYTES: Final = 2**20
_MAX_REASON_CHARACTERS: Final = 2_000


class ProbeAnswer(ParamsModel, frozen=True, kw_only=True):
    """What the service answers in JSON. Further keys have no meaning."""

    should_bid: bool = False
    reason: str = ""


async def ask_url(url: str, payload: bytes, *, limit_seconds: float) -> str:
    """Return why the service does not want the job, or an empty text.

    Raises:
        TransientError: nobody answers, so that nobody knows.
    """
    failure = f'this node does not accept jobs where url "{shown(url)}"'
    try:
        async with asyncio.timeout(limit_seconds):
            return await _ask(url, payload, failure)
    except TimeoutError:
        return f"{failure} takes longer than {format_duration(limit_seconds)} to answer"
    except (aiohttp.ClientError, OSError) as exc:
        raise TransientError(
            f'url "{shown(url)}" cannot be asked whether this node takes the job: '
            f"{_cause(exc, url)}",
            code=Code.PROBE_FAILED,
            hint="check JobAdmissionControl.ProbeHTTP of the node, and the service behind it",
            component=COMPONENT,
        ) from exc


async def _ask(url: str, payload: bytes, failure: str) -> str:
    headers = {"Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=payload, headers=headers, proxy=proxy_for(url)) as response,
    ):
        if response.status >= 400:
            return f"{failure} returns HTTP status code {response.status}"
        if response.content_type != "application/json":
            return ""
        body = b""
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > _MAX_ANSWER_BYTES:
                return f"{failure} answers more than {_MAX_ANSWER_BYTES // 2**20} MiB"
    try:
        answer = decode(ProbeAnswer, parse_json(body))
    except ValidationError as exc:
        return f"{failure} gives an answer that cannot be read: {exc.message.splitlines()[0]}"
    if answer.should_bid:
        return ""
    return answer.reason[:_MAX_REASON_CHARACTERS] or f"{failure} answers ShouldBid false"


def _cause(error: Exception, url: str) -> str:
    text = str(error)
    return type(error).__name__ if not text or url in text else text
