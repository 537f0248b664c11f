"""A program that changes endpoints without end, and tells of each change before and after: URL."""

import json
import random
import sys
from dataclasses import replace

import structlog

from endpointd.sealing.keyring import Key, Keyring
from endpointd.store.endpoint_store import EndpointStore
from endpointd.store.naming import new_hook_id, new_id
from endpointd.store.records import EndpointRecord


def tell(word: str, id_: str, value: str | None) -> None:
    sys.stdout.write(json.dumps([word, id_, value]) + "\n")
    sys.stdout.flush()


def main() -> None:
    # Only what is told here goes to whoever reads.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    store = EndpointStore.open(sys.argv[1], Keyring([Key(b"o" * 32)]))
    records = {one.id: one for one in store.all()}
    while True:
        value = random.randbytes(20).hex()
        fresh = EndpointRecord(
            new_id(),
            new_hook_id(),
            "acme/duck",
            "Duck",
            {"token": value},
            frozenset({"token"}),
            True,
            "operator",
            1.0,
            2.0,
        )
        kind = random.choice("aarr-") if records else "a"
        old = random.choice(list(records.values())) if records else fresh
        one = fresh if kind == "a" else replace(old, settings={"token": value})
        left = None if kind == "-" else value
        tell("will", one.id, left)
        if kind == "a":
            store.add(one)
        elif kind == "r":
            store.replace(one)
        else:
            store.remove(one.id)
        tell("done", one.id, left)
        if kind == "-":
            del records[one.id]
        else:
            records[one.id] = one


if __name__ == "__main__":
    main()
