"""A folder with something of everything that a plugin's may hold."""

from collections.abc import Callable
from pathlib import Path


def write_folder(root: Path) -> Path:
    folder = root / "plugins" / "duck"
    (folder / "endpoints").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "manifest.yaml").write_text("name: duck")
    (folder / "endpoints" / "duck.py").write_text("duck = 1")
    (folder / "run.sh").write_text("#!/bin/sh")
    (folder / "run.sh").chmod(0o750)
    (folder / "link").symlink_to("endpoints/duck.py")
    return folder


def _replace_link(folder: Path) -> Path:
    (folder / "link").unlink()
    return folder / "link"


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda folder: (folder / "manifest.yaml").write_text("name: fish"),
    "name": lambda folder: (folder / "manifest.yaml").rename(folder / "manifest.yml"),
    "executable": lambda folder: (folder / "run.sh").chmod(0o640),
    "more": lambda folder: (folder / "new").touch(),
    "less": lambda folder: (folder / "run.sh").unlink(),
    "folder": lambda folder: (folder / "empty").rmdir(),
    "link": lambda folder: _replace_link(folder).symlink_to("run.sh"),
    "kind": lambda folder: _replace_link(folder).write_text("endpoints/duck.py"),
}
"""What may happen to it, by a word for what is another then."""
