"""Endpoints that are tasks, through a real daemon: a loop that is blocked for ever costs the plugin its worker."""

from functools import partial
from pathlib import Path

from endpointd.testing import DaemonStarter, RunningDaemon
from support.eventually import eventually
from support.plugins import write_plugin
from support.raw_http import ask

SOURCE = """
import asyncio, threading, time
from dify_plugin import Endpoint
from werkzeug import Response

class Answers(Endpoint):
    async def _invoke(self, r, values, settings):
        if values["how"] == "block":
            threading.Event().wait()
        if values["how"] == "swallow":
            while True:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    pass
        return Response("fine")
"""


def has_hung(daemon: RunningDaemon, times: int) -> bool:
    return daemon.log().count("worker.hung") == times


def test_what_does_not_end_costs_the_plugin_its_worker(start_daemon: DaemonStarter, tmp_path: Path) -> None:
    folder = write_plugin(tmp_path, "tasks", {"answers.py": SOURCE}, [("GET", "/<how>", "answers.py")])
    daemon = start_daemon.one(folder, clock_first_byte=0.3, clock_cancel_grace=0.3, clock_drain=0.3, clock_kill=0.3)
    for number, how in enumerate(("block", "swallow"), 1):
        assert ask(daemon.url, f"/e/tasks/{how}").status == 504
        eventually(partial(has_hung, daemon, number))
        # Those that come meanwhile run out of their clocks too, until the next worker has taken over.
        while (answer := ask(daemon.url, "/e/tasks/fine")).status == 504:
            pass
        assert (answer.status, answer.body) == (200, b"fine")
