"""A plugin that has been read and found valid, as plain, frozen values."""

from dataclasses import dataclass, field
from enum import StrEnum

METHODS = ("HEAD", "GET", "POST", "PUT", "DELETE", "OPTIONS")


@dataclass(frozen=True, slots=True)
class I18n:
    """A text in up to four languages. English is always present."""

    en_us: str
    zh_hans: str | None = None
    ja_jp: str | None = None
    pt_br: str | None = None

    def text(self, language: str) -> str:
        """The text in `en_US`, `zh_Hans`, `ja_JP` or `pt_BR`; English where there is none."""
        found = {"zh_Hans": self.zh_hans, "ja_JP": self.ja_jp, "pt_BR": self.pt_br}.get(language)
        return self.en_us if found is None else found


class SettingType(StrEnum):
    """The types that a setting can have, as written in a group file."""

    SECRET_INPUT = "secret-input"
    TEXT_INPUT = "text-input"
    SELECT = "select"
    BOOLEAN = "boolean"
    MODEL_SELECTOR = "model-selector"
    APP_SELECTOR = "app-selector"
    ARRAY_TOOLS = "array[tools]"
    TOOL_SELECTOR = "tool-selector"
    DATASET_SELECTOR = "dataset-selector"
    ANY = "any"

    @property
    def described(self) -> str:
        """The type in a sentence: `an app-selector`, `a boolean`."""
        return f"{'an' if self.value.startswith('a') else 'a'} {self.value}"


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a `select` setting. Without a label, the value is shown."""

    value: str
    label: I18n | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a group: its name, type, and how a form presents it.

    `default` is None if none is declared. `file` and `line` say where the setting is declared; they do not count when
    two settings are compared.
    """

    name: str
    type: SettingType
    required: bool = False
    default: object = field(default=None, hash=False)
    options: tuple[Option, ...] = ()
    scope: str | None = None
    multiple: bool = False
    label: I18n | None = None
    help: I18n | None = None
    placeholder: I18n | None = None
    url: str | None = None
    file: str = field(default="", compare=False)
    line: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Interface:
    """One route: a werkzeug rule, one of `METHODS`, and the Python source that answers.

    `source` is relative to the plugin's folder. `file` and `line` say where the path is written.
    """

    path: str
    method: str
    source: str
    hidden: bool = False
    file: str = ""
    line: int = 1


@dataclass(frozen=True, slots=True)
class Group:
    """One group file: the settings it declares and the interfaces it lists."""

    file: str
    settings: tuple[Setting, ...] = ()
    interfaces: tuple[Interface, ...] = ()


@dataclass(frozen=True, slots=True)
class Permissions:
    """The permissions that the plugin asks for. `models` are the kinds of models; `storage_size` is in bytes."""

    tool: bool = False
    models: frozenset[str] = frozenset()
    node: bool = False
    endpoint: bool = False
    app: bool = False
    storage: bool = False
    storage_size: int = 0


NO_PERMISSIONS = Permissions()


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin whose manifest, groups and interfaces are all valid. `memory` is in bytes."""

    name: str
    version: str
    groups: tuple[Group, ...]
    author: str | None = None
    label: I18n | None = None
    description: I18n | None = None
    icon: str | None = None
    icon_dark: str | None = None
    created_at: str | None = None
    tags: tuple[str, ...] = ()
    privacy: str | None = None
    repo: str | None = None
    memory: int | None = None
    permissions: Permissions = NO_PERMISSIONS
    runner_version: str | None = None
    minimum_dify_version: str | None = None

    @property
    def id(self) -> str:
        """`author/name`, or only the name if there is no author."""
        return self.name if self.author is None else f"{self.author}/{self.name}"

    @property
    def identity(self) -> str:
        """`author/name:version`."""
        return f"{self.id}:{self.version}"

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The settings of all groups, each name once, in the order in which they are declared."""
        merged = {setting.name: setting for group in reversed(self.groups) for setting in group.settings}
        names = dict.fromkeys(setting.name for group in self.groups for setting in group.settings)
        return tuple(merged[name] for name in names)

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """The interfaces of all groups, in the order in which they are listed."""
        return tuple(interface for group in self.groups for interface in group.interfaces)

    @property
    def sources(self) -> tuple[str, ...]:
        """The Python sources, each once, in the order in which they are first named."""
        return tuple(dict.fromkeys(interface.source for interface in self.interfaces))

    @property
    def required_settings(self) -> tuple[str, ...]:
        """The names of the settings for which somebody must supply a value: required, and without a default."""
        return tuple(setting.name for setting in self.settings if setting.required and setting.default is None)

    @property
    def needs_settings(self) -> bool:
        """Whether somebody must supply a value before the plugin can answer."""
        return bool(self.required_settings)
