"""What `.difyignore` names is no part of a plugin, however it comes: as a folder, an archive or a package."""

import io
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from endpointd.cli.checking import check_folder
from endpointd.folders.digest import content_digest, signature
from endpointd.installing.staging import pack, stage, unpack_archive
from endpointd.manifest.findings import Severity
from endpointd.packages.opening import unpack_package
from endpointd.plugins.intake import Intake
from endpointd.plugins.releases import Releases
from support.packages import LIMITS, everything_below, package_of
from support.plugins import write_plugin

PARTS = {".difyignore", "manifest.yaml", "group.yaml", "a.py", "docs/used.txt"}
SOURCE = """
from dify_plugin import Endpoint

class A(Endpoint):
    def _invoke(self, r, values, settings): ...
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = write_plugin(tmp_path / "plugins", "duck", {"a.py": SOURCE}, [("GET", "/", "a.py")])
    (folder / ".difyignore").write_text("*.md\n/tests/\ndocs/*\n!docs/used.txt\n")
    for name in ("notes.md", "tests/test_a.py", "docs/unused.txt", "docs/used.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return folder


def taken(folder: Path, tmp_path: Path) -> Intake:
    return Intake(folder.parent, Releases(tmp_path / "releases"))


def test_a_release_is_without_it(folder: Path, tmp_path: Path) -> None:
    release = Releases(tmp_path / "releases").make(folder, "test/duck")

    assert everything_below(release.path) == PARTS
    assert release.digest == content_digest(release.path)


@pytest.mark.parametrize("name", ["notes.md", "tests/test_a.py", "tests/new.py", "docs/unused.txt"])
def test_its_changes_are_no_changes(name: str, folder: Path) -> None:
    before = content_digest(folder), signature(folder)
    (folder / name).write_text("changed")
    assert (content_digest(folder), signature(folder)) == before


@pytest.mark.parametrize(("name", "text"), [("a.py", "x"), ("docs/used.txt", "x"), (".difyignore", "*.md")])
def test_changes_of_the_rest_and_of_the_rules_are(name: str, text: str, folder: Path) -> None:
    before = content_digest(folder), signature(folder)
    (folder / name).write_text(text)
    after = content_digest(folder), signature(folder)
    assert [one != other for one, other in zip(before, after, strict=True)] == [True, True]


def test_a_plugin_is_the_same_whichever_way_it_comes(folder: Path, tmp_path: Path) -> None:
    archive = io.BytesIO()
    pack(folder, archive)
    archive.seek(0)
    staged, _ = stage(folder.parent, partial(unpack_archive, archive))
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    unpack_package(io.BytesIO(package_of(folder)), unpacked, LIMITS, [])

    assert everything_below(staged) == everything_below(unpacked) == PARTS
    assert content_digest(folder) == content_digest(staged) == content_digest(unpacked)


def test_a_source_that_is_left_out_is_told(folder: Path, tmp_path: Path) -> None:
    (folder / ".difyignore").write_text("*.py")
    entry = taken(folder, tmp_path).take("duck")
    assert entry.plugin is None
    for findings in (entry.findings, check_folder(folder, print).findings):
        assert [one.code for one in findings if one.severity is Severity.ERROR] == ["file_ignored"]


def test_rules_that_leave_themselves_out_hold(folder: Path, tmp_path: Path) -> None:
    (folder / ".difyignore").write_text(".*\n*.md\ntests\ndocs")
    release = Releases(tmp_path / "releases").make(folder, "test/duck")

    assert everything_below(release.path) == PARTS - {".difyignore", "docs/used.txt"}


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.symlink_to("a.py")


@pytest.mark.parametrize("make", [_fifo, _link, Path.mkdir])
def test_what_is_no_file_has_no_rules(make: Callable[[Path], None], folder: Path) -> None:
    (folder / ".difyignore").unlink()
    make(folder / ".difyignore")

    assert signature(folder)
    assert content_digest(folder)


def test_git_ignore_is_for_packages_alone(folder: Path, tmp_path: Path) -> None:
    """It is about what git keeps: what is built, say, is not in it, and yet served."""
    (folder / ".difyignore").unlink()
    (folder / ".gitignore").write_text("*.md")

    assert "notes.md" in everything_below(Releases(tmp_path / "releases").make(folder, "test/duck").path)
