"""`session.app.fetch_app`."""

from collections.abc import Mapping
from typing import Any

from dify_plugin.invocations.base import Invocation


class FetchAppInvocation(Invocation):
    def get(self, app_id: str) -> Mapping[str, Any]:
        """The app's description and parameters."""
        reply: Mapping[str, Any] = self.only("fetch_app", {"app_id": app_id})
        return reply
