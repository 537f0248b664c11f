"""Measures the throughput of one large body and of many small chunks, compared with the peers."""

from collections.abc import Iterator
from dataclasses import dataclass

from measurement import Bench, Measurement
from questions import Metric, Question
from results import Sample
from running import Site, serving
from servers import SERVERS
from transfer import Transfer, download, upload
from workloads import STREAM

# Fractions (1/n) of the plan's bytes, chosen so that each kind of stream takes about as long.
SMALL_CHUNKS_SHARE = 4
EVENTS_SHARE = 50
EVENT_BYTES = 100
WARM_UP_SHARE = 20

MEGABYTES = Metric("rate", "MB/s")


@dataclass(frozen=True, slots=True)
class Stream:
    """One kind of stream: its question, the fraction (1/``share``) of the plan's bytes, and the size of a chunk."""

    question: Question
    share: int
    chunk: int | None = None

    def move(self, site: Site, size: int) -> Transfer:
        """Transfer ``size`` bytes."""
        if self.question.name == "in":
            return upload(site, size)
        if self.chunk is None:
            return download(site, f"/events/{size // EVENT_BYTES}", size - size % EVENT_BYTES)
        return download(site, f"/out/{size}/{self.chunk}", size)


STREAMS = (
    Stream(
        Question(
            "out-64k",
            "One stream out, chunks of 64 KiB",
            "`bench/plugins/stream` sends 10⁹ bytes. A client on a bare socket counts each byte of the body.",
            (MEGABYTES,),
            plot=True,
        ),
        1,
        64 * 1024,
    ),
    Stream(
        Question(
            "in",
            "One stream in",
            "The same plugin reads 10⁹ bytes, 64 KiB at a time, and must answer with their number.",
            (MEGABYTES,),
            plot=True,
        ),
        1,
    ),
    Stream(
        Question("out-8k", "One stream out, chunks of 8 KiB", "The same, with a quarter of the bytes.", (MEGABYTES,)),
        SMALL_CHUNKS_SHARE,
        8 * 1024,
    ),
    Stream(
        Question(
            "events",
            "One stream of server-sent events, each 100 bytes and a chunk of its own",
            "The plugin yields 200,000 events as fast as they are taken.",
            (Metric("events", "events/s"), MEGABYTES),
            plot=True,
        ),
        EVENTS_SHARE,
    ),
)


def take(bench: Bench) -> Iterator[Sample]:
    """Yield the transfers of every server, one after the other."""
    size = bench.plan.stream_bytes
    for server in bench.turns(SERVERS):
        with serving(server, bench.programs, STREAM) as site:
            for stream in STREAMS:
                stream.move(site, size // stream.share // WARM_UP_SHARE)
                transfer = stream.move(site, size // stream.share)
                more = {"events": transfer.rate * 1e6 / EVENT_BYTES} if stream.question.name == "events" else {}
                yield transfer.sample(stream.question.name, server.name, **more)


MEASUREMENT = Measurement("streams", tuple(stream.question for stream in STREAMS), take)
