"""Releases on a real disk: what is in them, what is not, and what becomes of them when something goes wrong."""

import errno
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

import endpointd.folders.tree
import endpointd.plugins.releases
from endpointd.folders.digest import content_digest, digest_of, signature
from endpointd.folders.leftout import is_left_out, is_plugin_folder
from endpointd.folders.tree import pieces, survey
from endpointd.plugins.releases import FolderChanged, Release, ReleaseError, Releases
from support.folders import CHANGES, write_folder

ID = "test/duck"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path)


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    return Releases(tmp_path / "state" / "releases")


def everything(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def hidden(tmp_path: Path) -> list[str]:
    root = tmp_path / "state" / "releases"
    return [name for name in os.listdir(root) if name.startswith(".")] if root.is_dir() else []


# What is copied


def test_a_release_is_the_folder(folder: Path, releases: Releases) -> None:
    release = releases.make(folder, ID)

    assert release.plugin_id == ID
    assert release.path.name == release.digest == content_digest(folder) == content_digest(release.path)
    assert len(release.digest) == 16
    assert everything(release.path) == everything(folder)
    assert (release.path / "endpoints" / "duck.py").read_text() == "duck = 1"
    assert (release.path / "run.sh").stat().st_mode & 0o777 == 0o750
    assert os.readlink(release.path / "link") == "endpoints/duck.py"


def test_bytecode_is_valid_in_a_release(folder: Path, releases: Releases) -> None:
    release = releases.make(folder, ID)

    times = [(root / "endpoints" / "duck.py").stat().st_mtime_ns for root in (folder, release.path)]
    assert times[0] == times[1]


def test_a_release_does_not_change_with_the_folder(folder: Path, releases: Releases) -> None:
    release = releases.make(folder, ID)
    with (folder / "endpoints" / "duck.py").open("r+") as file:
        file.write("fish")

    assert (release.path / "endpoints" / "duck.py").read_text() == "duck = 1"
    assert releases.make(folder, ID).digest != release.digest


def test_the_same_content_is_the_same_release(folder: Path, releases: Releases, tmp_path: Path) -> None:
    first = releases.make(folder, ID)
    inode = first.path.stat().st_ino
    other = tmp_path / "elsewhere"
    shutil.copytree(folder, other, symlinks=True)
    (other / "manifest.yaml").touch()

    assert releases.make(other, ID) == first
    assert first.path.stat().st_ino == inode
    assert hidden(tmp_path) == []


def test_what_is_there_is_not_copied_again(folder: Path, releases: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    first = releases.make(folder, ID)
    monkeypatch.delattr("endpointd.plugins.releases._copy")

    assert releases.make(folder, ID) == first


def test_a_file_that_grows_has_an_end(folder: Path) -> None:
    (item,) = (item for item in survey(folder) if item.path == "manifest.yaml")
    with (folder / "manifest.yaml").open("a") as file:
        file.write(" and more")

    assert b"".join(pieces(folder, item)) == b"name: duck"


def test_the_folder_itself_may_be_a_link(folder: Path, releases: Releases, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)

    assert releases.make(tmp_path / "link", ID) == releases.make(folder, ID)


OUT = ["__pycache__/a.pyc", ".git/HEAD", ".hg/x", ".svn/x", ".venv/x", "venv/pyvenv.cfg", ".mypy_cache/x"]
OUT += [".pytest_cache/x", ".ruff_cache/x", "a.py~", ".a.py.swp", ".a.py.swo", ".#a.py", "#a.py#", "x.tmp", "4913"]
OUT += [".DS_Store", "endpoints/x.pyc", "endpoints/__pycache__/x", ".nfs00000001", ".fuse_hidden0001"]
OUT += ["myenv/pyvenv.cfg"]


@pytest.mark.parametrize("path", OUT)
def test_what_is_no_part_of_the_plugin_is_left_out(path: str, folder: Path, releases: Releases) -> None:
    digest, sign = content_digest(folder), signature(folder)
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).write_text("x")

    assert content_digest(folder) == digest
    assert signature(folder) == sign
    assert Path(path).parts[-1] not in {Path(name).name for name in everything(releases.make(folder, ID).path)}


@pytest.mark.parametrize("path", ["node_modules/a.js", "venv/a.py", ".env", "a.swp.py", "x.template", ".gitignore"])
def test_everything_else_is_copied(path: str, folder: Path, releases: Releases) -> None:
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).write_text("x")

    assert (releases.make(folder, ID).path / path).read_text() == "x"


def test_names_of_plugin_folders() -> None:
    assert is_plugin_folder("duck")
    assert not any(is_plugin_folder(name) for name in (".staging-1", "__pycache__"))
    assert not is_left_out("manifest.yaml")


def test_pipes_and_sockets_are_left_out(folder: Path, releases: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = content_digest(folder)
    os.mkfifo(folder / "pipe")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")

    assert content_digest(folder) == digest
    assert not {"pipe", "socket"} & everything(releases.make(folder, ID).path)


def test_names_that_are_not_unicode(folder: Path, releases: Releases) -> None:
    with open(os.path.join(os.fsencode(folder), b"\xff"), "w"):
        pass

    assert os.fsdecode(b"\xff") in os.listdir(releases.make(folder, ID).path)


# Links


@pytest.mark.parametrize("text", ["../../secret", "/etc/passwd", "../empty/../../duck-2"])
def test_a_link_that_leaves_the_folder_is_refused(text: str, folder: Path, releases: Releases, tmp_path: Path) -> None:
    (folder / "endpoints" / "away").symlink_to(text)

    with pytest.raises(ReleaseError) as refused:
        releases.make(folder, ID)
    assert refused.value.code == "release_link_outside"
    assert "'endpoints/away'" in refused.value.message
    assert hidden(tmp_path) == []
    with pytest.raises(ReleaseError):
        content_digest(folder)


@pytest.mark.parametrize("text", ["{folder}/run.sh", "../../duck/run.sh", "../link2/../run.sh", "../run.sh"])
def test_a_link_inside_leads_into_the_release(text: str, folder: Path, releases: Releases) -> None:
    (folder / "link2").symlink_to("empty")
    (folder / "endpoints" / "here").symlink_to(text.format(folder=folder))

    release = releases.make(folder, ID)

    assert os.path.realpath(release.path / "endpoints" / "here") == str(release.path / "run.sh")
    assert content_digest(release.path) == release.digest


# What goes wrong


def when_copied(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Do something when the folder has been copied, and not been looked at again."""
    real = endpointd.plugins.releases._copy

    def copy(*args: object) -> None:
        real(*args)  # type: ignore[arg-type]
        do()

    monkeypatch.setattr("endpointd.plugins.releases._copy", copy)


@pytest.mark.parametrize("change", CHANGES)
def test_a_folder_that_changes_meanwhile_is_no_release(
    change: str, folder: Path, releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    when_copied(monkeypatch, lambda: CHANGES[change](folder))

    with pytest.raises(FolderChanged):
        releases.make(folder, ID)
    assert hidden(tmp_path) == []
    assert releases.previous(ID) == []


def test_a_file_that_is_reached_by_another_way_now_is_not_read(folder: Path, tmp_path: Path) -> None:
    """A folder that becomes a link between a look and a read must not lead the daemon, who may be root, elsewhere."""
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "shadow").write_text("decoy")
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "shadow").write_text("secret")
    items = survey(folder)
    (folder / "data").rename(tmp_path / "aside")
    (folder / "data").symlink_to(tmp_path / "private")

    with pytest.raises(FolderChanged):
        digest_of(folder, items)


def test_a_folder_that_vanishes_has_changed(folder: Path, releases: Releases) -> None:
    shutil.rmtree(folder)

    with pytest.raises(FolderChanged):
        releases.make(folder, ID)


def test_what_was_copied_is_what_the_digest_says(
    folder: Path, releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil() -> None:
        (new,) = (tmp_path / "state" / "releases").glob(".new-*")
        (new / "manifest.yaml").write_text("")

    when_copied(monkeypatch, spoil)

    with pytest.raises(FolderChanged):
        releases.make(folder, ID)


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, "release_disk_full"), (errno.EACCES, "release_not_written")]
)
def test_a_disk_that_does_not_take_it(
    number: int, code: str, folder: Path, releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OSError(number, os.strerror(number))

    when_copied(monkeypatch, fail)

    with pytest.raises(ReleaseError) as refused:
        releases.make(folder, ID)
    assert refused.value.code == code
    assert os.strerror(number) in refused.value.message
    assert hidden(tmp_path) == []


def test_a_file_that_cannot_be_read_is_named(folder: Path, releases: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def refuse(path: str | Path, *args: int, **kwargs: int) -> int:
        if str(path).endswith("duck.py"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr("os.open", refuse)

    with pytest.raises(ReleaseError, match=r"duck\.py") as refused:
        releases.make(folder, ID)
    assert refused.value.code == "release_unreadable"


@pytest.mark.parametrize(("limit", "value"), [("MAX_FILES", 6), ("MAX_BYTES", 20)])
def test_limits(limit: str, value: int, folder: Path, releases: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpointd.folders.tree, limit, value)
    releases.make(folder, ID) if limit == "MAX_FILES" else None
    (folder / "one-more").write_text("x" * 20)

    with pytest.raises(ReleaseError) as refused:
        releases.make(folder, ID)
    assert refused.value.code == "release_too_large"


# Which there are


def three(folder: Path, releases: Releases) -> list[Release]:
    made = []
    for version in range(3):
        (folder / "manifest.yaml").write_text(f"version: {version}")
        made.append(releases.make(folder, ID))
    return made


def test_the_one_that_served_last_comes_first(folder: Path, releases: Releases) -> None:
    first, second, never = three(folder, releases)
    releases.touch(first)
    releases.touch(second)
    assert releases.previous(ID) == [second, first, never]
    releases.touch(first)
    assert releases.previous(ID) == [first, second, never]
    # Whatever a worker writes into its release.
    (second.path / "__pycache__").mkdir()
    assert releases.previous(ID) == [first, second, never]


def test_a_clock_that_was_set_back_does_not_change_the_order(
    folder: Path, releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, _ = three(folder, releases)
    releases.touch(first)
    monkeypatch.setattr("time.time_ns", lambda: 1)
    releases.touch(second)

    assert releases.previous(ID)[0] == second


def test_pruning_keeps_what_is_used_and_the_latest(folder: Path, releases: Releases) -> None:
    first, second, third = three(folder, releases)
    for release in (first, second, third):
        releases.touch(release)

    releases.prune(ID, 1, {first.digest})

    assert releases.previous(ID) == [third, first]
    assert len(os.listdir(first.path.parent)) == 4


def test_plugins_do_not_share_releases(folder: Path, releases: Releases) -> None:
    ids = ["duck", "test/duck", "test-/duck", "test/-duck", "test--duck"]
    assert len({releases.make(folder, name).path for name in ids}) == len(ids)
    releases.remove_all("test/duck")

    assert releases.previous("test/duck") == []
    assert all(releases.previous(name) for name in ids if name != "test/duck")


def test_what_is_not_there_needs_no_removing(releases: Releases, tmp_path: Path) -> None:
    releases.clean()
    releases.remove_all(ID)
    releases.prune(ID, 0, ())

    assert releases.previous(ID) == []
    assert not (tmp_path / "state").exists()


def test_what_a_killed_daemon_has_left_is_removed(folder: Path, releases: Releases, tmp_path: Path) -> None:
    release = releases.make(folder, ID)
    for name in (".new-1", ".old-1"):
        shutil.copytree(folder, tmp_path / "state" / "releases" / name)

    releases.clean()

    assert hidden(tmp_path) == []
    assert releases.previous(ID) == [release]


def test_nothing_stays_open(folder: Path, releases: Releases) -> None:
    before = len(os.listdir("/proc/self/fd"))
    releases.make(folder, ID)

    assert len(os.listdir("/proc/self/fd")) == before
