"""Reads the settings that a group declares, either as a list or as a mapping by name."""

from collections.abc import Iterable, Iterator

from endpointd.manifest.fields import Fields
from endpointd.manifest.findings import Place, Report, Severity, shown
from endpointd.manifest.model import Option, Setting, SettingType
from endpointd.manifest.nodes import Entries, Items, Node, Scalar, plain
from endpointd.manifest.suggestions import meant
from endpointd.manifest.texts import read_text
from endpointd.manifest.values import check_value

MAX_NAME = 1023
MAX_OPTIONS = 127
MAX_OPTION = 127

_KEYS = ("name", "type", "scope", "required", "default", "options", "multiple", "label", "help", "placeholder", "url")
# What `help` is called in the examples of Dify's documentation.
_OTHER_HELP = "helper"
_UNSERVED_TYPES = {SettingType.TOOL_SELECTOR, SettingType.DATASET_SELECTOR, SettingType.ANY}
_TEXT_TYPES = {SettingType.SECRET_INPUT, SettingType.TEXT_INPUT, SettingType.SELECT}
_APP_SCOPES = {"all", "chat", "workflow", "completion"}
_MODEL_SCOPES = {
    *("all", "llm", "text-embedding", "rerank", "tts", "speech2text", "moderation", "vision", "document"),
    "tool-call",
}


def read_settings(group: Fields) -> tuple[Setting, ...]:
    """The settings of a group. Those with errors are left out, and the errors are in the report."""
    node = group.node("settings")
    match node:
        case None:
            if "settings" in group.names:
                _warn_of_form(group, "there is nothing below 'settings'", "write settings: [], or remove the key")
            return ()
        case Entries():
            remedy = "write each setting as an item: '- name:', and its other keys below that"
            _warn_of_form(group, "the settings are a mapping", remedy)
            found = _from_mapping(group, node)
        case Items():
            found = _from_list(group, node)
        case Scalar():
            remedy = "write a list of settings, or a mapping from their names"
            group.mistyped(Severity.ERROR, "settings", "a list or a mapping", node, remedy)
            return ()
    return tuple(setting for setting in found if setting is not None)


def check_distinct(report: Report, settings: Iterable[Setting]) -> None:
    """Report an error for each setting that is declared a second time and differently."""
    first: dict[str, Setting] = {}
    for setting in settings:
        known = first.setdefault(setting.name, setting)
        if known != setting:
            place = Place(setting.file, setting.line, f"settings.{setting.name}")
            message = f"this setting is declared differently at {known.file}:{known.line}"
            report.error(place, "setting_twice", message, "make both the same, or rename one of them")


def _warn_of_form(group: Fields, what: str, remedy: str) -> None:
    group.warning("settings", "settings_not_a_list", f"{what}; Dify takes only a list", remedy)


def _from_mapping(group: Fields, node: Entries) -> Iterator[Setting | None]:
    for name, value in node.entries.items():
        fields = _declaration(group, value, f"settings.{name}", node.lines[name])
        if fields is None:
            continue
        written = fields.text("name")
        if written is not None and written != name:
            message = f"the setting is called {shown(name)} here, and the name {shown(written)} is ignored"
            fields.warning("name", "name_ignored", message, "remove it, or make both the same")
        yield _setting(fields, name, node.lines[name])


def _from_list(group: Fields, node: Items) -> Iterator[Setting | None]:
    for index, value in enumerate(node.items):
        unnamed = _declaration(group, value, f"settings[{index}]", value.line)
        if unnamed is None:
            continue
        name = unnamed.text("name", Severity.ERROR)
        if name is not None:
            yield _setting(unnamed.under(f"settings.{name}"), name, value.line)
        elif unnamed.node("name") is None:
            unnamed.missing(Severity.ERROR, "name", "name: and what the plugin calls the setting")


def _declaration(group: Fields, node: Node, key: str, line: int) -> Fields | None:
    if isinstance(node, Entries):
        return Fields(group.report, group.file, node, key, line)
    group.report.error(
        Place(group.file, line, key), "wrong_type", "a setting is a mapping", "write its type: and label: below it"
    )
    return None


def _setting(fields: Fields, name: str, line: int) -> Setting | None:
    fields.warn_of_misspellings((*_KEYS, _OTHER_HELP))
    if not 1 <= len(name) <= MAX_NAME:
        fields.error("name", "name_length", f"the name has {len(name)} characters", f"use 1 to {MAX_NAME}")
    kind = _type(fields)
    if kind is None:
        return None
    options = _options(fields, kind)
    setting = Setting(
        name=name,
        type=kind,
        required=fields.boolean("required"),
        default=_default(fields, kind),
        options=options,
        scope=_scope(fields, kind),
        multiple=fields.boolean("multiple", Severity.WARNING),
        label=read_text(fields, "label", required=True),
        help=read_text(fields, _help_key(fields)),
        placeholder=read_text(fields, "placeholder"),
        url=fields.text("url"),
        file=fields.file,
        line=line,
    )
    _check_default(fields, setting)
    return setting


def _type(fields: Fields) -> SettingType | None:
    text = fields.text("type", Severity.ERROR)
    if text is None:
        if fields.node("type") is None:
            fields.missing(Severity.ERROR, "type", "type: text-input, or another type")
        return None
    known = [kind.value for kind in SettingType if kind not in _UNSERVED_TYPES]
    if text not in {kind.value for kind in SettingType}:
        fields.error("type", "type_unknown", f"{shown(text)} is not a type of a setting", meant(text, known))
        return None
    kind = SettingType(text)
    if kind in _UNSERVED_TYPES:
        message = f"'{text}' is served here but refused by Dify"
        fields.warning("type", "type_refused_elsewhere", message, f"to run elsewhere, use one of {', '.join(known)}")
    return kind


def _options(fields: Fields, kind: SettingType) -> tuple[Option, ...]:
    items = fields.items("options", Severity.ERROR if kind is SettingType.SELECT else Severity.WARNING)
    options = tuple(option for index, item in enumerate(items) if (option := _option(fields, index, item)) is not None)
    if kind is SettingType.SELECT and not items:
        fields.error("options", "options_missing", "a select without options", "list them as - value: and label:")
    if len(options) > MAX_OPTIONS:
        message = f"{len(options)} options are listed; Dify allows {MAX_OPTIONS}"
        fields.warning("options", "options_too_many", message, "list fewer")
    return options


def _option(fields: Fields, index: int, node: Node) -> Option | None:
    key = f"{fields.path('options')}[{index}]"
    if not isinstance(node, Entries):
        place = Place(fields.file, node.line, key)
        fields.report.error(place, "wrong_type", "an option is a mapping", "write - value: and below it label:")
        return None
    option = Fields(fields.report, fields.file, node, key)
    option.warn_of_misspellings(("value", "label"))
    value = option.loose_text("value", Severity.ERROR)
    if value is None:
        if option.node("value") is None:
            option.missing(Severity.ERROR, "value", "value: and what the plugin is given")
        return None
    if len(value) > MAX_OPTION:
        message = f"the value has {len(value)} characters; Dify allows {MAX_OPTION}"
        option.warning("value", "text_too_long", message, "shorten it")
    return Option(value, read_text(option, "label", required=True))


def _default(fields: Fields, kind: SettingType) -> object:
    node = fields.node("default")
    if node is None:
        return None
    if kind is SettingType.BOOLEAN:
        return fields.boolean("default")
    if kind in _TEXT_TYPES and isinstance(node, Scalar):
        return node.value if isinstance(node.value, str) else fields.loose_text("default")
    return plain(node)


def _check_default(fields: Fields, setting: Setting) -> None:
    # A select without options was reported already, and no default would be valid for it.
    choosable = setting.type is not SettingType.SELECT or setting.options
    if setting.default is not None and choosable:
        for fault in check_value(setting, setting.default):
            message = f"the default does not suit the setting: {fault.message}"
            fields.error("default", "default_invalid", message, fault.remedy)


def _scope(fields: Fields, kind: SettingType) -> str | None:
    scope = fields.text("scope")
    if scope is None:
        return None
    known = {SettingType.APP_SELECTOR: _APP_SCOPES, SettingType.MODEL_SELECTOR: _MODEL_SCOPES}.get(kind)
    if known is None:
        fields.warning("scope", "scope_unused", f"{kind.described} has no scope", "remove it")
        return scope
    words = scope.split("&") if kind is SettingType.MODEL_SELECTOR else [scope]
    for word in words:
        if word.strip() not in known:
            message = f"{shown(word.strip())} is not a scope of {kind.described}"
            fields.warning("scope", "scope_unknown", message, meant(word.strip(), sorted(known)))
    return scope


def _help_key(fields: Fields) -> str:
    """The key that has the help text; the official one if both are written."""
    if fields.node(_OTHER_HELP) is None or fields.node("help") is not None:
        return "help"
    fields.warning(_OTHER_HELP, "key_misspelt", f"Dify ignores '{_OTHER_HELP}'", "write help: instead")
    return _OTHER_HELP
