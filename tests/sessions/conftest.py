"""Plugins that use their session."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from endpointd.testing import FakeSession, PluginClient, PluginLoader
from support.probe import probe

EVERYTHING: dict[str, Any] = {
    "storage": {"enabled": True, "size": 64 * 1024 * 1024},
    "app": {"enabled": True},
    "tool": {"enabled": True},
    "node": {"enabled": True},
    "model": {
        "enabled": True,
        "llm": True,
        "text_embedding": True,
        "rerank": True,
        "tts": True,
        "speech2text": True,
        "moderation": True,
    },
}

Run = Callable[..., PluginClient]


@pytest.fixture
def run(load_plugin: PluginLoader, tmp_path: Path) -> Run:
    """`run(body, session)`: a plugin that may do everything, and runs the lines of `body` for each request."""

    def run(body: str, session: FakeSession | None = None, **permission: Any) -> PluginClient:  # noqa: ANN401
        folder = probe(tmp_path, body, permission={**EVERYTHING, **permission})
        return load_plugin(folder, session=session)

    return run
