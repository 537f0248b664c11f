"""The rules of one endpoint, prepared for use with requests. Pure."""

from dataclasses import dataclass

from endpointd.callers.buckets import Buckets
from endpointd.callers.cors import Cors
from endpointd.callers.networks import ANY, Networks, key_of, read_caller
from endpointd.callers.rates import Rate, read_rate
from endpointd.callers.rules import CallerRules


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules of the endpoint with the hook id `endpoint`. What is None is not checked. `buckets` are shared by all
    endpoints."""

    endpoint: str
    networks: Networks | None
    rate: Rate | None
    cors: Cors | None
    buckets: Buckets

    @classmethod
    def make(cls, endpoint: str, rules: CallerRules, buckets: Buckets) -> "Guard | None":
        """The guard for these rules; None if there is nothing to check, so that requests have no overhead. `endpoint`
        is the hook id."""
        networks = Networks(rules.allow_from) if rules.allow_from and ANY not in rules.allow_from else None
        rate = read_rate(rules.rate) if rules.rate is not None else None
        cors = Cors(rules.cors) if rules.cors is not None and rules.cors.origins else None
        if networks is None and rate is None and cors is None:
            return None
        return cls(endpoint, networks, rate, cors, buckets)

    def allows(self, client: str | None) -> bool:
        """Whether requests from this address are answered. None is a client on a unix socket."""
        return self.networks is None or self.networks.has(read_caller(client))

    def wait(self, client: str | None, now: float) -> float:
        """Count a request. Returns 0 if it may be answered, or else the seconds until the next one may be."""
        if self.rate is None:
            return 0.0
        key = "" if self.rate.overall else key_of(read_caller(client))
        return self.buckets.take(self.endpoint, key, self.rate, now)
