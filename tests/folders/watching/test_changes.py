"""The plugins directory, watched: by real events and by asking."""

import asyncio
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import endpointd.folders.watch
from endpointd.folders.watch import watch
from support.watched import WAIT_SECONDS, Watched, run, write

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
    monkeypatch.setattr(endpointd.folders.watch, "MANY", 20)

    async def body(watched: Watched) -> None:
        for number in range(500):
            (plugins / "duck" / f"{number}.py").touch()
        assert await watched.rescan() <= {"duck"}

    run(plugins, False, body)


def test_everything_is_compared_now_and_then(plugins: Path, poll: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpointd.folders.watch, "RESCAN_SECONDS", 0.2)

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


def move_environment_in(folder: Path) -> None:
    made = folder.parent / ".made"
    made.mkdir()
    (made / "pyvenv.cfg").touch()
    made.rename(folder / "myenv")
    (folder / "myenv" / "x.py").touch()


SILENT: dict[str, Callable[[Path], object]] = {
    "bytecode": compile_something,
    "environment": make_environment,
    "environment of any name": move_environment_in,
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
