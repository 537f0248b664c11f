"""The plugins directory of the soak, and the ways in which people change it."""

import io
import os
import shutil
from pathlib import Path

from soaking.answers import source
from soaking.clients import Target

FILE = "soaked.py"
MANIFEST = """version: 0.1.0
type: plugin
author: soak
name: {name}
label: {{en_US: {name}}}
description: {{en_US: a plugin of the soak}}
icon: icon.svg
created_at: "2026-01-31T12:00:00Z"
resource: {{memory: 1048576, permission: {{endpoint: {{enabled: true}}}}}}
plugins: {{endpoints: [group.yaml]}}
meta: {{version: 0.0.1, arch: [amd64], runner: {{language: python, version: "3.12", entrypoint: main}}}}
"""
GROUP = """settings: []
endpoints:
- {path: /, method: GET, extra: {python: {source: soaked.py}}}
- {path: /, method: POST, extra: {python: {source: soaked.py}}}
"""


class Folders:
    def __init__(self, scratch: Path) -> None:
        self.plugins = scratch / "plugins"
        self._bench = scratch / "bench"
        """Where new folders are created, and removed ones are kept until they are put back."""
        self.plugins.mkdir()
        self._bench.mkdir()

    def make(self, target: Target) -> Path:
        """Create a folder with the plugin's next version, outside the plugins directory; returns it."""
        made = self._bench / target.name
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        (made / "_assets").mkdir()
        (made / "_assets" / "icon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>\n")
        (made / "manifest.yaml").write_text(MANIFEST.format(name=target.name))
        (made / "group.yaml").write_text(GROUP)
        target.latest += 1
        (made / FILE).write_text(source(target.name, target.latest))
        return made

    def put(self, target: Target) -> None:
        made = self.make(target)
        made.rename(self.plugins / target.name)

    def edit(self, target: Target, before: str = "") -> None:
        """Replace the source file by the next version's, as editors do. `before` is put before the source."""
        target.latest += 1
        self.write(target, before + source(target.name, target.latest))

    def write(self, target: Target, text: str) -> None:
        file = self.plugins / target.name / FILE
        new = file.with_name(f".{FILE}.swp")
        new.write_text(text)
        os.replace(new, file)

    def take_away(self, target: Target) -> None:
        (self.plugins / target.name).rename(self._bench / f"{target.name} away")

    def bring_back(self, target: Target) -> None:
        (self._bench / f"{target.name} away").rename(self.plugins / target.name)

    def archive(self, target: Target) -> tuple[io.BytesIO, int]:
        """The next version as an archive to be installed, and the archive's size in bytes."""
        from endpointd.installing.staging import pack

        archive = io.BytesIO()
        pack(self.make(target), archive)
        size = archive.tell()
        archive.seek(0)
        return archive, size
