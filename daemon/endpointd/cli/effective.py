"""The output of `endpointd config`: the effective value of each setting and its source, with secrets masked."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from endpointd.cli.configuration import Configuration
from endpointd.cli.output import plain_table, print_json, stdout
from endpointd.settings.headings import TABLES, single_settings
from endpointd.settings.plugin_limits import PluginLimits
from endpointd.settings.types import written

_MASK = "********"


def print_effective(configuration: Configuration) -> None:
    """Print a table of setting, value and source, then the rows of single plugins."""
    settings, origins = configuration.settings, configuration.origins
    rows = [(name, written(getattr(settings, name)), origins[name]) for name, _ in single_settings()]
    for plugin_id, limits in settings.plugin.items():
        rows += [
            (f'plugin."{plugin_id}".{name}', written(value), origins["plugin"]) for name, value in _own(limits).items()
        ]
    rows += [(name, written(value), origins["calls"]) for name, value in _tables({"calls": _given(settings.calls)})]
    backends = {name: _given(backend) for name, backend in settings.backend.items()}
    rows += [(name, written(value), origins["backend"]) for name, value in _tables({"backend": backends})]
    stdout().print(plain_table(("setting", "value", "source"), rows))


def print_effective_json(configuration: Configuration) -> None:
    """{"settings": {name: {"value", "source"}}, "backend": {name: {key: value}}, "calls": {key: name}, "plugin": {id:
    {name: value}}}; sizes in bytes."""
    values = configuration.settings.model_dump(mode="json", exclude=set(TABLES))
    print_json(
        {
            "settings": {
                name: {"value": values[name], "source": configuration.origins[name]} for name, _ in single_settings()
            },
            "backend": {name: _given(backend) for name, backend in configuration.settings.backend.items()},
            "calls": _given(configuration.settings.calls),
            "plugin": {plugin_id: _own(limits) for plugin_id, limits in configuration.settings.plugin.items()},
        }
    )


def _given(table: BaseModel) -> dict[str, Any]:
    """The keys that a table sets. For a secret, the place where it is stored and not its value."""
    return table.model_dump(mode="json", exclude_unset=True)


def _tables(tables: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, object]]:
    """The values of nested tables, with their full dotted keys."""
    for name, value in tables.items():
        key = f"{above}{name}" if name.replace("_", "").isalnum() else f'{above}"{name}"'
        if isinstance(value, Mapping):
            yield from _tables(value, f"{key}.")
        else:
            yield key, value


def _own(limits: PluginLimits) -> dict[str, object]:
    """The keys that one plugin's table sets. For environment variables only the names, because values may be secret."""
    values = {name: getattr(limits, name) for name in limits.model_fields_set if name not in ("calls", "env")}
    values |= dict(_tables({"calls": _given(limits.calls)}))
    return values | {f"env.{name}": _MASK for name in limits.env}
