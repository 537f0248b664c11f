"""The interface of the endpoints that the administration uses; `registry.py` implements it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from endpointd.endpoints.declared import Declared
from endpointd.endpoints.views import AppliedView, EndpointView, SettingView


class EndpointControl(Protocol):
    """Methods that change something return when the change is stored and in effect; they raise `OperatorError` if
    nothing was changed. Methods that take an endpoint's id raise `EndpointMissing` if there is no such endpoint."""

    def list(self, plugin_id: str | None = None) -> Sequence[EndpointView]:
        """All endpoints, or those of one plugin; the oldest first."""

    def get(self, endpoint_id: str) -> EndpointView: ...

    def settings(self, plugin_id: str) -> Sequence[SettingView]:
        """The settings that the plugin declares. Raises `PluginUnknown`."""

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
        """Create an endpoint. Without a hook id it gets a random one. `callers` are its rules for who may call it (see
        `callers.reading`)."""

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
        """Change an endpoint. Arguments that are None, and settings that are not in `settings`, stay as they are. A
        null removes a setting; an empty value removes a rule."""

    async def delete(self, endpoint_id: str) -> None: ...

    async def apply(self, declared: Sequence[Declared], *, dry_run: bool) -> AppliedView:
        """Create, change and delete endpoints of the origin "file" so that they are exactly these. With `dry_run`, only
        check and return what would change."""
