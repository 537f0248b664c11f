"""The responses to *Try it*: events for a script, one JSON object per line, or a page with the complete answer."""

import json
from collections.abc import AsyncIterator, Sequence

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from endpointd.console.door import Form
from endpointd.console.parts import Parts
from endpointd.console.sessions import Session
from endpointd.console.shell import Shell
from endpointd.console.targets import Attempt, AttemptInvalid, Target, attempt
from endpointd.console.trying import Event, attempted
from endpointd.errors import UsageError

NDJSON = "application/x-ndjson"

_AS_A_PAGE = 64 * 1024
"""The most characters of an answer that are shown on a page, to browsers without scripts."""


async def tried(
    parts: Parts, shell: Shell, request: Request, session: Session, form: Form, targets: Sequence[Target]
) -> Response:
    """Try the interface that the form names. Raises `UsageError` if it is not one of `targets`."""
    target = next((one for one in targets if form.get("target") == f"{one.method} {one.path}"), None)
    if target is None:
        raise UsageError("request_invalid", "the interface is not there any more", "reload the page and choose again")
    streams = NDJSON in request.headers.get("accept", "")
    try:
        wanted = attempt(target, form)
    except AttemptInvalid as invalid:
        fault: Event = {"kind": "fault", "text": "; ".join(f"{one.message}: {one.remedy}" for one in invalid.faults)}
        if streams:
            return Response(_line(fault), media_type=NDJSON)
        return await shell.page(request, session, "tried.html", 422, target=target, head=None, text="", last=fault)
    if streams:
        return StreamingResponse(_lines(parts, wanted), media_type=NDJSON)
    return await _page(parts, shell, request, session, target, wanted)


async def _lines(parts: Parts, wanted: Attempt) -> AsyncIterator[bytes]:
    async for event in attempted(parts.gateway(), parts.base(), wanted, parts.version):
        yield _line(event)


def _line(event: Event) -> bytes:
    return json.dumps(event).encode() + b"\n"


async def _page(
    parts: Parts, shell: Shell, request: Request, session: Session, target: Target, wanted: Attempt
) -> Response:
    head: Event | None = None
    last: Event = {}
    text = ""
    async for event in attempted(parts.gateway(), parts.base(), wanted, parts.version):
        last = event
        if event["kind"] == "head":
            head = event
        elif event["kind"] == "data":
            text += event["text"]
        if len(text) > _AS_A_PAGE:
            last = {"kind": "fault", "text": f"only the first {_AS_A_PAGE // 1024} Ki characters are shown"}
            break
    return await shell.page(request, session, "tried.html", target=target, head=head, text=text[:_AS_A_PAGE], last=last)
