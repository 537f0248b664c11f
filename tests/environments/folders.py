"""A plugin's files in memory."""

from collections.abc import Mapping

from endpointd.manifest.files import FileProblem, Kind, normal_path


class Files:
    """As `folder.PluginFolder`."""

    def __init__(self, texts: Mapping[str, str | bytes]) -> None:
        self._texts = texts

    def read(self, path: str) -> bytes:
        text = self._texts.get(normal_path(path))
        if text is None:
            raise FileProblem("file_missing", f"there is no file {path!r}", "add it")
        return text if isinstance(text, bytes) else text.encode()

    def check(self, path: str) -> None:
        self.read(path)

    def kind(self, path: str) -> Kind | None:
        return Kind.FILE if path in self._texts else None
