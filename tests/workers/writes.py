"""Writes a megabyte where nobody asked for it: `way` says how, and `mark` is the character."""

# ruff: noqa: T201 - printing is what a plugin does that is to be caught.

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response

LINES = 10_240


def lines(mark: str) -> None:
    for _ in range(LINES):
        print(mark * 100)


def one_line(mark: str) -> None:
    sys.stdout.write(mark * 100 * LINES)
    print()


def raw_stdout(mark: str) -> None:
    with open(1, "wb", closefd=False) as raw:
        raw.write((mark * 100).encode() * LINES + b"\n")


def stderr(mark: str) -> None:
    for _ in range(LINES):
        sys.stderr.write(mark * 100 + "\n")


def child(mark: str) -> None:
    subprocess.run([sys.executable, "-c", f"print({mark!r} * 100 * {LINES})"], check=True)


def by_logging(mark: str) -> None:
    logging.getLogger("loud").info("%s", mark * 100 * LINES)


def flood(mark: str) -> None:
    for _ in range(3 * LINES):
        os.write(2, mark.encode() * 100 + b"\n")


def binary(_mark: str) -> None:
    os.write(2, bytes(range(256)) + b"\xff\xfe\r\n")


WAYS: dict[str, Callable[[str], None]] = {
    "lines": lines,
    "one_line": one_line,
    "raw_stdout": raw_stdout,
    "stderr": stderr,
    "child": child,
    "logging": by_logging,
    "flood": flood,
    "binary": binary,
}


class Writes(Endpoint):
    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:  # noqa: ARG002
        way, mark = r.args["way"], r.args.get("mark", "binary")
        if way == "level":
            logging.getLogger("strange").log(int(r.args["level"]), "of a level of its own")
        else:
            WAYS[way](mark)
            print(f"<end of {mark}>")
        return Response("written")
