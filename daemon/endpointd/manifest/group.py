"""Reads one group file: the settings that it declares and the interfaces that it lists."""

from endpointd.manifest.fields import Fields
from endpointd.manifest.files import FileProblem, PluginFiles, normal_path
from endpointd.manifest.findings import Place, Severity, shown
from endpointd.manifest.interface import read_interface
from endpointd.manifest.mapping import read_mapping
from endpointd.manifest.model import Group, Interface
from endpointd.manifest.nodes import Entries, Node, Scalar, described
from endpointd.manifest.setting import read_settings

MAX_INTERFACES = 1_000

_KEYS = ("settings", "endpoints")


def read_group(group: Fields, files: PluginFiles) -> Group:
    """The group that a mapping describes. Parts with errors are left out, and the errors are in the report."""
    group.warn_of_misspellings(_KEYS)
    return Group(group.file, read_settings(group), _interfaces(group, files))


def listed_path(fields: Fields, name: str, index: int, node: Node, seen: set[str]) -> tuple[str, Place] | None:
    """The path in one item of a list of files, and the item's place; None, with an error, if it is invalid or listed a
    second time. `seen` are the paths before it, and is extended."""
    place = Place(fields.file, node.line, f"{fields.path(name)}[{index}]")
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        message = f"this is {described(node)}, not the path of a file"
        fields.report.error(place, "wrong_type", message, "write the path of a YAML file")
        return None
    try:
        path = normal_path(node.value)
    except FileProblem as problem:
        fields.report.error(place, problem.code, problem.message, problem.remedy)
        return None
    if path in seen:
        message = f"{shown(path)} is listed a second time"
        fields.report.error(place, "listed_twice", message, "remove one of the two")
        return None
    seen.add(path)
    return path, place


def _interfaces(group: Fields, files: PluginFiles) -> tuple[Interface, ...]:
    items = group.items("endpoints", Severity.ERROR)
    if not items:
        group.missing_items("endpoints", "endpoints: and below it '- ' with the path of each interface's file")
    if len(items) > MAX_INTERFACES:
        message = f"{len(items)} interfaces are listed, and {MAX_INTERFACES} is the most"
        group.error("endpoints", "too_many_interfaces", message, "split the plugin")
    seen: set[str] = set()
    found = [_interface(group, files, *item, seen) for item in enumerate(items[:MAX_INTERFACES])]
    return tuple(interface for interface in found if interface is not None)


def _interface(group: Fields, files: PluginFiles, index: int, node: Node, seen: set[str]) -> Interface | None:
    if isinstance(node, Entries):
        inline = Fields(group.report, group.file, node, f"{group.path('endpoints')}[{index}]")
        return read_interface(inline, files)
    listed = listed_path(group, "endpoints", index, node, seen)
    fields = None if listed is None else read_mapping(files, *listed, group.report)
    return None if fields is None else read_interface(fields, files)
