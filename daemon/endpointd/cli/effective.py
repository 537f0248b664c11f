"""What `endpointd config` shows: every setting's effective value and where it came from, secrets masked."""

from endpointd.cli.configuration import Configuration
from endpointd.cli.output import plain_table, print_json, stdout
from endpointd.setting_types import written
from endpointd.settings import PluginLimits, single_settings

_MASK = "********"


def print_effective(configuration: Configuration) -> None:
    """A table of setting, value and source; then the rows of single plugins."""
    settings, origins = configuration.settings, configuration.origins
    rows = [(name, written(getattr(settings, name)), origins[name]) for name, _ in single_settings()]
    for plugin_id, limits in settings.plugin.items():
        rows += [
            (f'plugin."{plugin_id}".{name}', written(value), origins["plugin"]) for name, value in _own(limits).items()
        ]
    stdout().print(plain_table(("setting", "value", "source"), rows))


def print_effective_json(configuration: Configuration) -> None:
    """{"settings": {name: {"value", "source"}}, "plugin": {id: {name: value}}}; sizes in bytes."""
    values = configuration.settings.model_dump(mode="json", exclude={"plugin"})
    print_json(
        {
            "settings": {
                name: {"value": values[name], "source": configuration.origins[name]} for name, _ in single_settings()
            },
            "plugin": {plugin_id: _own(limits) for plugin_id, limits in configuration.settings.plugin.items()},
        }
    )


def _own(limits: PluginLimits) -> dict[str, object]:
    """What one plugin's table sets. Its environment variables are named, but may be secrets."""
    values = {name: getattr(limits, name) for name in limits.model_fields_set if name != "env"}
    return values | {f"env.{name}": _MASK for name in limits.env}
