"""Endpoints and settings as they are shown, without secrets. Pure."""

from dataclasses import asdict, dataclass, field
from typing import Any

from endpointd.endpoints import endpoint_url
from endpointd.endpoints.values import secret_names, shown_values
from endpointd.manifest.model import I18n, Plugin, Setting
from endpointd.manifest.values import Fault
from endpointd.plugins.status import InterfaceStatus
from endpointd.sealing.masking import MASK
from endpointd.store.records import EndpointRecord


@dataclass(frozen=True, slots=True)
class EndpointView:
    """One endpoint. `plugin` is "author/name". `settings` has `********` for each secret, and null for each setting
    without a value. `urls` are the URLs of its interfaces, which answer if it is enabled and has no `faults`. `origin`
    is "operator" or "file". `allow_from`, `rate` and `cors` are its rules for who may call; if one is null, the
    daemon's settings hold. Times are in seconds since the epoch. Later versions may add keys, but do not remove any."""

    id: str
    hook_id: str
    plugin: str
    name: str
    settings: dict[str, Any]
    enabled: bool
    urls: tuple[InterfaceStatus, ...]
    origin: str
    faults: tuple[Fault, ...]
    created_at: float
    updated_at: float
    allow_from: tuple[str, ...] | None = None
    rate: str | None = None
    cors: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class OptionView:
    """One choice of a setting. `label` is by language and always has "en_US"."""

    value: str
    label: dict[str, str]


@dataclass(frozen=True, slots=True)
class SettingView:
    """One setting that a plugin declares, with all that a form needs. Texts are by language, and empty if the plugin
    declares none. The default of a secret is masked."""

    name: str
    type: str
    required: bool
    default: Any
    options: tuple[OptionView, ...]
    scope: str | None
    multiple: bool
    label: dict[str, str] = field(default_factory=dict)
    help: dict[str, str] = field(default_factory=dict)
    placeholder: dict[str, str] = field(default_factory=dict)
    url: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PlannedView:
    """One endpoint of a plan. `id` is null if it does not exist yet, and `hook_id` too if it will get a random one.
    `changes` are the names of what changes ("settings.token"), without values."""

    id: str | None
    hook_id: str | None
    plugin: str
    name: str
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AppliedView:
    """What a declarative file has changed, or would change."""

    dry_run: bool
    create: tuple[PlannedView, ...]
    update: tuple[PlannedView, ...]
    delete: tuple[PlannedView, ...]
    unchanged: tuple[PlannedView, ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def view(record: EndpointRecord, plugin: Plugin | None, base: str, faults: tuple[Fault, ...]) -> EndpointView:
    """The view of a record. `plugin` is the version that serves, None if there is none; `faults` are those of the
    settings for this version; `base` is the scheme, host and port for URLs."""
    return EndpointView(
        record.id,
        record.hook_id,
        record.plugin,
        record.name,
        shown_values(record, plugin),
        record.enabled,
        _urls(record, plugin, base) if plugin is not None else (),
        record.origin,
        faults if plugin is not None else (_not_served(record.plugin),),
        record.created_at,
        record.updated_at,
        record.callers.allow_from,
        record.callers.rate,
        None if record.callers.cors is None else record.callers.cors.document(),
    )


def settings_of(plugin: Plugin) -> list[SettingView]:
    """The plugin's settings, in the order in which they are declared."""
    return [_setting(one, one.name in secret_names(plugin)) for one in plugin.settings]


def _urls(record: EndpointRecord, plugin: Plugin, base: str) -> tuple[InterfaceStatus, ...]:
    shown = [one for one in plugin.interfaces if not one.hidden]
    return tuple(InterfaceStatus(one.method, endpoint_url(base, record.hook_id, one.path)) for one in shown)


def _not_served(plugin_id: str) -> Fault:
    return Fault("plugin", "plugin_unknown", f"{plugin_id} is not served", "install it; the endpoint answers then")


def _setting(setting: Setting, is_secret: bool) -> SettingView:
    return SettingView(
        setting.name,
        setting.type.value,
        setting.required,
        MASK if is_secret and setting.default is not None else setting.default,
        tuple(OptionView(one.value, _texts(one.label) or {"en_US": one.value}) for one in setting.options),
        setting.scope,
        setting.multiple,
        _texts(setting.label),
        _texts(setting.help),
        _texts(setting.placeholder),
        setting.url,
    )


def _texts(text: I18n | None) -> dict[str, str]:
    if text is None:
        return {}
    texts = {"en_US": text.en_us, "zh_Hans": text.zh_hans, "ja_JP": text.ja_jp, "pt_BR": text.pt_br}
    return {language: one for language, one in texts.items() if one is not None}
