"""Describes the machine and the versions with which the figures were measured."""

import os
import platform
import re
import subprocess
from pathlib import Path

PACKAGES = ("endpointd", "uvicorn", "uvloop", "httptools", "msgpack", "werkzeug", "gunicorn", "granian")
ASK_VERSIONS = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"


def describe_machine() -> dict[str, str | int | float]:
    """Return the CPU, the cores that this process may use, memory (GiB), kernel, and the load average (1 min)."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": processor_name(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**30),
        "kernel": f"{platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 2),
    }


def processor_name() -> str:
    """Return the CPU's name according to the kernel, or else its architecture."""
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text("utf-8"), re.MULTILINE)
    return found[1] if found else platform.machine()


def describe_versions(programs: Path, wrk: str) -> dict[str, str]:
    """Return the versions of the interpreter and packages in ``programs`` (a venv's ``bin``) and of wrk."""
    python = programs / "python"
    packages = output([str(python), "-c", ASK_VERSIONS, *PACKAGES]).split()
    return {
        "python": output([str(python), "-c", "import platform; print(platform.python_version())"]).strip(),
        **dict(zip(PACKAGES, packages, strict=True)),
        # "wrk debian/4.1.0-3+b2 [epoll] Copyright ...", with a usage text behind it and exit status 1.
        "wrk": output([wrk, "--version"]).split()[1],
    }


def describe_sdk(python: Path) -> dict[str, str]:
    """Return the version of the original SDK in the environment of ``python``, and of that interpreter."""
    found = output([str(python), "-c", ASK_VERSIONS, "dify_plugin"]).strip()
    interpreter = output([str(python), "-c", "import platform; print(platform.python_version())"]).strip()
    return {"dify_plugin": f"{found} on python {interpreter}"}


def output(command: list[str]) -> str:
    """Return the standard output of a command, whatever its exit status."""
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout
