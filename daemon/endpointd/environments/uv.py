"""Runs uv as the user that the plugin's workers run as, in its own process group, and passes on its output."""

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import uv

from endpointd.environments.failures import EnvironmentFailed, explained, without_credentials
from endpointd.supervisor import launch
from endpointd.supervisor.cgroups import cgroups
from endpointd.supervisor.launch import NO_LIMITS
from endpointd.supervisor.output import LAST_WORDS, OutputReader
from endpointd.supervisor.process import WorkerProcess, describe_exit
from endpointd.supervisor.reaper import MARKS
from endpointd.supervisor.users import Account

KEPT = 200
"""How many of the last lines of uv's output are kept to explain a failure."""

NO_NEWS = ("Using Python ", "Using CPython ")
"""Beginnings of lines that are not passed on, because they only repeat where the environment is."""

PASSED = frozenset(
    {"ALL_PROXY", "NETRC", "SSL_CLIENT_CERT", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"}
    | {"UV_CACHE_DIR", "UV_CONFIG_FILE", "UV_NO_CONFIG", "UV_OFFLINE"}
    | {"UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_INDEX", "UV_INDEX_STRATEGY", "UV_INDEX_URL"}
    | {"UV_INSECURE_HOST", "UV_KEYRING_PROVIDER", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS"}
    | {"UV_CONCURRENT_BUILDS", "UV_CONCURRENT_DOWNLOADS", "UV_CONCURRENT_INSTALLS"}
    | {"UV_HTTP_CONNECT_TIMEOUT", "UV_HTTP_RETRIES", "UV_HTTP_TIMEOUT", "UV_LINK_MODE"}
    | {"UV_BUILD_CONSTRAINT", "UV_CONSTRAINT", "UV_EXCLUDE_NEWER", "UV_NO_BINARY", "UV_NO_BUILD", "UV_TORCH_BACKEND"}
)
"""The host's environment variables that uv gets, besides those that workers get and the credentials of named indexes.
"""


@dataclass(frozen=True, slots=True)
class UvOptions:
    """uv's options from the settings; what is None is left to uv's own configuration. `index_url` may contain a
    password, so it is passed in an environment variable and never on a command line."""

    index_url: str | None = None
    find_links: tuple[str, ...] = ()
    cache: Path | None = None
    offline: bool = False


def environment(options: UvOptions, account: Account | None) -> dict[str, str]:
    passed = {name: value for name, value in os.environ.items() if name in PASSED or _is_index_credential(name)}
    if options.index_url is not None:
        passed["UV_DEFAULT_INDEX"] = options.index_url
    if options.find_links:
        passed["UV_FIND_LINKS"] = ",".join(options.find_links)
    if options.cache is not None:
        passed["UV_CACHE_DIR"] = str(options.cache.absolute())
    if options.offline:
        passed["UV_OFFLINE"] = "1"
    fixed = {"UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"}
    return {**launch.environment({}, account), **passed, **fixed}


def _is_index_credential(name: str) -> bool:
    return name.startswith("UV_INDEX_") and name.endswith(("_USERNAME", "_PASSWORD"))


@dataclass(frozen=True, slots=True)
class Uv:
    """Runs uv as `account`, with these environment variables. `python` runs `guard.py`; it is an interpreter that the
    account can access, which may not be true of the host's own."""

    variables: Mapping[str, str]
    python: Path
    account: Account | None

    async def run(self, arguments: Iterable[str], folder: Path, tell: Callable[[str], None]) -> None:
        """Run uv in `folder`; `tell` gets each line of its output. Raises `EnvironmentFailed`. If this is cancelled, it
        returns only when all processes that it has started have ended."""
        lines: deque[str] = deque(maxlen=KEPT)

        def take(line: str) -> None:
            line = without_credentials(line)
            lines.append(line)
            if not line.startswith(NO_NEWS):
                tell(line)

        guard = [str(self.python), "-I", str(Path(__file__).with_name("guard.py")), str(MARKS)]
        command = [*guard, _program(), *arguments]
        leaf, _ = cgroups.leaf(NO_LIMITS)
        try:
            process = WorkerProcess.spawn(command, folder, self.variables, self.account, leaf)
        except OSError as error:
            message = f"uv could not be started: {error}"
            raise EnvironmentFailed("environment_failed", message, "see what the machine lacks") from error
        status = await _until_its_end(process, take)
        if status != 0:
            raise explained([*lines], describe_exit(status, expected=False, starved=process.starved))


def _program() -> str:
    try:
        return uv.find_uv_bin()
    except FileNotFoundError as error:
        raise EnvironmentFailed(
            "environment_failed", "uv, which builds environments, is not there", "install it where endpointd is"
        ) from error


async def _until_its_end(process: WorkerProcess, take: Callable[[str], None]) -> int:
    process.wire.close()
    pipe = None
    try:
        reader, pipe = await OutputReader.attach(process.log, take)
        status = await process.wait()
        reader.hurry()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await reader.done.wait()
        return status
    finally:
        await _end(process)
        if pipe is not None:
            pipe.close()


async def _end(process: WorkerProcess) -> None:
    """Kill the process and wait for its end, even if this is cancelled, because nothing else would wait for it."""
    cancelled = False
    while process.is_alive:
        process.kill()
        try:
            await process.wait()
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
