"""Collects from the daemon's parts what `metrics` and `readiness` need."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

from endpointd import __version__
from endpointd.gateway.gateway import Page
from endpointd.gateway.trips import Trips
from endpointd.observe.readiness import Judge, Readiness
from endpointd.plugins.plugins import Plugins
from endpointd.sessions.tally import Tallies
from endpointd.settings.settings import Settings
from endpointd.sockets.tls import Certificate
from endpointd.store.times import StoreTimes
from endpointd.supervisor.forks import forks
from endpointd.supervisor.latencies import Latencies


class Observation:
    """Implements `admin.control.Observed`. `settings` returns the current settings; `spans` returns the numbers of
    exported and lost spans. Whoever loads a TLS certificate sets `certificate`."""

    def __init__(
        self,
        plugins: Plugins,
        calls: Tallies,
        settings: Callable[[], Settings],
        spans: Callable[[], Mapping[str, int]],
    ) -> None:
        self.judge = Judge()
        self.trips = Trips()
        self.store = StoreTimes()
        self.lag = Latencies()
        self.certificate: Certificate | None = None
        self._plugins = plugins
        self._calls = calls
        self._settings = settings
        self._spans = spans
        self._since = time.time()

    def readiness(self) -> Readiness:
        waking = sum(one.supervisor.is_waking for one in self._plugins.served.values())
        return self.judge.judge(self._settings().ready_when, self.states(), waking)

    def states(self) -> Sequence[str]:
        """The state of each plugin, and "REFUSED" for each folder that is not a valid plugin."""
        running = [str(one.supervisor.life.state) for one in self._plugins.served.values()]
        return running + ["REFUSED"] * self._refused()

    def pages(self) -> dict[bytes, Page]:
        """The pages `/healthz` and `/readyz`, which the gateway shows to clients if the settings enable it."""
        return {b"/healthz": lambda: (200, "alive\n"), b"/readyz": lambda: self.readiness().page()}

    def look(self, lag: float) -> None:
        """Called by the event loop every second; `lag` is by how many seconds this call was late."""
        self.lag.add(max(0.0, lag))
        self._calls.keep(self._plugins.served)
        self.readiness()

    async def metrics(self) -> tuple[bytes, str]:
        """The text of `/metrics` and its content type."""
        # Imported only when metrics are requested, and in a thread, because prometheus_client is slow to import.
        metrics = await asyncio.to_thread(import_module, "endpointd.observe.metrics")
        self._calls.keep(self._plugins.served)
        sources = metrics.Sources(
            {name: one.supervisor for name, one in self._plugins.served.items()},
            {name for name, one in self._plugins.served.items() if self._plugins.is_behind(one)},
            self._refused(),
            self.trips.strangers,
            self._calls,
            self.store.latencies,
            self.lag,
            __version__,
            self._since,
            self.readiness().ready,
            self._spans(),
            {"forked": forks.forked, "executed": forks.executed},
            None if self.certificate is None else self.certificate.lifetime.until.timestamp(),
        )
        found = []
        for metric in metrics.families(sources):
            found.append(metric)
            # Lets the event loop handle requests in between.
            await asyncio.sleep(0)
        return await asyncio.to_thread(metrics.text_of, found), metrics.CONTENT_TYPE

    def _refused(self) -> int:
        return sum(entry.plugin is None for entry in self._plugins.entries.values())
