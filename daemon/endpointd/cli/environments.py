"""Implements `endpointd env list` and `endpointd env prune`."""

import time
from collections.abc import Sequence

from endpointd.admin.client import Client
from endpointd.admin.documents import read
from endpointd.cli.output import is_quiet, plain_table, print_json, stdout
from endpointd.cli.progress import waiting
from endpointd.humane import duration, plural, size
from endpointd.manifest.findings import one_line
from endpointd.plugins.status import EnvironmentStatus


def list_environments(client: Client, *, json: bool) -> None:
    documents = client.environments()
    if json:
        print_json(documents)
        return
    found = [read(EnvironmentStatus, document) for document in documents]
    if found:
        _print(found)
    stdout().print(f"{plural(len(found), 'environment')}, {size(sum(one.bytes for one in found))}", soft_wrap=True)


def prune_environments(client: Client, *, dry_run: bool, json: bool) -> None:
    documents = waiting("pruning", lambda: client.prune_environments(dry_run=dry_run))
    if json:
        print_json(documents)
        return
    gone = [read(EnvironmentStatus, document) for document in documents]
    if is_quiet() and not dry_run:
        return
    if gone:
        _print(gone)
    what = f"{plural(len(gone), 'environment')}, {size(sum(one.bytes for one in gone))}"
    stdout().print(f"{what}, would be removed" if dry_run else f"{what}, removed", soft_wrap=True)


def _print(found: Sequence[EnvironmentStatus]) -> None:
    now = time.time()
    rows = [
        (
            one.key,
            one.python,
            one.source,
            size(one.bytes),
            duration(now - one.made_at),
            one_line(", ".join(one.plugins) or "nobody"),
        )
        for one in found
    ]
    stdout().print(plain_table(("environment", "python", "from", "size", "age", "needed by"), rows))
