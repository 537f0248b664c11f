"""A kernel or a file system that does not tell what changes."""

import os
from pathlib import Path
from unittest.mock import MagicMock, Mock

import pytest
import watchfiles

import endpointd.folders.watch
from endpointd.folders.filesystems import kind_of, tells_changes
from support.watched import Watched, run

# When the kernel does not tell


REFUSALS = [
    OSError('OS file watch limit reached. about ["/p"] (Error { kind: MaxFilesWatch })'),
    watchfiles._rust_notify.WatchfilesRustInternalError("Too many open files (os error 24)"),
    PermissionError('Permission denied (os error 13) about ["/p/x"]'),
]


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
def test_a_kernel_that_refuses_is_asked(
    error: Exception, plugins: Path, poll: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refusing = MagicMock()
    refusing.__iter__.side_effect = error
    monkeypatch.setattr("watchfiles.watch", lambda *_, **__: refusing)

    async def body(watched: Watched) -> None:
        (plugins / "duck" / "manifest.yaml").write_text("name: y")
        assert await watched.told("duck") == {"duck"}

    run(plugins, poll, body)
    assert capsys.readouterr().out.count("watch.polling") == (0 if poll else 1)


def test_a_kernel_that_has_refused_is_tried_again(
    plugins: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The limit may have been raised, or another program may have ended."""
    monkeypatch.setattr(endpointd.folders.watch, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(endpointd.folders.watch, "LISTEN_AGAIN", 0.1)
    monkeypatch.setattr(endpointd.folders.watch, "RESCAN_SECONDS", 0.3)
    refusing = MagicMock()
    refusing.__iter__.side_effect = REFUSALS[0]
    listen = watchfiles.watch
    begun = Mock(side_effect=[refusing, refusing])
    monkeypatch.setattr(
        "watchfiles.watch", lambda *args, **options: begun() if begun.call_count < 2 else listen(*args, **options)
    )

    async def body(watched: Watched) -> None:
        while "watch.listening" not in (text := capsys.readouterr().out):
            said.append(text)
            await watched.rescan()
        (plugins / "duck" / "manifest.yaml").write_text("name: y")
        assert await watched.told("duck") == {"duck"}

    said: list[str] = []
    run(plugins, None, body)
    assert "".join(said).count("watch.polling") == 1


def test_a_name_that_watchfiles_cannot_tell_is_no_reason_to_begin_anew_for_ever(
    plugins: Path, poll: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each look at such a folder would be an event that ends the watch, whose beginning is a look at everything."""

    async def body(watched: Watched) -> None:
        os.mkdir(os.path.join(os.fsencode(plugins), b"duck", b"\xff"))
        await (watched.heard("duck") if poll else watched.rescan())
        for text in ("y", "z"):
            (plugins / "neko" / "manifest.yaml").write_text(f"name: {text}")
            assert "neko" in await watched.told("neko")

    run(plugins, poll, body)
    said = capsys.readouterr().out
    assert said.count("watch.polling") == (0 if poll else 1)
    assert "watch.interrupted" not in said


MOUNTS = """\
22 27 0:21 / /proc rw,nosuid shared:5 - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 27 0:35 / /srv/my\\040plugins rw shared:20 - nfs4 host:/export rw,vers=4.2
41 27 0:36 / /mnt/c rw - 9p drvfs rw
42 41 0:37 / /mnt/c/local rw - tmpfs tmpfs rw
43 27 0:38 / /sshfs rw master:3 propagate_from:2 - fuse.sshfs me@host: rw
44 27 0:39 / /twice rw - nfs a:/ rw
45 27 0:40 / /twice rw - xfs /dev/b rw
this is no mount
"""


@pytest.mark.parametrize(
    ("path", "kind", "tells"),
    [
        ("/srv/plugins", "ext4", True),
        ("/", "ext4", True),
        ("/srv/my plugins", "nfs4", False),
        ("/srv/my plugins/duck", "nfs4", False),
        ("/srv/my plugins 2", "ext4", True),
        ("/mnt/c/plugins", "9p", False),
        ("/mnt/c/local/plugins", "tmpfs", True),
        ("/mnt/cc", "ext4", True),
        ("/sshfs/x", "fuse.sshfs", False),
        ("/twice/x", "xfs", True),
    ],
)
def test_file_systems(path: str, kind: str, tells: bool) -> None:
    assert kind_of(path, MOUNTS) == kind
    assert tells_changes(kind) is tells


def test_the_mounts_of_this_machine_are_understood() -> None:
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8")

    assert kind_of("/proc/self", mounts) == "proc"
    assert kind_of("/", mounts)
    assert kind_of("/", "") == ""


@pytest.mark.parametrize("kind", ["nfs", "ext4"])
def test_the_file_system_decides(kind: str, plugins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpointd.folders.watch, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(endpointd.folders.watch, "kind_of", lambda *_: kind)
    begun = Mock(side_effect=watchfiles.watch)
    monkeypatch.setattr("watchfiles.watch", begun)

    async def body(watched: Watched) -> None:
        (plugins / "duck" / "manifest.yaml").write_text("name: y")
        assert await watched.told("duck") == {"duck"}

    run(plugins, None, body)
    assert begun.called is (kind == "ext4")
