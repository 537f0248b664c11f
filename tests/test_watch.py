"""The plugins directory, watched: by real events and by asking."""

import asyncio
import os
import shutil
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, Mock

import pytest
import watchfiles

import endpointd.watch
from endpointd.filesystems import kind_of, tells_changes
from endpointd.plugin_paths import sharing
from endpointd.watch import RESCAN, News, watch

WAIT_SECONDS = 20.0


class Watched:
    """What was told since the last question."""

    def __init__(self, directory: Path, news: AsyncIterator[News]) -> None:
        self.directory = directory
        self._news = news
        self._fence = 0
        self._rescans = 0

    async def next(self) -> News:
        async with asyncio.timeout(WAIT_SECONDS):
            news = await anext(self._news)
        self._rescans += news is RESCAN
        return news

    async def begun(self, times: int) -> None:
        """Wait until changes are noticed for the `times`th time, if they have not been yet."""
        while self._rescans < times:
            await self.next()

    async def rescan(self) -> set[str]:
        """Wait for the next `RESCAN`; the names that were told before."""
        names: set[str] = set()
        while (news := await self.next()) is not RESCAN:
            names |= news
        return names

    async def heard(self, *expected: str) -> set[str]:
        """All names until `expected` were told."""
        names: set[str] = set()
        while not set(expected) <= names:
            news = await self.next()
            names |= set() if news is RESCAN else news
        return names

    async def told(self, *expected: str) -> set[str]:
        """All names until `expected` were told, and everything that happened before."""
        return await self.heard(*expected) | await self.before_now()

    async def before_now(self) -> set[str]:
        """The names that are told for what has happened up to now: a fence is made, and waited for."""
        self._fence += 1
        fence = f"fence-{self._fence}"
        (self.directory / fence).mkdir()
        names: set[str] = set()
        while fence not in names:
            news = await self.next()
            names |= set() if news is RESCAN else news
        return {name for name in names if not name.startswith("fence-")}


@asynccontextmanager
async def watching(directory: Path, poll: bool | None = None) -> AsyncIterator[Watched]:
    stop = asyncio.Event()
    news = watch(directory, poll, stop)
    watched = Watched(directory, news)
    try:
        assert await watched.rescan() == set()
        yield watched
    finally:
        stop.set()
        async with asyncio.timeout(WAIT_SECONDS):
            async for _ in news:
                pass
        assert "watch" not in {thread.name for thread in threading.enumerate()}


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    write(tmp_path / "plugins" / "duck")
    write(tmp_path / "plugins" / "neko")
    return tmp_path / "plugins"


@pytest.fixture(params=[False, True], ids=["events", "asking"])
def poll(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(endpointd.watch, "LOOK_SECONDS", 0.1)
    return bool(request.param)


def write(folder: Path, text: str = "name: x") -> Path:
    (folder / "endpoints").mkdir(parents=True, exist_ok=True)
    (folder / "manifest.yaml").write_text(text)
    (folder / "endpoints" / "a.py").write_text("a = 1")
    return folder


def run(plugins: Path, poll: bool | None, body: Callable[[Watched], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with watching(plugins, poll) as watched:
            await body(watched)

    asyncio.run(whole())


# Every change is told, with the folder's name and no other


def save_as_vim_does(folder: Path) -> None:
    (folder / "4913").touch()
    (folder / "4913").unlink()
    (folder / ".manifest.yaml.swp").write_text("x")
    (folder / "manifest.yaml").rename(folder / "manifest.yaml~")
    (folder / "manifest.yaml").write_text("name: y")
    (folder / "manifest.yaml~").unlink()
    (folder / ".manifest.yaml.swp").unlink()


def save_by_renaming(folder: Path) -> None:
    (folder / "manifest.yaml.tmp").write_text("name: y")
    (folder / "manifest.yaml.tmp").replace(folder / "manifest.yaml")


def deep(folder: Path) -> None:
    (folder / "a" / "b" / "c").mkdir(parents=True)
    (folder / "a" / "b" / "c" / "d.py").write_text("x")


CHANGES: dict[str, Callable[[Path], object]] = {
    "written": lambda folder: (folder / "endpoints" / "a.py").write_text("a = 2"),
    "added": lambda folder: (folder / "b.py").touch(),
    "removed": lambda folder: (folder / "manifest.yaml").unlink(),
    "executable": lambda folder: (folder / "manifest.yaml").chmod(0o755),
    "vim": save_as_vim_does,
    "renamed over": save_by_renaming,
    "deep": deep,
    "gone": shutil.rmtree,
    "moved away": lambda folder: folder.rename(folder.parents[1] / "away"),
    "link inside": lambda folder: (folder / "link").symlink_to("manifest.yaml"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_told_by_the_folders_name(change: str, plugins: Path, poll: bool) -> None:
    async def body(watched: Watched) -> None:
        CHANGES[change](plugins / "duck")
        assert await watched.told("duck") == {"duck"}

    run(plugins, poll, body)


def test_a_folder_that_is_copied_in_and_changed_later(plugins: Path, poll: bool, tmp_path: Path) -> None:
    source = write(tmp_path / "source")
    deep(source)

    async def body(watched: Watched) -> None:
        shutil.copytree(source, plugins / "new")
        assert await watched.told("new") == {"new"}
        (plugins / "new" / "a" / "b" / "c" / "d.py").write_text("yy")
        assert await watched.told("new") == {"new"}

    run(plugins, poll, body)


def test_both_names_of_a_renamed_folder(plugins: Path, poll: bool) -> None:
    async def body(watched: Watched) -> None:
        (plugins / "duck").rename(plugins / "goose")
        assert await watched.told("duck", "goose") == {"duck", "goose"}
        (plugins / "goose" / "manifest.yaml").write_text("name: goose")
        assert await watched.told("goose") == {"goose"}

    run(plugins, poll, body)


def test_many_files_at_once(plugins: Path, poll: bool) -> None:
    async def body(watched: Watched) -> None:
        for number in range(500):
            (plugins / "duck" / f"{number}.py").write_text("x")
            (plugins / "neko" / f"{number}.py").write_text("x")
        assert await watched.told("duck", "neko") == {"duck", "neko"}

    run(plugins, poll, body)


def test_after_very_many_events_everything_is_compared(plugins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpointd.watch, "MANY", 20)

    async def body(watched: Watched) -> None:
        for number in range(500):
            (plugins / "duck" / f"{number}.py").touch()
        assert await watched.rescan() <= {"duck"}

    run(plugins, False, body)


def test_everything_is_compared_now_and_then(plugins: Path, poll: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpointd.watch, "RESCAN_SECONDS", 0.2)

    async def body(watched: Watched) -> None:
        for _ in range(3):
            assert await watched.rescan() == set()

    run(plugins, poll, body)


# What is no change


def compile_something(folder: Path) -> None:
    (folder / "endpoints" / "__pycache__").mkdir()
    (folder / "endpoints" / "__pycache__" / "a.cpython-311.pyc").write_text("x")


def make_environment(folder: Path) -> None:
    (folder / ".venv" / "lib").mkdir(parents=True)
    (folder / ".venv" / "lib" / "x.py").touch()


SILENT: dict[str, Callable[[Path], object]] = {
    "bytecode": compile_something,
    "environment": make_environment,
    "swap file": lambda folder: (folder / ".manifest.yaml.swp").write_text("x"),
    "reading": lambda folder: (folder / "manifest.yaml").read_text(),
    "mode of a folder": lambda folder: (folder / "endpoints").chmod(0o700),
    "hidden folder": lambda folder: write(folder.parent / ".staging-1"),
    "private folder": lambda folder: write(folder.parent / "__pycache__"),
    "file beside": lambda folder: (folder.parent / "README").write_text("x"),
}


@pytest.mark.parametrize("what", SILENT)
def test_what_is_no_part_of_a_plugin_is_silent(what: str, plugins: Path, poll: bool) -> None:
    async def body(watched: Watched) -> None:
        SILENT[what](plugins / "duck")
        assert await watched.before_now() == set()

    run(plugins, poll, body)


# Links


def test_a_change_behind_a_link(plugins: Path, poll: bool, tmp_path: Path) -> None:
    target = write(tmp_path / "work" / "v1")
    (plugins / "linked").symlink_to(target)

    async def body(watched: Watched) -> None:
        (target / "manifest.yaml").write_text("name: y")
        assert await watched.told("linked") == {"linked"}

    run(plugins, poll, body)


def test_a_change_behind_a_link_that_is_new(plugins: Path, poll: bool, tmp_path: Path) -> None:
    target = write(tmp_path / "work" / "v1")

    async def body(watched: Watched) -> None:
        (plugins / "linked").symlink_to(target)
        await watched.heard("linked")
        await watched.begun(1 if poll else 2)
        (target / "endpoints" / "a.py").write_text("a = 3")
        assert await watched.told("linked") == {"linked"}

    run(plugins, poll, body)


@pytest.mark.parametrize("is_direct", [True, False])
def test_a_link_that_is_pointed_elsewhere(is_direct: bool, plugins: Path, poll: bool, tmp_path: Path) -> None:
    old, new = write(tmp_path / "work" / "v1"), write(tmp_path / "work" / "v2")
    link = plugins / "linked" if is_direct else tmp_path / "work" / "current"
    link.symlink_to(old)
    if not is_direct:
        (plugins / "linked").symlink_to(link)

    async def body(watched: Watched) -> None:
        (tmp_path / "next").symlink_to(new)
        (tmp_path / "next").replace(link)
        assert await watched.heard("linked") == {"linked"}
        await watched.begun(1 if poll else 2)
        (new / "manifest.yaml").write_text("name: y")
        assert await watched.told("linked") == {"linked"}

    run(plugins, poll, body)


def test_a_link_to_another_plugins_folder(plugins: Path, poll: bool) -> None:
    (plugins / "current").symlink_to("duck")

    async def body(watched: Watched) -> None:
        (plugins / "duck" / "manifest.yaml").write_text("name: y")
        assert await watched.told("duck", "current") == {"duck", "current"}

    run(plugins, poll, body)


def test_a_link_that_leads_away_is_not_followed(
    plugins: Path, poll: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (plugins / "duck" / "away").symlink_to(write(tmp_path / "large"))
    begun = Mock(side_effect=watchfiles.watch)
    monkeypatch.setattr("watchfiles.watch", begun)

    async def body(watched: Watched) -> None:
        (plugins / "neko" / "manifest.yaml").write_text("name: y")
        assert await watched.told("neko") == {"neko"}
        assert not begun.called
        (plugins / "duck" / "away").unlink()
        if poll:
            assert await watched.heard("duck") == {"duck"}
        else:
            # It is told by name, or by the rescan with which the watch begins: the link may go in between.
            await watched.begun(2)
        assert begun.called is not poll

    run(plugins, poll, body)


def test_folders_that_share_files() -> None:
    links = {"current": "/p/v2", "inner": "/p/v2/sub", "far": "/srv/x", "other": "/srv/x"}

    assert sharing("/p", {"v2"}, links) == {"v2", "current", "inner"}
    assert sharing("/p", {"current"}, links) == {"v2", "current", "inner"}
    assert sharing("/p", {"far"}, links) == {"far", "other"}
    assert sharing("/p", {"v20"}, links) == {"v20"}


# The directory itself


@pytest.mark.parametrize("how", ["moved", "removed"])
def test_the_directory_vanishes_and_comes_back(how: str, plugins: Path, poll: bool, tmp_path: Path) -> None:
    async def body(watched: Watched) -> None:
        os.rename(plugins, tmp_path / "away") if how == "moved" else shutil.rmtree(plugins)
        await watched.rescan()
        (tmp_path / "away").rename(plugins) if how == "moved" else write(plugins / "duck")
        await watched.rescan()
        (plugins / "duck" / "manifest.yaml").write_text("name: again")
        assert await watched.told("duck") == {"duck"}

    run(plugins, poll, body)


def test_another_directory_takes_its_place_at_once(plugins: Path, tmp_path: Path) -> None:
    write(tmp_path / "next" / "goose")

    async def body(watched: Watched) -> None:
        os.rename(plugins, tmp_path / "away")
        os.rename(tmp_path / "next", plugins)
        await watched.rescan()
        (plugins / "goose" / "manifest.yaml").write_text("name: y")
        assert await watched.told("goose") == {"goose"}

    run(plugins, False, body)


def test_the_directory_is_a_link_that_is_pointed_elsewhere(plugins: Path, poll: bool, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write(other / "goose")
    (tmp_path / "link").symlink_to(plugins)

    async def body(watched: Watched) -> None:
        (tmp_path / "next").symlink_to(other)
        (tmp_path / "next").replace(tmp_path / "link")
        await watched.rescan()
        (other / "goose" / "manifest.yaml").write_text("name: y")
        assert await watched.told("goose") == {"goose"}

    run(tmp_path / "link", poll, body)


def test_the_directory_may_come_later(tmp_path: Path, poll: bool) -> None:
    async def body(watched: Watched) -> None:
        write(watched.directory / "duck")
        await watched.rescan()
        (watched.directory / "duck" / "manifest.yaml").write_text("name: y")
        assert await watched.told("duck") == {"duck"}

    run(tmp_path / "plugins", poll, body)


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
    monkeypatch.setattr(endpointd.watch, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(endpointd.watch, "LISTEN_AGAIN", 0.1)
    monkeypatch.setattr(endpointd.watch, "RESCAN_SECONDS", 0.3)
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
    monkeypatch.setattr(endpointd.watch, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(endpointd.watch, "kind_of", lambda *_: kind)
    begun = Mock(side_effect=watchfiles.watch)
    monkeypatch.setattr("watchfiles.watch", begun)

    async def body(watched: Watched) -> None:
        (plugins / "duck" / "manifest.yaml").write_text("name: y")
        assert await watched.told("duck") == {"duck"}

    run(plugins, None, body)
    assert begun.called is (kind == "ext4")


# The end


def test_a_cancelled_watch_leaves_nothing(plugins: Path, poll: bool) -> None:
    async def listen(begun: asyncio.Event) -> None:
        async for _ in watch(plugins, poll):
            begun.set()

    async def whole() -> None:
        begun = asyncio.Event()
        task = asyncio.create_task(listen(begun))
        async with asyncio.timeout(WAIT_SECONDS):
            await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    before = len(os.listdir("/proc/self/fd"))
    asyncio.run(whole())

    assert "watch" not in {thread.name for thread in threading.enumerate()}
    # The threads of watchfiles close their descriptors when they end, which nobody waits for.
    deadline = time.monotonic() + WAIT_SECONDS
    while len(os.listdir("/proc/self/fd")) > before and time.monotonic() < deadline:
        os.sched_yield()
    assert len(os.listdir("/proc/self/fd")) <= before
