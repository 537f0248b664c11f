"""A plugin's folder on a real disk: what is opened, and what never is."""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from endpointd.folders.folder import MAX_FILE, PluginFolder
from endpointd.manifest.files import FileProblem, Kind
from endpointd.manifest.reading import read_plugin

NOBODY = 65534


@pytest.fixture
def folder(tmp_path: Path) -> PluginFolder:
    root = tmp_path / "plugin"
    (root / "sub").mkdir(parents=True)
    (root / "a.yaml").write_bytes(b"a: 1")
    (root / "sub" / "b.py").write_bytes(b"b = 1")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    (tmp_path / "plugin-2").mkdir()
    (tmp_path / "plugin-2" / "c.py").write_bytes(b"c = 1")
    return PluginFolder(root)


def problem_of(folder: PluginFolder, path: str) -> str:
    """The code of the problem that both `read` and `check` have with a path."""
    with pytest.raises(FileProblem) as read:
        folder.read(path)
    with pytest.raises(FileProblem) as check:
        folder.check(path)
    assert read.value.code == check.value.code
    assert read.value.message
    assert read.value.remedy
    assert folder.kind(path) in (None, Kind.DIRECTORY)
    return read.value.code


@pytest.mark.parametrize("path", ["a.yaml", "./a.yaml", ".//a.yaml", "sub/b.py"])
def test_a_file_inside_is_read(folder: PluginFolder, path: str) -> None:
    assert folder.read(path) in (b"a: 1", b"b = 1")
    folder.check(path)
    assert folder.kind(path) is Kind.FILE


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("none.yaml", "file_missing"),
        ("a.yaml/b", "file_missing"),
        ("sub", "file_not_regular"),
        ("../secret.txt", "path_outside"),
        ("sub/../a.yaml", "path_outside"),
        ("/etc/passwd", "path_absolute"),
        ("", "path_empty"),
        ("./", "path_invalid"),
        ("a\0.yaml", "path_invalid"),
        ("sub\\b.py", "path_backslash"),
        ("\ud800.yaml", "path_invalid"),
        ("n" * 300, "file_unreadable"),
    ],
)
def test_a_path_that_is_no_file_inside_is_refused(folder: PluginFolder, path: str, code: str) -> None:
    assert problem_of(folder, path) == code


@pytest.mark.parametrize("target", ["../secret.txt", "../plugin-2/c.py", "/etc/passwd", "/dev/null"])
def test_a_link_that_leaves_the_folder_is_refused(folder: PluginFolder, target: str) -> None:
    (folder.root / "link").symlink_to(target)

    assert problem_of(folder, "link") == "path_symlink"


def test_a_linked_directory_that_leaves_the_folder_is_refused(folder: PluginFolder) -> None:
    (folder.root / "linked").symlink_to("../plugin-2")

    assert problem_of(folder, "linked/c.py") == "path_symlink"


def test_a_link_that_stays_inside_is_followed(folder: PluginFolder) -> None:
    (folder.root / "link").symlink_to("sub/b.py")
    (folder.root / "linked").symlink_to(folder.root / "sub")

    assert folder.read("link") == folder.read("linked/b.py") == b"b = 1"


def test_a_link_to_itself_or_to_nothing_is_refused(folder: PluginFolder) -> None:
    (folder.root / "loop").symlink_to("loop")
    (folder.root / "nothing").symlink_to("none.yaml")

    assert problem_of(folder, "loop") == "path_symlink"
    assert problem_of(folder, "nothing") == "file_missing"


def test_the_folder_itself_may_be_a_link(folder: PluginFolder, tmp_path: Path) -> None:
    (tmp_path / "here").symlink_to(folder.root)

    assert PluginFolder(tmp_path / "here").read("a.yaml") == b"a: 1"


def test_a_pipe_or_socket_is_refused_and_does_not_block(folder: PluginFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(folder.root / "pipe")
    monkeypatch.chdir(folder.root)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")

        assert problem_of(folder, "pipe") == "file_not_regular"
        assert problem_of(folder, "socket") == "file_not_regular"


def test_a_file_is_read_up_to_the_limit(folder: PluginFolder) -> None:
    (folder.root / "full").write_bytes(b"x" * MAX_FILE)
    (folder.root / "over").touch()
    os.truncate(folder.root / "over", MAX_FILE + 1)

    assert len(folder.read("full")) == MAX_FILE
    folder.check("over")
    with pytest.raises(FileProblem, match=str(MAX_FILE)) as refused:
        folder.read("over")
    assert refused.value.code == "file_too_large"


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may read everything, so be nobody for a moment."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(was)


def test_a_file_without_permission_is_refused() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        (root / "a.yaml").write_bytes(b"a: 1")
        (root / "a.yaml").chmod(0)

        with unprivileged():
            assert problem_of_unreadable(PluginFolder(root)) == "file_unreadable"


def problem_of_unreadable(folder: PluginFolder) -> str:
    with pytest.raises(FileProblem) as refused:
        folder.read("a.yaml")
    return refused.value.code


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    folder = PluginFolder(tmp_path / "none")

    assert problem_of(folder, "manifest.yaml") == "folder_missing"
    (error,) = read_plugin(folder).errors
    assert str(tmp_path / "none") in error.message


def test_nothing_stays_open(folder: PluginFolder) -> None:
    os.mkfifo(folder.root / "pipe")
    before = len(os.listdir("/proc/self/fd"))

    for path in ("a.yaml", "sub", "pipe", "none", "../secret.txt"):
        for attempt in (folder.read, folder.check):
            try:
                attempt(path)
            except FileProblem:
                continue

    assert len(os.listdir("/proc/self/fd")) == before


def test_a_whole_plugin_is_read_from_a_disk(tmp_path: Path) -> None:
    (tmp_path / "manifest.yaml").write_text("name: a\nversion: 0.1.0\nplugins: {endpoints: [g.yaml]}\n")
    (tmp_path / "g.yaml").write_text(
        "endpoints:\n- {path: /, method: GET, extra: {python: {source: good.py}}}\n"
        "- {path: /b, method: GET, extra: {python: {source: link.py}}}\n"
    )
    (tmp_path / "good.py").write_text("this is not even Python")
    (tmp_path / "link.py").symlink_to("/etc/passwd")

    refused = read_plugin(PluginFolder(tmp_path))
    (tmp_path / "link.py").unlink()
    (tmp_path / "link.py").write_text("")
    taken = read_plugin(PluginFolder(tmp_path))

    assert [(e.file, e.line, e.key, e.code) for e in refused.errors] == [
        ("g.yaml", 3, "endpoints[1].extra.python.source", "path_symlink")
    ]
    assert taken.plugin is not None
    assert taken.plugin.sources == ("good.py", "link.py")
