"""The daemon under observation: gathers what `metrics` and `readiness` need of its parts."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

from endpointd import __version__
from endpointd.gateway.gateway import Page
from endpointd.gateway.trips import Trips
from endpointd.observe.readiness import Judge, Readiness
from endpointd.plugins import Plugins
from endpointd.sessions.tally import Tallies
from endpointd.settings import Settings
from endpointd.store.times import StoreTimes
from endpointd.supervisor.forks import forks
from endpointd.supervisor.latencies import Latencies


class Observation:
    """The implementation of `admin.control.Observed`. `settings` gives those of the moment."""

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
        self._plugins = plugins
        self._calls = calls
        self._settings = settings
        self._spans = spans
        self._since = time.time()

    def readiness(self) -> Readiness:
        waking = sum(one.supervisor.is_waking for one in self._plugins.served.values())
        return self.judge.judge(self._settings().ready_when, self.states(), waking)

    def states(self) -> Sequence[str]:
        """Those of the plugins, and one for each folder that cannot be one."""
        running = [str(one.supervisor.life.state) for one in self._plugins.served.values()]
        return running + ["REFUSED"] * self._refused()

    def pages(self) -> dict[bytes, Page]:
        """What plugins' clients are shown when the settings say so."""
        return {b"/healthz": lambda: (200, "alive\n"), b"/readyz": lambda: self.readiness().page()}

    def look(self, lag: float) -> None:
        """Called each second, which was `lag` seconds late."""
        self.lag.add(max(0.0, lag))
        self._calls.keep(self._plugins.served)
        self.readiness()

    async def metrics(self) -> tuple[bytes, str]:
        """The text and its type."""
        # Prometheus's library takes its time to be imported, which is paid by who asks for it, in a thread.
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
        )
        found = []
        for metric in metrics.families(sources):
            found.append(metric)
            # Requests come first.
            await asyncio.sleep(0)
        return await asyncio.to_thread(metrics.text_of, found), metrics.CONTENT_TYPE

    def _refused(self) -> int:
        return sum(entry.plugin is None for entry in self._plugins.entries.values())
