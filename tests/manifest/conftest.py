"""A good plugin in memory, and ways to spoil it."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest
import yaml

from endpointd.manifest.files import FileProblem, Kind, normal_path
from endpointd.manifest.reading import Reading, read_plugin

TEXT = {"en_US": "Duck", "zh_Hans": "鸭子", "ja_JP": "アヒル", "pt_BR": "Pato"}
MANIFEST: dict[str, Any] = {
    "version": "0.1.0",
    "type": "plugin",
    "author": "someone",
    "name": "duck",
    "label": TEXT,
    "description": TEXT,
    "icon": "icon.svg",
    "icon_dark": "icon-dark.svg",
    "created_at": "2026-01-31T12:00:00Z",
    "tags": ["utilities", "other"],
    "privacy": "PRIVACY.md",
    "repo": "https://example.com/duck",
    "verified": False,
    "resource": {
        "memory": 268435456,
        "permission": {
            "tool": {"enabled": True},
            "model": {"enabled": True, "llm": True, "rerank": False},
            "node": {"enabled": False},
            "endpoint": {"enabled": True},
            "app": {"enabled": True},
            "storage": {"enabled": True, "size": 2048},
        },
    },
    "plugins": {"endpoints": ["group/duck.yaml"]},
    "meta": {
        "version": "0.0.1",
        "arch": ["amd64", "arm64"],
        "runner": {"language": "python", "version": "3.12", "entrypoint": "main"},
        "minimum_dify_version": "0.3.0",
    },
}
GROUP: dict[str, Any] = {
    "settings": [{"name": "api_key", "type": "secret-input", "required": True, "label": TEXT}],
    "endpoints": ["endpoints/duck.yaml"],
}
INTERFACE: dict[str, Any] = {
    "path": "/duck/<app_id>",
    "method": "GET",
    "extra": {"python": {"source": "endpoints/duck.py"}},
}


class MemoryFiles(dict[str, bytes]):
    """A plugin's files in a dict."""

    def read(self, path: str) -> bytes:
        found = self.get(normal_path(path))
        if found is None:
            raise FileProblem("file_missing", f"there is no file {path!r}", "add it")
        return found

    def check(self, path: str) -> None:
        self.read(path)

    def kind(self, path: str) -> Kind | None:
        if path in self:
            return Kind.FILE
        return Kind.DIRECTORY if any(name.startswith(f"{path}/") for name in self) else None


class Draft:
    """A plugin being written: change its documents, then read it."""

    def __init__(self) -> None:
        self.manifest = deepcopy(MANIFEST)
        self.group = deepcopy(GROUP)
        self.interface = deepcopy(INTERFACE)
        self.files: dict[str, bytes | str] = {
            "endpoints/duck.py": "raise RuntimeError('never run by the reader')",
            "main.py": "",
            "requirements.txt": "",
            "_assets/icon.svg": "<svg/>",
            "_assets/icon-dark.svg": "<svg/>",
        }

    def read(self, files: Mapping[str, bytes | str] | None = None) -> Reading:
        """Read the plugin; `files` are laid over everything else."""
        documents = {
            "manifest.yaml": self.manifest,
            "group/duck.yaml": self.group,
            "endpoints/duck.yaml": self.interface,
        }
        texts = {name: yaml.safe_dump(document, sort_keys=False) for name, document in documents.items()}
        whole = {**texts, **self.files, **(files or {})}
        return read_plugin(MemoryFiles({k: v.encode() if isinstance(v, str) else v for k, v in whole.items()}))


@pytest.fixture
def draft() -> Draft:
    """A good plugin, to be changed by the test."""
    return Draft()


@pytest.fixture
def with_settings(draft: Draft) -> Callable[[object], Reading]:
    """Reads the good plugin with other settings in its group."""

    def read(settings: object) -> Reading:
        draft.group["settings"] = settings
        return draft.read()

    return read
