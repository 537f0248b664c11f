"""Commands on a terminal: one that is made for them, and that remembers what they have shown."""

import os
import pty
import subprocess
from collections.abc import Sequence


def on_a_terminal(command: Sequence[str], **variables: str) -> tuple[int, str]:
    """The exit status, and everything that the command has written to stdout and stderr, which are the terminal."""
    own, its = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environment | variables)
    os.close(its)
    shown = b""
    try:
        while piece := _read(own):
            shown += piece
    finally:
        os.close(own)
        status = process.wait(timeout=60)
    return status, shown.decode(errors="replace")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # so ends a terminal whose last writer has gone
        return b""
