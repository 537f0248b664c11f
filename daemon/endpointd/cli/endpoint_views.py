"""The output of `endpoint list` (a table), `endpoint show` (a block) and `endpoint url` (lines)."""

import json
from collections.abc import Iterator, Sequence

from rich.text import Text

from endpointd.cli.output import plain_table, stdout
from endpointd.endpoints.views import EndpointView, SettingView
from endpointd.humane import moment
from endpointd.manifest.findings import one_line

_WIDTH = 10
_STYLES = {"enabled": "green", "disabled": "dim", "incomplete": "bold red"}


def print_endpoints(views: Sequence[EndpointView]) -> None:
    if not views:
        stdout().print("there are no endpoints; 'endpointd endpoint create PLUGIN' makes one", soft_wrap=True)
        return
    table = plain_table(("name", "plugin", "state", "owner", "hook id", "URL"), ())
    for view in views:
        urls = list(dict.fromkeys(one.url for one in view.urls))
        more = f" (+{len(urls) - 1})" if len(urls) > 1 else ""
        cells = (view.name, view.plugin, view.origin, view.hook_id, f"{urls[0]}{more}" if urls else "")
        name, plugin, origin, hook_id, url = (Text(one_line(cell)) for cell in cells)
        table.add_row(name, plugin, state_of(view), origin, hook_id, url)
    stdout().print(table)


def print_endpoint(view: EndpointView, settings: Sequence[SettingView]) -> None:
    """Print one endpoint. Not as a table, because a URL that is wrapped in a cell cannot be copied."""
    for line in _lines(view, {setting.name: setting for setting in settings}):
        stdout().print(line, soft_wrap=True)


def print_urls(view: EndpointView) -> None:
    """Print one URL per line, for other programs."""
    for url in dict.fromkeys(one.url for one in view.urls):
        stdout().print(one_line(url), soft_wrap=True)


def state_of(view: EndpointView) -> Text:
    state = "disabled" if not view.enabled else "incomplete" if view.faults else "enabled"
    return Text(state, style=_STYLES[state])


def _lines(view: EndpointView, settings: dict[str, SettingView]) -> Iterator[Text]:
    yield Text(one_line(f"{view.name} ({view.plugin})"), style="bold")
    owner = " (a file declares it, and it is changed there)" if view.origin == "file" else ""
    yield Text.assemble(_key("state"), state_of(view), owner)
    yield _line("id", view.id)
    yield _line("hook id", view.hook_id)
    yield _line("made", f"{moment(view.created_at)}, changed {moment(view.updated_at)}")
    for number, (name, value) in enumerate(view.settings.items()):
        yield _line("" if number else "settings", f"{name} = {_written(value, settings.get(name))}")
    yield from _callers(view)
    for number, fault in enumerate(view.faults):
        yield Text.assemble(_key("" if number else "faults"), (one_line(str(fault)), "red"))
    methods: dict[str, list[str]] = {}
    for one in view.urls:
        methods.setdefault(one.url, []).append(one.method)
    for number, (url, names) in enumerate(methods.items()):
        yield _line("" if number else "URLs", f"{','.join(names)} {url}")


def _callers(view: EndpointView) -> Iterator[Text]:
    """The endpoint's own rules for callers; for others the daemon's settings hold."""
    if view.allow_from is not None:
        yield _line("callers", ", ".join(view.allow_from))
    if view.rate is not None:
        yield _line("rate", view.rate)
    for number, (key, value) in enumerate((view.cors or {}).items()):
        shown = ", ".join(value) if isinstance(value, list) else json.dumps(value)
        yield _line("" if number else "cors", f"{key} = {shown}")


def _written(value: object, setting: SettingView | None) -> str:
    if value is not None:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if setting is None:
        return ""
    if setting.default is not None:
        return f"{_written(setting.default, None)} (the default)"
    return "(missing)" if setting.required else "(none)"


def _key(key: str) -> tuple[str, str]:
    return f"{key:{_WIDTH}}", "dim"


def _line(key: str, text: str) -> Text:
    return Text.assemble(_key(key), one_line(text))
