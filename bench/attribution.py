"""Whose time it is: the samples of a profile by the part of the host that had the processor.

Pure: text in, numbers out.
"""

from collections import Counter

LOOP = "event loop"
OTHER = "other"
PARTS: dict[str, tuple[str, ...]] = {
    "parse": ("uvicorn/", "endpointd/gateway/http.py", "endpointd/gateway/heads.py", "endpointd/gateway/forwarded.py"),
    "route": (
        "endpointd/routing.py",
        "werkzeug/",
        "endpointd/gateway/gateway.py",
        "endpointd/gateway/mounted_request.py",
        "endpointd/supervisor/admission.py",
    ),
    "frame": ("endpointd_wire/", "endpointd/channel.py", "endpointd/exchange.py", "endpointd/memory.py"),
    "log": ("endpointd/observe/requests.py", "endpointd/logs.py", "endpointd/logfiles.py", "structlog/"),
    "metrics": (
        "endpointd/gateway/trips.py",
        "endpointd/observe/",
        "endpointd/supervisor/latencies.py",
        "endpointd/supervisor/traffic.py",
    ),
    "relay": ("endpointd/gateway/", "endpointd/supervisor/"),
    LOOP: ("asyncio/runners.py", "uvloop/"),
}
"""Files by what they do; the first that fits counts, so that what has a part of its own comes before its folder."""

# Which thread it is: the loop's. Those that wait beside it are not the host's work.
ROOT = "asyncio/runners.py"


def shares(profile: str, busy: float) -> dict[str, float]:
    """Return each part's share of the time that the loop's thread had the processor.

    ``profile`` is folded stacks, which py-spy calls ``raw``, with those that wait (``--idle``). The thread waits in
    the event loop alone, so that samples there are waiting, but for those that make it up to ``busy``, the share of
    time that the process had the processor. Raises ValueError if there is no sample of it.
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
    """Return the part that a stack belongs to: that of the innermost frame that has one."""
    for frame in reversed(frames):
        for part, files in PARTS.items():
            if any(f"({file}" in frame or f"/{file}" in frame for file in files):
                return part
    return OTHER
