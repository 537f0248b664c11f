"""What browsers send: forms, held to a size and a clock, and where they come from."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from endpointd.admin.receiving import BodyTooLarge, received
from endpointd.errors import UsageError

LARGEST = 1024 * 1024
"""Bytes of a form: four times what the settings of an endpoint may have."""

MOST_FIELDS = 1000
SLOWEST = 30.0
"""Seconds that a whole form may take."""

LIVE = "x-console-live"
"""In requests that a page makes by itself."""

FORM = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> Mapping[str, str]:
    """Of several fields with one name the last one counts. Raises `UsageError`, `RequestGone`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await _read_body(request)
    if kind != FORM and body:
        raise UsageError("request_invalid", f"the body is {kind or 'of no type'}", f"send a form, {FORM}")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS, separator="&"
        )
    except ValueError:
        raise UsageError("request_invalid", "the form cannot be read", "reload the page and try again") from None
    return dict(pairs)


async def _read_body(request: Request) -> bytes:
    try:
        return await received(request, LARGEST, SLOWEST)
    except BodyTooLarge:
        raise UsageError("request_invalid", f"the form has more than {LARGEST} bytes", "enter less") from None
    except TimeoutError:
        raise UsageError("request_invalid", f"the form took more than {SLOWEST:g} s", "send it again") from None


def is_by_hand(request: Request) -> bool:
    """A log that is followed is asked for again whenever its connection breaks, and has no header of ours."""
    return LIVE not in request.headers and "text/event-stream" not in request.headers.get("accept", "")


def wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


def comes_from_here(request: Request) -> bool:
    """Whether a browser says that one of our own pages has sent it. Who is no browser says nothing."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")
