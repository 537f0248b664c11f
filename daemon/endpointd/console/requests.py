"""Reads browsers' forms, with limits for size and time, and tells where requests come from."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from endpointd.admin.receiving import BodyTooLarge, received
from endpointd.errors import UsageError

LARGEST = 1024 * 1024
"""The most bytes of a form: four times the largest size of an endpoint's settings."""

MOST_FIELDS = 1000
SLOWEST = 30.0
"""Seconds within which a form must arrive."""

LIVE = "x-console-live"
"""The header of requests that a page's script makes by itself, such as for updating the page."""

FORM = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> Mapping[str, str]:
    """The fields of the request's form. Of several fields with the same name, the last one counts. Raises `UsageError`
    or `RequestGone`."""
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
    """Whether the user has made the request, and not a page by itself. Log streams count as the latter: browsers
    reconnect them by themselves, and cannot send the header `LIVE` with them."""
    return LIVE not in request.headers and "text/event-stream" not in request.headers.get("accept", "")


def wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")


def comes_from_here(request: Request) -> bool:
    """Whether the request comes from one of the console's own pages, according to the headers that browsers send. True
    for requests without these headers, which do not come from a browser."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")
