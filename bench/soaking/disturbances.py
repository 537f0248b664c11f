"""The disturbances of the plugins under load. Each returns when it is over, which is when the right version of the
plugin answers again."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable

from endpointd.admin.client import Client as Admin
from endpointd.errors import OperatorError
from soaking.answers import BROKEN, DIES_YOUNG
from soaking.asking import Asker
from soaking.clients import Target
from soaking.daemon import Daemon
from soaking.folders import Folders
from soaking.rule import AWAY, GONE, SLACK, Window

PATIENCE = 60.0
"""The timeout in seconds for each result of a disturbance."""
LONGEST_PAUSE = 3.0
"""The longest pause in seconds between two disturbances."""


class NotOver(Exception):
    """A disturbance did not have its intended result in time."""


class Disturber:
    """Carries out the disturbances that the seed determines, one after the other. Records the windows (see `rule`), the
    number of disturbances of each kind (`done`), and what went wrong (`faults`)."""

    def __init__(self, daemon: Daemon, folders: Folders, targets: list[Target], seed: int) -> None:
        self.windows: list[Window] = []
        self.done: Counter[str] = Counter()
        self.faults: list[str] = []
        self._daemon = daemon
        self._folders = folders
        self._targets = targets
        self._asker = Asker(daemon.url)
        self._random = random.Random(seed)
        self._ways: dict[str, Callable[[Target], None]] = {
            "edit": self._edit,
            "two edits at once": self._edit_twice,
            "kill": self._kill,
            "stop": self._stop,
            "crash": self._crash,
            "removal": self._remove,
            "broken version": self._break,
            "version that dies young": self._die_young,
            "kill within an edit": self._kill_within_edit,
            "restart": self._restart,
            "rollback": self._roll_back,
            "install over": self._install_over,
        }

    def run(self, until: float) -> None:
        """Disturb until the time `until` (monotonic clock). Each round does every disturbance once, in random order, so
        that even a short soak includes all of them."""
        while time.monotonic() < until:
            for name in self._random.sample(list(self._ways), len(self._ways)):
                target = self._random.choice(self._targets)
                pause = self._random.random() * LONGEST_PAUSE
                if time.monotonic() + pause >= until:
                    return
                time.sleep(pause)
                self._do(name, target)

    def _do(self, name: str, target: Target) -> None:
        try:
            self._ways[name](target)
        except (NotOver, OperatorError, OSError) as error:
            self.faults.append(f"{name} of {target.name}: {type(error).__name__}: {error}")
        self.done[name] += 1

    # Changes of the folder

    def _edit(self, target: Target) -> None:
        self._folders.edit(target)
        self._expect_version(target, target.latest)

    def _edit_twice(self, target: Target) -> None:
        self._folders.edit(target)
        time.sleep(self._random.random())
        self._edit(target)

    def _remove(self, target: Target) -> None:
        began = time.monotonic()
        self._folders.take_away(target)
        self._wait(lambda: self._asker.ask(target.name).refusal == "404 plugin_removed", "it is served after removal")
        time.sleep(self._random.random())
        self._folders.bring_back(target)
        self._expect_version(target, target.latest)
        self._open("removal", target, began, AWAY)

    def _break(self, target: Target) -> None:
        log = self._daemon.log_size
        self._folders.write(target, self._random.choice(list(BROKEN.values())))
        self._expect_failure(target, log)
        self._edit(target)

    def _die_young(self, target: Target) -> None:
        began, log = time.monotonic(), self._daemon.log_size
        self._folders.edit(target, DIES_YOUNG)
        self._expect_failure(target, log)
        self._open("version that dies young", target, began, GONE)
        self._edit(target)

    def _install_over(self, target: Target) -> None:
        archive, size = self._folders.archive(target)
        with Admin(self._daemon.state) as admin:
            admin.install(archive, size, replace=True)
        self._expect_version(target, target.latest)

    # The worker

    def _kill(self, target: Target) -> None:
        self._lose("kill", target, signal.SIGKILL)
        self._expect_answer(target)

    def _stop(self, target: Target) -> None:
        self._lose("stop", target, signal.SIGSTOP)
        self._expect_answer(target)

    def _kill_within_edit(self, target: Target) -> None:
        """The kill comes before the new version takes over, within its trial, or after it. A version that dies within
        its trial is given up, so only the next version is expected to answer."""
        self._folders.edit(target)
        time.sleep(self._random.random() * 1.5)
        self._lose("kill within an edit", target, signal.SIGKILL)
        self._edit(target)

    def _crash(self, target: Target) -> None:
        began, pid = time.monotonic(), self._expect_answer(target)
        answer = self._asker.ask(target.name, what="crash")
        self._open("crash", target, began, GONE, pid)
        if answer.refusal != "502 worker_gone":
            raise NotOver(f"a request that ends its worker was answered {answer}")
        self._expect_answer(target)

    def _lose(self, name: str, target: Target, number: signal.Signals) -> None:
        """Send a signal to the worker that answers, and wait for its end. Its window allows failures of this worker
        only, because during an edit several may answer. If the worker has ended by now, nothing is done or allowed."""
        began, pid = time.monotonic(), self._expect_answer(target)
        try:
            worker = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        try:
            signal.pidfd_send_signal(worker, number)
            self._wait(lambda: not os.path.exists(f"/proc/{pid}"), f"worker {pid} does not end")
        finally:
            os.close(worker)
            self._open(name, target, began, GONE, pid)

    # The operator

    def _restart(self, target: Target) -> None:
        before = self._expect_answer(target)
        with Admin(self._daemon.state) as admin:
            admin.act("restart", f"soak/{target.name}")
        if self._expect_answer(target) == before:
            raise NotOver(f"worker {before} answers after a restart")

    def _roll_back(self, target: Target) -> None:
        # So that there is a version to which one can roll back.
        self._edit(target)
        before = self._asker.ask(target.name).version
        with Admin(self._daemon.state) as admin:
            admin.act("rollback", f"soak/{target.name}", {"release": None})
        after = self._asker.ask(target.name).version
        if after is None or after == before:
            raise NotOver(f"version {after} answers after a rollback from {before}")
        # Forward again, so that the next disturbance begins with the newest version.
        self._edit(target)

    # Expected results

    def _open(self, name: str, target: Target, began: float, allows: frozenset[str], pid: int | None = None) -> None:
        self.windows.append(Window(name, target.name, began, time.monotonic() + SLACK, allows, pid))

    def _expect_version(self, target: Target, version: int) -> None:
        self._wait(lambda: self._asker.ask(target.name).version == version, f"version {version} does not answer")

    def _expect_answer(self, target: Target) -> int:
        """Wait until the plugin answers; returns the pid of the worker that did."""
        found: list[int] = []

        def answers() -> bool:
            pid = self._asker.ask(target.name).pid
            found[:] = [] if pid is None else [pid]
            return bool(found)

        self._wait(answers, "it does not answer")
        return found[0]

    def _expect_failure(self, target: Target, log: int) -> None:
        def failed() -> bool:
            events = self._daemon.events(log)
            return any(one["event"] == "worker.failed" and one["plugin"] == f"soak/{target.name}" for one in events)

        self._wait(failed, "a version that does not run was not found out")

    @staticmethod
    def _wait(holds: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > deadline:
                raise NotOver(otherwise)
            time.sleep(0.02)
