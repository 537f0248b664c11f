"""Writing plugin folders for tests: as little in them as a plugin may have."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml


def write_plugin(
    folder: Path,
    name: str,
    sources: Mapping[str, str],
    interfaces: Sequence[tuple[str, str, str]],
    settings: Mapping[str, Any] | None = None,
    permission: Mapping[str, Any] | None = None,
) -> Path:
    """Write the plugin "test/<name>" into `folder`/<name>, and return that.

    sources: file names, each with its text. interfaces: (method, path, source). settings: as in a group file.
    permission: as in a manifest, besides the one for endpoints.
    """
    plugin = folder / name
    plugin.mkdir(parents=True)
    _write(plugin / "manifest.yaml", _manifest(name, permission or {}))
    declared = [
        {"path": path, "method": method, "extra": {"python": {"source": source}}} for method, path, source in interfaces
    ]
    _write(plugin / "group.yaml", {"settings": dict(settings or {}), "endpoints": declared})
    for file_name, text in sources.items():
        (plugin / file_name).parent.mkdir(parents=True, exist_ok=True)
        (plugin / file_name).write_text(text, encoding="utf-8")
    return plugin


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8")


def _manifest(name: str, permission: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": "0.1.0",
        "type": "plugin",
        "author": "test",
        "name": name,
        "label": {"en_US": name},
        "description": {"en_US": f"{name}, written by a test"},
        "icon": "icon.svg",
        "created_at": "2026-01-31T12:00:00Z",
        "resource": {"memory": 1048576, "permission": {"endpoint": {"enabled": True}, **permission}},
        "plugins": {"endpoints": ["group.yaml"]},
        "meta": {
            "version": "0.0.1",
            "arch": ["amd64"],
            "runner": {"language": "python", "version": "3.12", "entrypoint": "main"},
        },
    }
