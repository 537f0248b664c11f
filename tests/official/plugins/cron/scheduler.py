"""Runs jobs in a thread of its own, for as long as the process lives."""

import sched
import threading
import time


class Scheduler(threading.Thread):
    def __init__(self) -> None:
        super().__init__(daemon=True, name="cron")
        self.runs = 0
        self.errors: list[str] = []
        self.sessions: dict[str, object] = {}
        self._queue = sched.scheduler(time.monotonic, time.sleep)

    def run(self) -> None:
        while True:
            self._queue.enter(0.02, 1, self._work)
            self._queue.run()

    def _work(self) -> None:
        self.runs += 1
        for name, session in list(self.sessions.items()):
            try:
                try:
                    count = int(session.storage.get(name))
                except Exception:
                    count = 0
                session.storage.set(name, str(count + 1).encode())
            except Exception as e:
                self.errors.append(str(e))


scheduler = Scheduler()
scheduler.start()
