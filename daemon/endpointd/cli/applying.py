"""`endpointd endpoint apply`: reads a file that declares endpoints, sends them to the daemon, and shows the changes."""

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.text import Text

from endpointd.admin.client import Client
from endpointd.admin.documents import read
from endpointd.cli.output import print_json, stdout
from endpointd.endpoints.declaration import Declaration, load
from endpointd.endpoints.declared import Declared
from endpointd.endpoints.errors import EndpointInvalid
from endpointd.endpoints.views import AppliedView, PlannedView
from endpointd.errors import OperatorError
from endpointd.humane import plural
from endpointd.manifest.findings import one_line


def apply_file(client: Client, file: Path, *, dry_run: bool, json: bool) -> None:
    """Apply a file. The environment variables and files that it refers to are read by this process and not by the
    daemon. Raises `DeclarationInvalid`."""
    declaration = load(file, os.environ, waits=True)
    document = _apply(client, declaration, dry_run=dry_run)
    if json:
        print_json(document)
        return
    for line in _lines(read(AppliedView, document)):
        stdout().print(line, soft_wrap=True)


def _apply(client: Client, declaration: Declaration, *, dry_run: bool) -> Any:  # noqa: ANN401 - JSON
    body = {"endpoints": [_document(one) for one in declaration.endpoints]}
    try:
        document = client.apply_endpoints(body, dry_run=dry_run or bool(declaration.faults))
    except EndpointInvalid as error:
        raise declaration.refused(error.faults) from None
    except OperatorError:
        if not declaration.faults:
            raise
    if declaration.faults:
        # Also where the daemon could not be asked: they hold whatever it thinks.
        raise declaration.refused()
    return document


def _document(one: Declared) -> dict[str, Any]:
    return {**{key: value for key, value in asdict(one).items() if key != "callers"}, **one.callers}


def _lines(done: AppliedView) -> Iterator[Text]:
    for sign, style, planned in (("-", "red", done.delete), ("~", "yellow", done.update), ("+", "green", done.create)):
        for one in planned:
            yield Text(one_line(f"{sign} {_described(one)}"), style=style)
    would = "would be " if done.dry_run else ""
    counts = {"made": done.create, "changed": done.update, "deleted": done.delete}
    changed = ", ".join(f"{len(planned)} {would}{what}" for what, planned in counts.items())
    yield Text(f"{plural(len(done.unchanged), 'endpoint')} as declared already, {changed}")


def _described(one: PlannedView) -> str:
    hook = f" ({one.hook_id})" if one.hook_id else ""
    changes = f": {', '.join(one.changes)}" if one.changes else ""
    return f"{one.plugin}:{one.name}{hook}{changes}"
