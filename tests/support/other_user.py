"""A host of one worker that runs as another user, as a program: FOLDER USER WAY. It prints what the plugin answers."""

import os
import sys
from pathlib import Path

from endpointd.supervisor import launch
from endpointd.supervisor.forks import forks
from endpointd.supervisor.limits import ProcessLimits
from endpointd.supervisor.process import WorkerProcess
from endpointd.supervisor.users import find_account
from endpointd_wire.messages import Hello, Load, Ready
from support.host_end import HostEnd
from support.marked import with_reaper

PLUGIN = """
import json, os, resource, sys
from werkzeug import Response
from dify_plugin import Endpoint

class Who(Endpoint):
    def _invoke(self, r, values, settings):
        found = {
            "seen": os.stat("/proc/self/environ").st_uid,
            "rights": [line.split()[1] for line in open("/proc/self/status") if line[:5] in ("CapEf", "NoNew")],
            "user": os.getresuid(), "group": os.getresgid(), "groups": sorted(os.getgroups()),
            "home": os.path.expanduser("~"), "name": os.environ["USER"],
            "files": resource.getrlimit(resource.RLIMIT_NOFILE), "nice": os.nice(0), "arguments": len(sys.argv),
        }
        return Response(json.dumps(found))
"""


async def ask(folder: Path, user: str, way: str) -> str:
    account = find_account(user)
    assert account is not None
    command = launch.command(ProcessLimits(files=500, nice=2))
    environment = launch.environment({}, account)
    if way == "executed":
        return await _ask(WorkerProcess.spawn(command, folder, environment, account), folder)
    forks.start()
    try:
        process = await forks.spawn(command, folder, environment, account)
        assert forks.forked == 1
        return await _ask(process, folder)
    finally:
        await forks.stop()


async def _ask(process: WorkerProcess, folder: Path) -> str:
    host = HostEnd(process.wire)
    try:
        host.hear(Hello)
        host.say(Load(str(folder), (("who.py", "source"),), 4, False))
        host.hear(Ready)
        return host.ask().body.decode()
    finally:
        process.kill()
        await process.wait()
        sys.stderr.write(os.read(process.log, 100_000).decode())


if __name__ == "__main__":
    print(with_reaper(lambda: ask(Path(sys.argv[1]), *sys.argv[2:])))  # noqa: T201
