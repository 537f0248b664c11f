"""The files of a new plugin, as they are in `plugin/`.

A file there is called what it is to be called, with `.template` behind it and `NAME` for the plugin's name; `$` begins
what is filled in.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template

from endpointd.manifest.findings import one_line

_SUFFIX = ".template"
_PLACE = "NAME"


@dataclass(frozen=True, slots=True)
class NewPlugin:
    """What is known of a plugin that does not exist yet; `created_at` is an ISO time."""

    name: str
    author: str
    description: str
    created_at: str


def render(plugin: NewPlugin) -> dict[str, str]:
    """The text of each file, by its path in the plugin's folder."""
    values = _values(plugin)
    # Only modules are called after the plugin, and the name of a module has no hyphens.
    module = plugin.name.replace("-", "_")
    return {
        path.removesuffix(_SUFFIX).replace(_PLACE, module): Template(text).substitute(values)
        for path, text in _templates(files("endpointd.scaffold") / "plugin", "")
    }


def _templates(folder: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.is_dir():
            yield from _templates(item, f"{prefix}{item.name}/")
        elif item.name.endswith(_SUFFIX):
            yield f"{prefix}{item.name}", item.read_text(encoding="utf-8")


def _values(plugin: NewPlugin) -> dict[str, str]:
    title = " ".join(plugin.name.replace("-", " ").replace("_", " ").split()).title() or plugin.name
    return {
        "name": _quoted(plugin.name),
        "author": _quoted(plugin.author),
        "label": _quoted(title),
        "description": _quoted(plugin.description),
        "created_at": plugin.created_at,
        "bare_name": plugin.name,
        "bare_description": plugin.description,
        "title": title,
    }


def _quoted(text: str) -> str:
    """As YAML: a name can be a number or `true` there, and a description can have a colon."""
    return one_line(json.dumps(text, ensure_ascii=False))
