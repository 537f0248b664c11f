"""The goals: how fast, small and robust endpointd must be, compared with the peers and by itself."""

from collections.abc import Iterator
from dataclasses import dataclass

import resident
import restarts
from figures import Goal
from growth import QUESTIONS, exponent
from questions import Question
from results import Results
from sdk import IN_FLIGHT, OWN_RUNTIME, WITH_SDK
from servers import ENDPOINTD, GRANIAN, GRANIAN_ONE, GUNICORN_GTHREAD, GUNICORN_SYNC


@dataclass(frozen=True, slots=True)
class Against:
    """A multiple of what the peer reaches in the same metric; both figures are medians.

    ``their_question`` is the question of the peer's figure, if it is another one. Failures of either are counted.
    """

    key: str
    row: str
    subject: str
    question: str
    metric: str
    peer: str
    required: float
    at_most: bool = False
    ours: str = ENDPOINTD.name
    their_question: str = ""

    def judge(self, results: Results) -> Goal:
        """Return the goal with what was measured."""
        theirs_from = self.their_question or self.question
        ours = results.middle(self.question, self.ours, self.metric)
        theirs = results.middle(theirs_from, self.peer, self.metric)
        measured = None if ours is None or not theirs else ours / theirs
        failures = results.failures(self.question, self.ours) + results.failures(theirs_from, self.peer)
        subject = f"{self.subject}, against {self.peer}"
        return Goal(self.key, self.row, subject, self.required, measured, "x", failures, self.at_most)


@dataclass(frozen=True, slots=True)
class Reached:
    """A value that the median of one metric must reach."""

    key: str
    row: str
    subject: str
    question: str
    whose: str
    metric: str
    required: float
    unit: str
    at_most: bool = False

    def judge(self, results: Results) -> Goal:
        """Return the goal with what was measured."""
        measured = results.middle(self.question, self.whose, self.metric)
        failures = results.failures(self.question, self.whose)
        return Goal(self.key, self.row, self.subject, self.required, measured, self.unit, failures, self.at_most)


@dataclass(frozen=True, slots=True)
class Within:
    """A limit of one metric as a multiple of another one of the same subject, such as *during* as a multiple of
    *before*.
    """

    key: str
    row: str
    subject: str
    question: str
    whose: str
    metric: str
    before: str
    required: float

    def judge(self, results: Results) -> Goal:
        """Return the goal with what was measured."""
        during = results.middle(self.question, self.whose, self.metric)
        before = results.middle(self.question, self.whose, self.before)
        measured = None if during is None or not before else during / before
        failures = results.failures(self.question, self.whose)
        return Goal(self.key, self.row, self.subject, self.required, measured, "x", failures, at_most=True)


@dataclass(frozen=True, slots=True)
class Grown:
    """A limit of the growth of a cost: at most in proportion to the size, with a margin for noise."""

    question: Question
    metric: str
    subject: str

    def judge(self, results: Results) -> Goal:
        """Return the goal with what was measured."""
        name = self.question.name
        row, subject = "nothing grows faster than in proportion", f"{self.subject}, by {self.question.of}"
        measured = exponent(self.question, self.metric, results)
        return Goal(key_of(name, self.metric), row, subject, 1.1, measured, "", results.failures(name), at_most=True)


Rule = Against | Reached | Within | Grown

GRANIANS = (GRANIAN.name, GRANIAN_ONE.name)
PEERS = (GUNICORN_SYNC.name, GUNICORN_GTHREAD.name, *GRANIANS)


def goals_of(results: Results) -> list[Goal]:
    """Return every goal, in the order of the table, measured or not."""
    return [rule.judge(results) for rule in rules()]


def rules() -> Iterator[Rule]:
    """Yield every rule, in the order of the table."""
    yield from small_requests()
    yield from one_connection()
    yield from original_sdk()
    yield from streams()
    yield from open_streams()
    yield from starting()
    yield from restarting()
    yield from idle()
    for question in QUESTIONS:
        for metric in question.metrics[:2]:
            yield Grown(question, metric.name, "memory" if metric.name == "memory_mib" else "time of a request")


def small_requests() -> Iterator[Rule]:
    """Yield the rules for requests per second."""
    for name, row in (("duck", "`duck`, 32 and 256 connections"), ("document", "20 headers, 4 KiB in, 4 KiB out")):
        for connections in (32, 256):
            question = f"{name}-{connections}"
            for peer, required in (*((peer, 1.2) for peer in GRANIANS), (GUNICORN_SYNC.name, 5.0)):
                yield Against(
                    key_of(question, peer), row, f"requests a second, {connections}", question, "rate", peer, required
                )
            yield beside_sdk(row, name, connections)


def beside_sdk(row: str, name: str, connections: int) -> Rule:
    """Return the rule for requests per second compared with the SDK's runtime, which always has 32 in flight."""
    theirs = f"sdk-{name}"
    question = theirs if connections == IN_FLIGHT else f"{name}-{connections}"
    key, subject = key_of(name, str(connections), "sdk"), f"requests a second, {connections}"
    return Against(key, row, subject, question, "rate", OWN_RUNTIME, 5.0, their_question=theirs)


def original_sdk() -> Iterator[Rule]:
    """Yield the rules for plugins with the SDK."""
    row = "the same plugin with the original SDK"
    subject = "requests a second, 32"
    yield Against("sdk-duck", row, subject, "sdk-duck", "rate", OWN_RUNTIME, 2.5, ours=WITH_SDK)
    for metric, subject in (("start_ms", "start"), ("memory_mib", "memory")):
        key = key_of("sdk", subject)
        yield Against(key, row, subject, "sdk-start", metric, OWN_RUNTIME, 1.0, at_most=True, ours=WITH_SDK)


def one_connection() -> Iterator[Rule]:
    """Yield the rules for the latency of single requests."""
    for workload in ("duck", "document"):
        question = f"{workload}-1"
        for metric, name in (("p50_ms", "p50"), ("p99_ms", "p99")):
            for peer in GRANIANS:
                key = key_of(question, name, peer)
                yield Against(key, f"`{workload}`, 1 connection", name, question, metric, peer, 1.25, at_most=True)


def streams() -> Iterator[Rule]:
    """Yield the rules for large bodies and many chunks."""
    out, in_ = "streaming out, 64 KiB chunks", "streaming in"
    yield Reached("out-64k", out, "one stream", "out-64k", ENDPOINTD.name, "rate", 1500, " MB/s")
    for peer in (GUNICORN_SYNC.name, GUNICORN_GTHREAD.name):
        yield Against(key_of("out-64k", peer), out, "one stream", "out-64k", "rate", peer, 0.5)
    yield Reached("in", in_, "one stream", "in", ENDPOINTD.name, "rate", 1000, " MB/s")
    for question, subject in (("out-8k", "8 KiB chunks"), ("events", "100-byte events")):
        for peer in PEERS:
            yield Against(
                key_of(question, peer), "8 KiB chunks and 100-byte events", subject, question, "rate", peer, 0.7
            )


def open_streams() -> Iterator[Rule]:
    """Yield the rules for two workers and for streams that stay open."""
    several, row = "CPU-bound, `workers = 2`", "open event streams"
    yield Against("several", several, "requests a second", "several", "rate", "workers = 1", 1.8, ours="workers = 2")
    for number, way in ((1000, "thread"), (5000, "task")):
        whose = f"{number} streams, a {way} each"
        question = "open-streams"
        yield Reached(key_of("open", way), row, f"served, {whose}", question, whose, "served", number, "")
        key = key_of("open", way, "p99")
        yield Within(key, row, f"p99 of others, {whose}", question, whose, "p99_ms", "before_ms", 2.0)


def starting() -> Iterator[Rule]:
    """Yield the rule for how soon a plugin answers."""
    row = "folder dropped to first answer"
    yield Reached("start", row, "p50, folder moved", "start", "moved", "answered_ms", 150, " ms", at_most=True)


def idle() -> Iterator[Rule]:
    """Yield the rules for idle plugins."""
    row, name = "100 resident plugins, idle", resident.DENSITY.name
    for metric, subject, required, unit in (
        ("plugin_mib", "memory of each", 8, " MiB"),
        ("wakeups", "wake-ups of each", 1, "/s"),
        ("start_s", "all started", 10, " s"),
    ):
        key = key_of(name, metric)
        yield Reached(key, row, subject, name, resident.WHOSE, metric, required, unit, at_most=True)
    row = "1,000 installed plugins, 10 used"
    for metric, subject, required, unit in (
        ("memory_mib", "memory in all", 300, " MiB"),
        ("first_ms", "first request to a sleeping plugin", 200, " ms"),
    ):
        key = key_of("sleeping", metric)
        yield Reached(key, row, subject, "sleeping", "endpointd", metric, required, unit, at_most=True)


def restarting() -> Iterator[Rule]:
    """Yield the rules for restarts under load."""
    row = "restart under load"
    for question, load in ((restarts.PACED.name, "400 requests/s"), (restarts.FULL.name, "full load")):
        during, without = restarts.DURING, restarts.WITHOUT
        yield Reached(
            key_of(question, "failed"), row, f"failed, {load}", question, during, "failed", 0, "", at_most=True
        )
        yield Against(question, row, f"p99, {load}", question, "p99_ms", without, 2.0, at_most=True, ours=during)


def key_of(*parts: str) -> str:
    """Return a goal's short name."""
    return "-".join(parts).replace(" ", "-")
