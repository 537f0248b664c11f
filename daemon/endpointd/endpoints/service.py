"""What the administration needs of the endpoints. Its types alone; `registry.py` is the implementation."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from endpointd.endpoints.declared import Declared
from endpointd.endpoints.views import AppliedView, EndpointView, SettingView


class EndpointControl(Protocol):
    """What changes something returns when it is stored and in effect, and raises `OperatorError` when nothing was
    changed. Endpoints go by their ids; `EndpointMissing`: there is none."""

    def list(self, plugin_id: str | None = None) -> Sequence[EndpointView]:
        """The oldest first; with a plugin's id, those of this plugin."""

    def get(self, endpoint_id: str) -> EndpointView: ...

    def settings(self, plugin_id: str) -> Sequence[SettingView]:
        """What the plugin declares. Raises `PluginUnknown`."""

    async def create(
        self,
        plugin_id: str,
        name: str,
        settings: Mapping[str, Any],
        *,
        hook_id: str | None,
        enabled: bool,
        callers: Mapping[str, Any] | None = None,
    ) -> EndpointView:
        """Without a hook id it gets one by chance. `callers` are its rules for who may call (`callers.reading`)."""

    async def update(
        self,
        endpoint_id: str,
        settings: Mapping[str, Any],
        *,
        name: str | None,
        hook_id: str | None,
        enabled: bool | None,
        callers: Mapping[str, Any] | None = None,
    ) -> EndpointView:
        """What is None, and every setting that is not in `settings`, stays as it is; a setting's null removes it, and
        so does an empty rule."""

    async def delete(self, endpoint_id: str) -> None: ...

    async def apply(self, declared: Sequence[Declared], *, dry_run: bool) -> AppliedView:
        """Make the endpoints of the origin "file" be these, and no others."""
