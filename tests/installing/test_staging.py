"""Archives, honest and hostile."""

import errno
import io
import os
import tarfile
from functools import partial
from pathlib import Path

import pytest

import endpointd.installing.staging
from endpointd.folders.digest import content_digest
from endpointd.folders.leftout import is_plugin_folder
from endpointd.installing.staging import StagingError, clean, pack, stage, unpack_archive
from endpointd.plugins.releases import FolderChanged, ReleaseError


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    return plugins


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work" / "duck"
    (folder / "endpoints" / "__pycache__").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "manifest.yaml").write_text("name: duck")
    (folder / "endpoints" / "duck.py").write_bytes(b"duck" * 100_000)
    (folder / "run.sh").write_text("#!/bin/sh")
    (folder / "run.sh").chmod(0o700)
    (folder / "link").symlink_to("endpoints/duck.py")
    (folder / "absolute").symlink_to(folder / "endpoints")
    (folder / ("ü" * 120)).touch()
    (folder / "endpoints" / "__pycache__" / "duck.pyc").touch()
    return folder


def packed(folder: Path) -> io.BytesIO:
    out = io.BytesIO()
    pack(folder, out)
    return io.BytesIO(out.getvalue())


def archive(*members: tuple[str, bytes, str]) -> io.BytesIO:
    """A tar of (path, kind, content or link's text)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path, kind, text in members:
            member = tarfile.TarInfo(path)
            member.type = kind
            if kind == tarfile.REGTYPE:
                member.size = len(text)
            else:
                member.linkname = text
            tar.addfile(member, io.BytesIO(text.encode()))
    return io.BytesIO(out.getvalue())


def unpack(source: io.BytesIO, plugins: Path) -> Path:
    return stage(plugins, partial(unpack_archive, source))[0]


def refusal(source: io.BytesIO, plugins: Path) -> StagingError:
    with pytest.raises(StagingError) as refused:
        unpack(source, plugins)
    assert os.listdir(plugins) == []
    assert os.listdir(plugins.parent) == ["plugins"]
    assert refused.value.remedy
    return refused.value


# Honest


def test_what_was_packed_is_unpacked(folder: Path, plugins: Path) -> None:
    staged = unpack(packed(folder), plugins)

    assert staged.parent == plugins
    assert not is_plugin_folder(staged.name)
    assert content_digest(staged) == content_digest(folder)
    assert not (staged / "endpoints" / "__pycache__").exists()
    assert (staged / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (staged / "manifest.yaml").stat().st_mode & 0o777 == 0o644
    assert os.readlink(staged / "absolute") == "endpoints"


def test_an_archive_names_nobody(folder: Path) -> None:
    with tarfile.open(fileobj=packed(folder)) as tar:
        assert {(one.uid, one.gid, one.uname, one.gname) for one in tar} == {(0, 0, "", "")}


def test_a_tar_that_others_made(plugins: Path) -> None:
    source = archive(("./", tarfile.DIRTYPE, ""), ("./a/b", tarfile.REGTYPE, "x"), ("./.git/HEAD", tarfile.REGTYPE, ""))

    staged = unpack(source, plugins)

    assert (staged / "a" / "b").read_text() == "x"
    assert os.listdir(staged) == ["a"]


def test_a_folder_with_a_link_that_leaves_it_is_not_packed(folder: Path) -> None:
    (folder / "away").symlink_to("/etc/passwd")

    with pytest.raises(ReleaseError, match="away"):
        pack(folder, io.BytesIO())


def test_a_file_that_shrinks_while_it_is_packed(folder: Path) -> None:
    class Out(io.BytesIO):
        def write(self, data: object) -> int:
            os.truncate(folder / "endpoints" / "duck.py", 10)
            return super().write(data)  # type: ignore[arg-type]

    with pytest.raises(FolderChanged):
        pack(folder, Out())


# Hostile


@pytest.mark.parametrize("path", ["/tmp/evil", "../evil", "a/../../evil", "a/..", "//evil"])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE])
def test_a_path_that_leaves_is_refused(path: str, kind: bytes, plugins: Path) -> None:
    error = refusal(archive(("fine", tarfile.REGTYPE, "x"), (path, kind, "x")), plugins)

    assert error.code == "archive_unsafe"
    assert repr(path) in error.message


@pytest.mark.parametrize("text", ["/etc/passwd", "../evil", "a/../../evil", "..", "a/.."])
def test_a_link_that_leaves_is_refused(text: str, plugins: Path) -> None:
    assert refusal(archive(("link", tarfile.SYMTYPE, text)), plugins).code == "archive_unsafe"


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_what_is_neither_file_folder_nor_link_is_refused(kind: bytes, plugins: Path) -> None:
    assert refusal(archive(("x", kind, "/etc/passwd")), plugins).code == "archive_unsafe"


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.SYMTYPE])
@pytest.mark.parametrize("is_first", [True, False])
def test_nothing_is_put_below_a_link(kind: bytes, is_first: bool, plugins: Path) -> None:
    link, below = ("a", tarfile.SYMTYPE, "."), ("a/b", kind, "../evil")

    assert refusal(archive(*((link, below) if is_first else (below, link))), plugins).code == "archive_unsafe"


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE])
def test_nothing_is_there_twice(kind: bytes, plugins: Path) -> None:
    error = refusal(archive(("a", tarfile.REGTYPE, "x"), ("a", kind, "y")), plugins)

    assert (error.code, error.message) == ("archive_unsafe", "'a' in the archive is there twice")


def test_a_privileged_mode_is_not_taken_over(plugins: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        member = tarfile.TarInfo("x")
        member.mode = 0o6777
        tar.addfile(member)

    staged = unpack(io.BytesIO(out.getvalue()), plugins)

    assert (staged / "x").stat().st_mode & 0o7777 == 0o755
    assert (staged / "x").stat().st_uid == os.geteuid()


@pytest.mark.parametrize(("limit", "value"), [("MAX_FILES", 2), ("MAX_BYTES", 5)])
def test_limits(limit: str, value: int, plugins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpointd.installing.staging, limit, value)
    source = archive(*((name, tarfile.REGTYPE, "xx") for name in "abc"))

    assert refusal(source, plugins).code == "archive_too_large"


@pytest.mark.parametrize("data", [b"", b"PK\3\4" + b"x" * 2000, b"\x1f\x8b" + b"x" * 2000, b"\0" * 100])
def test_what_is_no_tar_is_refused(data: bytes, plugins: Path) -> None:
    assert refusal(io.BytesIO(data), plugins).code == "archive_invalid"


def test_an_archive_that_is_cut_anywhere_is_refused(plugins: Path) -> None:
    whole = archive(
        ("a", tarfile.REGTYPE, "x" * 600), ("b", tarfile.SYMTYPE, "a"), ("c", tarfile.DIRTYPE, "")
    ).getvalue()
    end = len(whole.rstrip(b"\0"))
    # tarfile pads to 10 KiB; two blocks of zeros are the end.
    for size in range(0, end, 128):
        assert refusal(io.BytesIO(whole[:size]), plugins).code == "archive_invalid", size


def test_a_full_disk(plugins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("shutil.copyfileobj", fail)

    assert refusal(archive(("a", tarfile.REGTYPE, "x")), plugins).code == "archive_disk_full"


# The end


def test_what_a_killed_daemon_has_left_is_removed(plugins: Path, folder: Path) -> None:
    (plugins / "duck").mkdir()
    unpack(archive(("version", tarfile.REGTYPE, "2")), plugins)
    (plugins / ".staging-link").symlink_to(folder)

    clean(plugins)
    clean(plugins / "none")

    assert os.listdir(plugins) == ["duck"]
    assert folder.is_dir()
