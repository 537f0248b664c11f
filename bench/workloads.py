"""The workloads: each is a plugin, and one request whose right answer is known."""

import json
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).parent
STREAM_CHUNK = bytes(range(256)) * 256
DOCUMENT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Workload:
    """A plugin's folder, a request to it, and the body of the right answer, which must have status 200."""

    plugin: Path
    path: str
    answer: bytes
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def document() -> bytes:
    """Return compact JSON of exactly ``DOCUMENT_BYTES`` bytes, like that of a typical API client."""
    entries = [{"id": number, "name": f"entry {number}", "tags": ["a", "b"], "score": 0.5} for number in range(60)]
    filler = DOCUMENT_BYTES - len(compact({"entries": entries, "filler": ""}))
    return compact({"entries": entries, "filler": "x" * filler})


def compact(value: object) -> bytes:
    """Return JSON without spaces."""
    return json.dumps(value, separators=(",", ":")).encode()


DUCK = Workload(BENCH.parent / "plugins" / "duck", "/duck/endpointd", b"endpointd <br>")
DOCUMENT = Workload(
    BENCH / "plugins" / "document",
    "/document",
    document(),
    "POST",
    # Twenty headers besides those that every client sends: Host, Content-Type and Content-Length.
    (("Content-Type", "application/json"), *((f"X-Field-{number}", f"value {number}") for number in range(20))),
    document(),
)
# One byte more than eight chunks, so that the check at the start covers whole chunks and a remainder.
STREAM = Workload(
    BENCH / "plugins" / "stream",
    f"/out/{8 * len(STREAM_CHUNK) + 1}/{len(STREAM_CHUNK)}",
    STREAM_CHUNK * 8 + STREAM_CHUNK[:1],
)
RECKON = Workload(
    BENCH / "plugins" / "reckon", "/reckon", str(sum(number * number for number in range(100_000))).encode()
)
