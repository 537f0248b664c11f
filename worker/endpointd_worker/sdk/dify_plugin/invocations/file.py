"""`session.file`: files handed to apps."""

from typing import Any

from dify_plugin.entities.base import Entity
from dify_plugin.invocations.base import Invocation


class UploadFileResponse(Entity):
    """An uploaded file; `type` is document, image, video or audio."""

    id: str
    name: str
    size: int
    extension: str = ""
    mime_type: str = ""
    type: str | None = None
    preview_url: str | None = None

    def to_app_parameter(self) -> dict[str, Any]:
        """The file in the form in which an app takes it as an input."""
        return {"tool_file_id": self.id, "transfer_method": "tool_file", "type": self.type}


class File(Invocation):
    def upload(self, filename: str, content: bytes, mimetype: str) -> UploadFileResponse:
        """Upload a file. Raises `InvocationError`."""
        reply = self.only("upload_file", {"filename": filename, "mimetype": mimetype}, bytes(content))
        return UploadFileResponse(**reply)
