"""The listening sockets for clients: those that the service manager hands over, or else the daemon's own."""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from endpointd.errors import OperatorError, UsageError
from endpointd.gateway.forwarded import Proxies
from endpointd.gateway.server import bind
from endpointd.settings.settings import Settings
from endpointd.sockets import unix_sockets
from endpointd.sockets.addresses import UNIX, is_for_ipv6_alone, split_listen
from endpointd.systemd.activation import VARIABLES, Handed, handed_over

log = structlog.get_logger()


def take_over() -> list[socket.socket]:
    """The sockets that the service manager hands over; child processes do not inherit them. They are handed over once:
    a second call returns an empty list. Raises `UsageError`.

    Closing them closes only the daemon's copies. The manager keeps its own open, and clients that connect meanwhile
    wait in their queues for the next daemon.
    """
    handed = handed_over(os.environ, os.getpid())
    for variable in VARIABLES:
        os.environ.pop(variable, None)
    listeners = [_open(one) for one in handed]
    if listeners:
        log.info("sockets.handed_over", addresses=[_plainly(listener) for listener in listeners])
    return listeners


def address_of(listener: socket.socket, *, encrypted: bool = False) -> str:
    """The address of a socket as a base URL: `http://127.0.0.1:8080` (https if `encrypted`), or `unix:` and a path."""
    if listener.family == socket.AF_UNIX:
        return f"{UNIX}{listener.getsockname()}"
    host, port = listener.getsockname()[:2]
    scheme = "https" if encrypted else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _plainly(listener: socket.socket) -> str:
    """The address without a scheme, for the time before it is known whether TLS is used."""
    return address_of(listener).removeprefix("http://")


def proxies_of(settings: Settings) -> Proxies | None:
    """The proxies that the settings trust; None if there are none."""
    trusted = settings.trusted_proxies
    networks = tuple(one for one in trusted if not isinstance(one, str))
    return Proxies(networks, "unix" in trusted, settings.forwarding_headers) if trusted else None


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


@dataclass(slots=True)
class Listeners:
    """All listening sockets. `made` are the files of unix sockets that the daemon has created and must remove."""

    sockets: list[socket.socket]
    made: list[unix_sockets.Made] = field(default_factory=list)

    def remove_files(self) -> None:
        for file in self.made:
            file.remove()


def listeners_of(settings: Settings, handed: list[socket.socket]) -> Listeners:
    """The sockets to serve: those that were handed over, if any; else one for each address of the setting `listen`.
    Raises `OperatorError`."""
    if handed:
        return Listeners(handed)
    opened = Listeners([])
    rights = unix_sockets.Rights(int(settings.listen_mode, 8), settings.listen_group)
    try:
        for address in settings.listen:
            listener = _listen(address, settings.listen, rights)
            opened.sockets.append(listener)
            if listener.family == socket.AF_UNIX:
                opened.made.append(unix_sockets.Made.at(listener.getsockname()))
    except BaseException:
        opened.remove_files()
        for listener in opened.sockets:
            listener.close()
        raise
    return opened


def first_url(listeners: Listeners, *, encrypted: bool) -> str:
    """The base URL of the daemon: that of its first TCP socket, if it has one, because not all programs can connect to
    a unix socket."""
    ordered = sorted(listeners.sockets, key=lambda listener: listener.family == socket.AF_UNIX)
    return address_of(ordered[0], encrypted=encrypted)


def _listen(address: str, addresses: Sequence[str], rights: unix_sockets.Rights) -> socket.socket:
    try:
        if address.startswith(UNIX):
            return unix_sockets.listen_at(address.removeprefix(UNIX), rights)
        return bind(*split_listen(address), ipv6_alone=is_for_ipv6_alone(address, addresses))
    except OSError as error:
        raise OperatorError(
            "listen_failed",
            f"cannot listen on {address}: {error.strerror or error}",
            "end what uses the address, or name another one with --listen",
        ) from error
