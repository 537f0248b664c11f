"""The sockets that clients connect to: those of the service manager, or one of the daemon's own."""

import os
import socket

import structlog

from endpointd.activation import VARIABLES, Handed, handed_over
from endpointd.errors import OperatorError, UsageError
from endpointd.gateway.server import bind
from endpointd.settings import Settings

log = structlog.get_logger()


def take_over() -> list[socket.socket]:
    """The manager's sockets, which no child of this process gets. It has them once: a second call finds none.

    Closing them closes the daemon's own copies. The manager's stay open, and who connects meanwhile waits in their
    queue for the next daemon. Raises `UsageError`.
    """
    handed = handed_over(os.environ, os.getpid())
    for variable in VARIABLES:
        os.environ.pop(variable, None)
    listeners = [_open(one) for one in handed]
    if listeners:
        log.info("sockets.handed_over", addresses=[address_of(listener) for listener in listeners])
    return listeners


def address_of(listener: socket.socket) -> str:
    """As a base URL: `http://127.0.0.1:8080`, or `unix:` and a path."""
    if listener.family == socket.AF_UNIX:
        return f"unix:{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _open(handed: Handed) -> socket.socket:
    try:
        os.set_inheritable(handed.fd, False)
        listener = socket.socket(fileno=handed.fd)
        fits = listener.type == socket.SOCK_STREAM and listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise _unusable(handed, error.strerror or str(error)) from error
    if not fits:
        raise _unusable(handed, "it does not listen for connections")
    listener.setblocking(False)
    return listener


def _unusable(handed: Handed, reason: str) -> UsageError:
    name = f" ({handed.name})" if handed.name else ""
    return UsageError(
        "sockets_invalid",
        f"the descriptor {handed.fd}{name} that the service manager hands over cannot be used: {reason}",
        "let the socket's unit have ListenStream= and Accept=no",
    )


def listen(settings: Settings) -> socket.socket:
    """A socket of the daemon's own. Raises `OperatorError`."""
    try:
        return bind(*settings.listen_address)
    except OSError as error:
        raise OperatorError(
            "listen_failed",
            f"cannot listen on {settings.listen}: {error.strerror or error}",
            "end what uses the address, or name another one with --listen",
        ) from error
