"""Assigns the samples of a profile to the parts of the host that used the CPU. Pure."""

from collections import Counter

LOOP = "event loop"
OTHER = "other"
PARTS: dict[str, tuple[str, ...]] = {
    "parse": ("uvicorn/", "endpointd/gateway/http.py", "endpointd/gateway/heads.py", "endpointd/gateway/forwarded.py"),
    "route": (
        "endpointd/plugins/routing.py",
        "werkzeug/",
        "endpointd/gateway/gateway.py",
        "endpointd/gateway/mounted_request.py",
        "endpointd/supervisor/admission.py",
    ),
    "frame": ("endpointd_wire/", "endpointd/channel/"),
    "log": ("endpointd/observe/requests.py", "endpointd/logs/logs.py", "endpointd/logs/files.py", "structlog/"),
    "metrics": (
        "endpointd/gateway/trips.py",
        "endpointd/observe/",
        "endpointd/supervisor/latencies.py",
        "endpointd/supervisor/traffic.py",
    ),
    "relay": ("endpointd/gateway/", "endpointd/supervisor/"),
    LOOP: ("asyncio/runners.py", "uvloop/"),
}
"""The files of each part. The first match counts, so files with a part of their own come before the part that has their
whole folder."""

# A file on the stack of the event loop's thread. Other threads only wait and are ignored.
ROOT = "asyncio/runners.py"


def shares(profile: str, busy: float) -> dict[str, float]:
    """Return each part's share of the CPU time of the event loop's thread.

    ``profile`` has folded stacks (py-spy's format ``raw``), including idle ones (``--idle``). ``busy`` is the share of
    the time in which the process used the CPU. The thread waits only in the event loop. Therefore, of the samples in
    the event loop, as many are counted as waiting as are needed for ``busy`` to hold. Raises ValueError if no sample is
    of that thread, or all of them are waiting.
    """
    samples: Counter[str] = Counter()
    for line in profile.splitlines():
        stack, _, number = line.rpartition(" ")
        frames = stack.split(";")
        if any(ROOT in frame for frame in frames):
            samples[part_of(frames)] += int(number)
    if not samples:
        raise ValueError("no sample is of the thread that runs the event loop")
    waiting = min(samples[LOOP], (1 - min(1.0, busy)) * samples.total())
    worked = samples.total() - waiting
    if not worked:
        raise ValueError("the event loop did nothing but wait")
    return {part: (samples[part] - (waiting if part == LOOP else 0)) / worked for part in (*PARTS, OTHER)}


def part_of(frames: list[str]) -> str:
    """Return the part of a stack: that of the innermost frame whose file belongs to a part."""
    for frame in reversed(frames):
        for part, files in PARTS.items():
            if any(f"({file}" in frame or f"/{file}" in frame for file in files):
                return part
    return OTHER
