"""Ways of not answering as one should; `/failure/<name>`."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from dify_plugin import Endpoint
from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException, NotFound, abort


class SecretError(Exception):
    """Its name and its text are nobody's business."""


class Failures(Endpoint):
    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        answer: Response = FAILURES[values["name"]](r)
        return answer


async def coroutine() -> Response:
    return Response()


def raise_secret(r: Request) -> NoReturn:
    secret = r.args.get("secret", "")
    raise SecretError(f"the secret is {secret}")


def raise_system_exit(r: Request) -> NoReturn:
    raise SystemExit(3)


def raise_not_found(r: Request) -> NoReturn:
    raise NotFound("there is no such cat")


def raise_with_response(r: Request) -> NoReturn:
    raise HTTPException(response=Response("own words", status=418, headers={"X-Own": "yes"}))


def raise_in_body(r: Request) -> Response:
    def pieces() -> Iterator[bytes]:
        yield from r.args.getlist("nothing-of-that-name", type=str.encode)
        raise SecretError("in the body, before its first piece")

    return Response(pieces())


FAILURES: dict[str, Callable[[Request], Any]] = {
    "exception": raise_secret,
    "system-exit": raise_system_exit,
    "exception-in-body": raise_in_body,
    "str": lambda r: "words",
    "bytes": lambda r: b"words",
    "none": lambda r: None,
    "dict": lambda r: {"a": "dict"},
    "tuple": lambda r: ("words", 200),
    "coroutine": lambda r: coroutine(),
    "yields-dict": lambda r: Response(iter([{"a": "dict"}])),  # type: ignore[arg-type]
    "abort": lambda r: abort(403),
    "not-found": raise_not_found,
    "bad-json": lambda r: Response(str(r.get_json())),
    "bad-key": lambda r: Response(r.form["absent"]),
    "own-response": raise_with_response,
}
