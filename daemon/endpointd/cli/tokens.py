"""Implements the commands about tokens."""

import time

from endpointd.access.errors import TokenMissing
from endpointd.access.views import TokenView
from endpointd.admin.client import Client
from endpointd.admin.documents import read
from endpointd.cli.output import plain_table, print_json, stderr, stdout, tell
from endpointd.humane import duration, moment
from endpointd.manifest.findings import one_line


def create(client: Client, name: str, days: int | None, *, json: bool) -> None:
    document = client.create_token(name, days)
    if json:
        print_json(document)
        return
    view = read(TokenView, document["token"])
    until = "until it is revoked" if view.expires_at is None else f"until {moment(view.expires_at)}"
    stderr().print(one_line(f"This is the token {view.name}, good {until}. It is not shown again:"), soft_wrap=True)
    stdout().print(one_line(document["secret"]), soft_wrap=True)


def list_tokens(client: Client, *, json: bool) -> None:
    documents = client.tokens()
    if json:
        print_json(documents)
        return
    if not documents:
        stdout().print("there are no tokens; 'endpointd token create NAME' makes one", soft_wrap=True)
        return
    now = time.time()
    views = [read(TokenView, document) for document in documents]
    rows = [(one_line(view.name), moment(view.created_at), _rest(view, now), one_line(view.id)) for view in views]
    stdout().print(plain_table(("name", "made", "expires", "id"), rows))


def revoke(client: Client, name: str) -> None:
    """Revoke the token with this name or id. Raises `TokenMissing`."""
    views = [read(TokenView, document) for document in client.tokens()]
    # Names are unique. An id is only looked for if no token has that name.
    found = [view for view in views if view.name == name] or [view for view in views if view.id == name]
    if not found:
        raise TokenMissing(name)
    client.revoke_token(found[0].id)
    tell(one_line(f"{found[0].name} is revoked"))


def _rest(view: TokenView, now: float) -> str:
    if view.expires_at is None:
        return "never"
    return "expired" if view.expires_at <= now else f"in {duration(view.expires_at - now)}"
