"""Processes that are killed at a step of what they do: at its first, at its second, and so on until it is done."""

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from sqlalchemy import event
from sqlalchemy.engine import Engine

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

MOST_STEPS = 200


def killed_at_every_step(action: Callable[[], object]) -> Iterator[int]:
    """Run `action` in processes of its own, the n-th of which is killed before its n-th step, and tell after each.

    Steps are what changes something outside of the process: files that are made, written out, linked and renamed,
    statements and commits. The last process, after which nothing is told, does all of it.
    """
    for step in range(1, MOST_STEPS):
        if not _is_killed(action, step):
            assert step > 1, "no step was counted"
            return
        yield step
    raise AssertionError(f"it is not done after {MOST_STEPS} steps")


def _is_killed(action: Callable[[], object], step: int) -> bool:
    child = os.fork()
    if child == 0:
        try:
            _count(step)
            action()
        except BaseException:  # noqa: BLE001  a child must not go on as the test
            sys.stderr.write(traceback.format_exc())
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the process failed by itself"
    return os.WIFSIGNALED(status)


def _count(last: int) -> None:
    steps = iter(range(1, last))

    def step(*_arguments: object, **_more: object) -> None:
        if next(steps, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(lambda name, _: step() if name in ("os.rename", "os.link", "os.remove", "os.chmod") else None)
    written = os.fsync

    def fsync(fd: "FileDescriptorLike") -> None:
        step()
        written(fd)
        # Afterwards is another moment than before.
        step()

    os.fsync = fsync
    for name in ("before_cursor_execute", "commit"):
        event.listen(Engine, name, step)


def no_room(*_arguments: object, **_more: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
