"""Reads a whole plugin: the manifest, the groups that it lists, and the interfaces that those list."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from endpointd.manifest.fields import Fields
from endpointd.manifest.files import PluginFiles, has_file
from endpointd.manifest.findings import Finding, Place, Report, Severity
from endpointd.manifest.group import listed_path, read_group
from endpointd.manifest.header import read_header
from endpointd.manifest.interface import check_routes
from endpointd.manifest.mapping import read_mapping
from endpointd.manifest.model import Group, Plugin
from endpointd.manifest.nodes import Items
from endpointd.manifest.setting import check_distinct

MANIFEST = "manifest.yaml"
MAX_GROUPS = 50

# If the manifest is missing, mostly the folder is wrong: the one above or below the plugin's own.
_NO_MANIFEST = f"a plugin is the folder that holds {MANIFEST}: use that one, or write the file"

_KINDS = ("endpoints", "tools", "models", "agent_strategies", "datasources", "triggers")


@dataclass(frozen=True, slots=True)
class Reading:
    """The result of reading a plugin. `plugin` is None if and only if there are errors."""

    plugin: Plugin | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings because of which the plugin is not served."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that the plugin's author should know about."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.WARNING)


def read_plugin(files: PluginFiles) -> Reading:
    """Read and check a plugin. Never raises because of the files' content; all faults are among the findings."""
    report = Report()
    manifest = read_mapping(files, MANIFEST, Place(MANIFEST), report, if_missing=_NO_MANIFEST)
    plugin = None if manifest is None else _plugin(manifest, files)
    reading = Reading(plugin, report.findings)
    return Reading(None, reading.findings) if reading.errors else reading


def _plugin(manifest: Fields, files: PluginFiles) -> Plugin | None:
    header = read_header(manifest, files)
    groups = _groups(manifest, files)
    _warn_of_no_requirements(manifest.report, files)
    check_distinct(manifest.report, [setting for group in groups for setting in group.settings])
    check_routes(manifest.report, [interface for group in groups for interface in group.interfaces])
    return None if header is None else replace(header, groups=groups)


def _groups(manifest: Fields, files: PluginFiles) -> tuple[Group, ...]:
    plugins = manifest.fields("plugins", Severity.ERROR)
    if plugins is None:
        if manifest.node("plugins") is None:
            example = "plugins:, below that endpoints:, and below that '- ' with the path of a group file"
            manifest.missing(Severity.ERROR, "plugins", example)
        return ()
    plugins.warn_of_misspellings(_KINDS)
    _warn_of_other_kinds(plugins)
    groups = tuple(read_group(group, files) for group in _group_files(plugins, files))
    if len({group.settings for group in groups}) > 1:
        message = "the groups have different settings; Dify keeps only those of one group"
        plugins.warning("endpoints", "groups_differ", message, "put all settings and interfaces into one group")
    return groups


def _group_files(plugins: Fields, files: PluginFiles) -> Iterator[Fields]:
    items = plugins.items("endpoints", Severity.ERROR)
    if not items and (plugins.node("endpoints") is None or isinstance(plugins.node("endpoints"), Items)):
        message = "the plugin has no endpoints to serve"
        plugins.error("endpoints", "no_endpoints", message, "write endpoints: and below it '- ' with a group's path")
    if len(items) > MAX_GROUPS:
        message = f"{len(items)} groups are listed, and {MAX_GROUPS} is the most"
        plugins.error("endpoints", "too_many_groups", message, "put the interfaces into fewer groups")
    seen: set[str] = set()
    for index, node in enumerate(items[:MAX_GROUPS]):
        listed = listed_path(plugins, "endpoints", index, node, seen)
        group = None if listed is None else read_mapping(files, *listed, plugins.report)
        if group is not None:
            yield group


def _warn_of_no_requirements(report: Report, files: PluginFiles) -> None:
    if has_file(files, "requirements.txt") or has_file(files, "pyproject.toml"):
        return
    message = "there is neither this file nor pyproject.toml, so Dify does not install the plugin"
    remedy = "write it; to run there it has to name dify_plugin, here it may be empty"
    report.warning(Place("requirements.txt"), "requirements_missing", message, remedy)


def _warn_of_other_kinds(plugins: Fields) -> None:
    for kind in _KINDS[1:]:
        if plugins.node(kind) is None:
            continue
        if kind == "tools":
            message = "tools are not served here; the plugin's endpoints are"
            plugins.warning(kind, "kind_unserved", message, "nothing has to be done")
        else:
            message = f"Dify refuses a plugin with both {kind} and endpoints; the endpoints are served here"
            plugins.warning(kind, "kinds_combined", message, "make two plugins of it")
