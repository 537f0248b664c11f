"""What is served while measuring: a plugin, and one request whose right answer is known."""

from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).parent
STREAM_CHUNK = bytes(range(256)) * 256


@dataclass(frozen=True, slots=True)
class Workload:
    """A plugin's folder, a path to GET from it, and the whole body that this must answer with status 200."""

    plugin: Path
    path: str
    answer: bytes


DUCK = Workload(BENCH.parent / "plugins" / "duck", "/duck/endpointd", b"endpointd <br>")
# One byte more than a few chunks: the probe sees whole chunks and a rest.
STREAM = Workload(
    BENCH / "plugins" / "stream", f"/out/{8 * len(STREAM_CHUNK) + 1}", STREAM_CHUNK * 8 + STREAM_CHUNK[:1]
)
