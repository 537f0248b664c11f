"""Answers with what is no answer: `way` says with what."""

import resource
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response

MEGABYTE = 1024 * 1024


async def coroutine() -> Response:
    return Response("never awaited")


def yielding(*chunks: object) -> Response:
    return Response(iter(chunks))  # type: ignore[arg-type]


def with_status(status: Any) -> Response:  # noqa: ANN401
    response = Response("body")
    response.status_code = status
    return response


def with_headers(*headers: tuple[str, str]) -> Response:
    """A response whose headers were put in behind werkzeug's back."""
    response = Response("body")
    response.headers._list.extend(headers)
    return response


def endless_recursion() -> Response:
    return endless_recursion()


def all_memory() -> Response:
    """Allocate until there is no more."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + 128 * MEGABYTE, before[1]))
    hoard = []
    try:
        while True:
            hoard.append(bytearray(MEGABYTE))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def failing(error: BaseException) -> Response:
    raise error


def failing_close() -> Response:
    response = Response("body")
    response.call_on_close(lambda: failing(ZeroDivisionError()))
    return response


class Unfinished(Response):
    def get_wsgi_response(self, environ: Any) -> Any:  # noqa: ANN401, ARG002
        return None


def nothing() -> Iterator[bytes]:
    yield from ()


WAYS: dict[str, Callable[[], object]] = {
    "none": lambda: None,
    "dict": lambda: {"a": 1},
    "str": lambda: "text",
    "tuple": lambda: ("text", 200),
    "class": lambda: Response,
    "coroutine": coroutine,
    "yields_nothing": lambda: Response(nothing()),
    "yields_empty": lambda: yielding(b"", "", b""),
    "yields_dict": lambda: yielding({"a": 1}),
    "yields_none": lambda: yielding(None),
    "yields_response": lambda: yielding(Response("x")),
    "status_99": lambda: with_status(99),
    "status_101": lambda: with_status(101),
    "status_600": lambda: with_status(600),
    "status_1000": lambda: with_status(1000),
    "status_negative": lambda: with_status(-200),
    "status_huge": lambda: with_status(10**40),
    "newline_in_value": lambda: with_headers(("X-Bad", "a\r\nSet-Cookie: evil=1")),
    "newline_in_name": lambda: with_headers(("X-Bad\r\nSet-Cookie", "evil=1")),
    "nul_in_value": lambda: with_headers(("X-Bad", "a\0b")),
    "space_in_name": lambda: with_headers(("X Bad", "a")),
    "colon_in_name": lambda: with_headers(("X-Bad:", "a")),
    "empty_name": lambda: with_headers(("", "a")),
    "chinese_name": lambda: with_headers(("X-猫", "bad")),
    "two_lengths": lambda: with_headers(("Content-Length", "3"), ("Content-Length", "4")),
    "no_length": lambda: with_headers(("Content-Length", "four")),
    "huge_header": lambda: Response("body", headers={"X-Huge": "x" * 2 * MEGABYTE}),
    "huge_headers": lambda: Response("body", headers=[("X-Huge", "x" * 200_000) for _ in range(10)]),
    "many_headers": lambda: Response("body", headers=[(f"X-{number}", "x") for number in range(10_000)]),
    "millions_of_headers": lambda: Response("body", headers=[("X", "x") for _ in range(1_000_000)]),
    "recursion": endless_recursion,
    "memory": all_memory,
    "exception": lambda: failing(ZeroDivisionError("secret")),
    "base_exception": lambda: failing(BaseException("secret")),
    "generator_exit": lambda: failing(GeneratorExit("secret")),
    "stop_iteration": lambda: failing(StopIteration("secret")),
    "unfinished": lambda: Unfinished("body"),
    "failing_close": failing_close,
}


class Answers(Endpoint):
    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:  # noqa: ARG002
        return WAYS[r.args["way"]]()  # type: ignore[return-value]
