"""Sends messages to the service manager: the sd_notify protocol, one datagram per message."""

import os
import socket

import structlog

_log = structlog.get_logger()


def notify(complain: bool = True, /, **fields: str | int) -> bool:
    """Send `fields` (READY=1, STATUS="…") as one message to $NOTIFY_SOCKET. Returns whether it was sent.

    Does nothing if the variable is not set. If the message cannot be sent, that is logged unless `complain` is False,
    and otherwise ignored, because the daemon works without a manager. Raises ValueError if a value contains a line
    break, the protocol's separator.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    message = _encode(fields)
    # A leading @ stands for the NUL byte that begins an abstract socket's name.
    target = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            # A manager that does not read must not hold up the event loop.
            channel.setblocking(False)
            channel.sendto(message, target)
    except OSError as error:
        if complain:
            _log.warning("service manager not reached", socket=address, error=str(error))
        return False
    return True


def _encode(fields: dict[str, str | int]) -> bytes:
    for name, value in fields.items():
        if "\n" in str(value):
            raise ValueError(f"the value of {name} contains a line break: {value!r}")
    return "\n".join(f"{name}={value}" for name, value in fields.items()).encode()
