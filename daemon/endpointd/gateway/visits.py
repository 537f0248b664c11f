"""Applies an endpoint's rules for its callers to a request: whether it is let in, and which headers its answer gets.

A request may be read twice, if the direct path leaves it to the general one, but must be judged and counted only once.
So the result is stored in the request's scope.
"""

from dataclasses import dataclass
from math import ceil
from time import monotonic
from typing import Any

from endpointd.callers.cors import CorsHeaders, is_preflight
from endpointd.callers.guard import Guard
from endpointd.gateway.heads import Headers, ResponseHead, written
from endpointd.gateway.mount import Mount
from endpointd.gateway.problems import Problem, retry_after

_KEY = "endpointd.visit"


@dataclass(frozen=True, slots=True)
class Preflight:
    """A CORS preflight request that the host answers for the plugin: the page may send the request that it has asked
    for. `headers` are those of the answer."""

    headers: Headers


@dataclass(slots=True)
class Visit:
    """The result for one request. `mount` is its endpoint, `cors` are the headers for its answer, and `preflight` or
    `problem` is set if the host answers it itself."""

    mount: Mount
    cors: CorsHeaders | None = None
    preflight: Preflight | None = None
    problem: Problem | None = None


def let_in(guard: Guard, scope: dict[str, Any], headers: Headers, mount: Mount) -> Preflight | None:
    """Judge a request. Returns None if it is let in, or the answer to a preflight request. Raises `Problem`."""
    visit: Visit | None = scope.get(_KEY)
    if visit is None:
        visit = scope[_KEY] = _judge(guard, scope, headers, mount)
    if visit.problem is not None:
        raise visit.problem
    return visit.preflight


def visit_of(scope: dict[str, Any]) -> Visit | None:
    return scope.get(_KEY)


def with_cors(cors: CorsHeaders, head: ResponseHead) -> ResponseHead:
    """The head of a plugin's answer with the CORS headers."""
    headers = cors.over(head.headers)
    return head._replace(headers=headers, lines=written(headers))


def _judge(guard: Guard, scope: dict[str, Any], headers: Headers, mount: Mount) -> Visit:
    visit = Visit(mount)
    client = scope["client"][0] if scope["client"] else None
    if guard.cors is not None:
        visit.cors = guard.cors.headers_for(headers)
    if not guard.allows(client):
        detail = "this endpoint is not for your address; whoever runs it can allow it (allow_from)"
        visit.problem = Problem(403, "address_not_allowed", detail)
        return visit
    if guard.cors is not None and is_preflight(scope["method"], headers):
        # A preflight request costs the plugin nothing, so it does not count against the rate limit.
        allowed = guard.cors.preflight(headers)
        if allowed is not None:
            visit.preflight = Preflight(allowed)
        else:
            detail = "pages of this origin may not call this endpoint; whoever runs it can allow it (cors)"
            visit.problem = Problem(403, "origin_not_allowed", detail)
        return visit
    wait = guard.wait(client, monotonic())
    if wait:
        whose = "for all callers together" if guard.rate is not None and guard.rate.overall else "for one caller"
        detail = f"there were more requests than this endpoint answers {whose}; try again later (rate)"
        visit.problem = Problem(429, "rate_exceeded", detail, None, retry_after(ceil(wait)))
    return visit
