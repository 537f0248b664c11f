"""Misbehaves while it is imported, as often as the test says.

The file `orders` beside it has a line for each import to come: the way it goes. With no line left it is a good plugin.
"""

# ruff: noqa: T201 - printing is what a plugin does that is to be caught.

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response

ORDERS = Path(__file__).with_name("orders")


def fail() -> None:
    raise ZeroDivisionError("at import")


def sleep() -> None:
    print("<importing>")
    threading.Event().wait()


def spin() -> None:
    print("<importing>")
    while True:
        pass


def recurse() -> None:
    recurse()


def close_wire() -> None:
    os.closerange(3, 100)


WAYS: dict[str, Callable[[], object]] = {
    "good": lambda: None,
    "raise": fail,
    "sys_exit": lambda: sys.exit(3),
    "os_exit": lambda: os._exit(3),
    "interrupt": lambda: signal.raise_signal(signal.SIGINT),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "sleep": sleep,
    "spin": spin,
    "recurse": recurse,
    "close_wire": close_wire,
    "slow": lambda: threading.Event().wait(2),
    "missing": lambda: __import__("no_such_module"),
}


def next_order() -> str:
    orders = ORDERS.read_text().split() if ORDERS.exists() else []
    ORDERS.write_text("\n".join(orders[1:]))
    return orders[0] if orders else "good"


WAYS[next_order()]()


class Importing(Endpoint):
    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:  # noqa: ARG002
        return Response("imported")
