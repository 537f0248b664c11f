"""The commands `endpointd endpoint …`: each reads its request and hands it to `endpoints.py` or `applying.py`.

Those are imported only when a command runs, as in `control_commands.py`.
"""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from endpointd.cli.control_commands import CONTROL_PANEL, Config, Json, State
from endpointd.cli.typed_rules import GivenRules

_CALLERS = "Who may call"

Word: TypeAlias = Annotated[
    str, typer.Argument(metavar="ENDPOINT", help="Its hook id, id or name, or author/plugin:name.")
]
Words: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="ENDPOINT...", help="Their hook ids, ids or names, or author/plugin:name.")
]
Set: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting's value; JSON if it is not text. May be repeated."),
]
SetFile: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set-file", metavar="KEY=FILE", help="The same from a file, or from standard input (-). Use it for secrets."
    ),
]
HookId: TypeAlias = Annotated[
    str | None, typer.Option(metavar="ID", help="The word behind /e/ in its URLs (default: a random one).")
]
AllowFrom: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-from",
        metavar="NETWORK",
        help="Addresses that may call it: a network, unix or any. May be repeated; '' removes the rule.",
        rich_help_panel=_CALLERS,
    ),
]
Rate: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="RATE",
        help="Requests that it answers for one address: 10/s, 100/min burst 20, unlimited; '' removes the rule.",
        rich_help_panel=_CALLERS,
    ),
]
Cors: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--cors",
        metavar="KEY=VALUE",
        help="Pages that may call it: origins=https://app.example.com; also methods, headers, expose, credentials,"
        " max_age. May be repeated; none for no page, '' removes the rule.",
        rich_help_panel=_CALLERS,
    ),
]

application = typer.Typer(help="Make endpoints of plugins, with settings of their own.", no_args_is_help=True)


@application.command("list")
def list_(
    plugin: Annotated[str | None, typer.Option(metavar="NAME", help="Only those of this plugin.")] = None,
    state: State = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """List the endpoints."""
    from endpointd.cli import control, endpoints

    with control.connected(state, config) as client:
        endpoints.list_endpoints(client, plugin, json=json)


@application.command()
def show(word: Word, state: State = None, config: Config = None, json: Json = False) -> None:
    """Show an endpoint: its settings with secrets masked, what is wrong with them, and its URLs."""
    from endpointd.cli import control, endpoints

    with control.connected(state, config) as client:
        endpoints.show_endpoint(client, word, json=json)


@application.command()
def url(word: Word, state: State = None, config: Config = None, json: Json = False) -> None:
    """Print an endpoint's URLs, one a line."""
    from endpointd.cli import control, endpoints

    with control.connected(state, config) as client:
        endpoints.show_urls(client, word, json=json)


@application.command()
def create(
    plugin: Annotated[str, typer.Argument(metavar="PLUGIN", help="author/name, or the name alone.")],
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="Its name.")] = None,
    set_: Set = None,
    set_file: SetFile = None,
    hook_id: HookId = None,
    enabled: Annotated[bool, typer.Option("--enabled/--disabled", help="Whether it answers.")] = True,
    allow_from: AllowFrom = None,
    rate: Rate = None,
    cors: Cors = None,
    state: State = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Make an endpoint of a plugin. On a terminal the command asks for missing values."""
    from endpointd.cli import control, endpoints
    from endpointd.cli.typed_values import Assignments

    given, callers = Assignments(set_ or (), set_file or ()), GivenRules(allow_from, rate, cors)
    with control.connected(state, config) as client:
        endpoints.create(client, plugin, name, given, hook_id=hook_id, enabled=enabled, callers=callers, json=json)


@application.command()
def update(
    word: Word,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="Its new name.")] = None,
    set_: Set = None,
    set_file: SetFile = None,
    unset: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Remove a setting's value. May be repeated.")
    ] = None,
    hook_id: HookId = None,
    allow_from: AllowFrom = None,
    rate: Rate = None,
    cors: Cors = None,
    state: State = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Change an endpoint, from the next request on. What you do not name stays as it is."""
    from endpointd.cli import control, endpoints
    from endpointd.cli.typed_values import Assignments

    given, callers = Assignments(set_ or (), set_file or (), unset or ()), GivenRules(allow_from, rate, cors)
    with control.connected(state, config) as client:
        endpoints.update(client, word, given, name=name, hook_id=hook_id, callers=callers, json=json)


@application.command()
def enable(words: Words, state: State = None, config: Config = None, json: Json = False) -> None:
    """Switch endpoints on again."""
    _switch(words, state, config, enabled=True, json=json)


@application.command()
def disable(words: Words, state: State = None, config: Config = None, json: Json = False) -> None:
    """Switch endpoints off: they answer 404 and keep their settings."""
    _switch(words, state, config, enabled=False, json=json)


def _switch(words: list[str], state: Path | None, config: Path | None, *, enabled: bool, json: bool) -> None:
    from endpointd.cli import control, endpoints

    with control.connected(state, config) as client:
        endpoints.switch(client, words, enabled=enabled, json=json)


@application.command()
def delete(
    words: Words,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    state: State = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Remove endpoints with their settings, for good."""
    from endpointd.cli import control, endpoints

    with control.connected(state, config) as client:
        endpoints.delete(client, words, confirmed=yes, json=json)


@application.command()
def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file that declares endpoints.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    state: State = None,
    config: Config = None,
    json: Json = False,
) -> None:
    """Make and change the endpoints that a file declares, and delete those that it no longer declares.

    Endpoints that were made in another way are left alone. If the file has a fault, nothing is changed.
    """
    from endpointd.cli import applying, control

    with control.connected(state, config) as client:
        applying.apply_file(client, file, dry_run=dry_run, json=json)


def add_to(parent: typer.Typer) -> None:
    parent.add_typer(application, name="endpoint", rich_help_panel=CONTROL_PANEL)
