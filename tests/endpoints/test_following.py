"""A file that declares endpoints, and a daemon that keeps to it: what is noticed, what is told, and how often."""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from endpointd.endpoints import following
from endpointd.endpoints.declaration import Declaration, load
from endpointd.endpoints.declared import Declared
from endpointd.endpoints.errors import EndpointInvalid
from endpointd.endpoints.following import FileFollower
from endpointd.endpoints.views import AppliedView, PlannedView
from endpointd.errors import OperatorError
from endpointd.manifest.values import Fault

ONE = "endpoints:\n  - {plugin: acme/greeter, name: One, settings: {token: {file: token}}}\n"
EVENTS = ("endpoints.refused", "endpoints.applied")


class Registry:
    """Notes what it was given to do, and refuses with `error`."""

    def __init__(self) -> None:
        self.declared: list[Sequence[Declared]] = []
        self.error: OperatorError | None = None

    async def declare(self, declared: Sequence[Declared], *, dry_run: bool) -> AppliedView:
        if self.error is not None:
            raise self.error
        if not dry_run:
            self.declared.append(declared)
        return AppliedView(False, tuple(PlannedView(None, None, one.plugin, one.name) for one in declared), (), (), ())


class Place:
    """The file, who follows it, and what was told."""

    def __init__(self, root: Path) -> None:
        self.file = root / "endpoints.yaml"
        self.token = root / "token"
        self.registry = Registry()
        self.looked = asyncio.Event()
        self.is_growing = False
        self.events: list[MutableMapping[str, Any]] = []
        self.file.write_text(ONE)
        self.token.write_text("secret")

    @property
    def tokens(self) -> list[object]:
        return [one.settings["token"] for declared in self.registry.declared for one in declared]

    @property
    def told(self) -> list[object]:
        return [event["event"] for event in self.events if event["event"] in EVENTS]

    async def comes(self, condition: Callable[[], bool]) -> None:
        """Wait until it does, from look to look."""
        while not condition():
            await self.looks(1)

    async def looks(self, times: int = 4) -> None:
        """Wait for so many looks of the follower."""
        async with asyncio.timeout(10):
            for _ in range(times):
                self.looked.clear()
                await self.looked.wait()


class Watched(FileFollower):
    """Tells when it has looked, and lets the file grow between two looks if it does."""

    place: Place

    async def _look(self) -> following.Seen:
        seen = await super()._look()
        if self.place.is_growing:
            with self.place.file.open("a") as file:
                file.write("# more\n")
        self.place.looked.set()
        return seen


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(following, "LOOK", 0.01)
    return Place(tmp_path)


@pytest.fixture
def follow(place: Place) -> Iterator[Callable[..., None]]:
    """Plays a scenario while the file is followed; it is awaited after the file was applied for the first time."""
    with capture_logs() as place.events:

        def play(scenario: Callable[[], object]) -> None:
            async def main() -> None:
                follower = Watched(place.file, place.registry, {})
                follower.place = place
                await follower.begin()
                running = asyncio.create_task(follower.run())
                try:
                    await scenario()  # type: ignore[misc]
                finally:
                    running.cancel()

            asyncio.run(main())

        yield play


Follow = Callable[[Callable[[], object]], None]


def test_it_is_applied_once_and_again_when_it_or_what_it_refers_to_changes(place: Place, follow: Follow) -> None:
    async def scenario() -> None:
        await place.looks()
        assert place.tokens == ["secret"]
        new = place.token.with_name("new")
        new.write_text("another")
        os.replace(new, place.token)
        await place.comes(lambda: place.tokens == ["secret", "another"])
        place.file.write_text("endpoints: []\n")
        await place.comes(lambda: len(place.registry.declared) == 3)
        await place.looks()
        assert len(place.registry.declared) == 3

    follow(scenario)
    assert place.told[:2] == ["endpoints.applied", "endpoints.applied"]


def test_a_file_that_is_still_being_written_is_left_until_it_rests(place: Place, follow: Follow) -> None:
    async def scenario() -> None:
        place.is_growing = True
        await place.looks(10)
        assert len(place.registry.declared) == 1
        place.is_growing = False
        await place.comes(lambda: len(place.registry.declared) == 2)

    follow(scenario)


def test_what_is_wrong_is_told_once_with_its_line_and_mended_by_itself(place: Place, follow: Follow) -> None:
    place.token.unlink()

    async def scenario() -> None:
        await place.looks()
        assert place.registry.declared == []
        assert place.told == ["endpoints.refused"]
        place.token.write_text("there")
        await place.comes(lambda: place.tokens == ["there"])

    follow(scenario)
    assert place.told == ["endpoints.refused", "endpoints.applied"]
    assert f"{place.file}:2: endpoints[0].settings.token: " in str(place.events)


def test_what_the_daemon_refuses_is_tried_again_until_its_plugin_is_there(place: Place, follow: Follow) -> None:
    fault = Fault("endpoints[0].plugin", "plugin_unknown", "there is no plugin", "install it")
    place.registry.error = EndpointInvalid([fault])

    async def scenario() -> None:
        await place.looks()
        assert place.told == ["endpoints.refused"]
        place.registry.error = None
        await place.comes(lambda: place.tokens == ["secret"])

    follow(scenario)
    assert ":2: endpoints[0].plugin: there is no plugin" in str(place.events)


def test_what_is_wrong_in_the_file_hides_nothing_that_the_daemon_refuses(place: Place, follow: Follow) -> None:
    place.token.unlink()
    place.registry.error = EndpointInvalid([Fault("endpoints[0].hook_id", "hook_id_taken", "it is taken", "choose")])

    async def scenario() -> None:
        await place.looks()
        place.registry.error = None
        await place.comes(lambda: len(place.told) == 2)
        place.token.write_text("there")
        await place.comes(lambda: place.tokens == ["there"])

    follow(scenario)
    assert place.told == ["endpoints.refused", "endpoints.refused", "endpoints.applied"]
    assert [len(event["faults"]) for event in place.events if event["event"] == "endpoints.refused"] == [2, 1]


def test_a_file_that_vanishes_changes_nothing(place: Place, follow: Follow) -> None:
    async def scenario() -> None:
        place.file.unlink()
        await place.comes(lambda: place.told[-1] == "endpoints.refused")
        await place.looks()
        assert len(place.registry.declared) == 1
        place.file.write_text(ONE)
        await place.comes(lambda: len(place.registry.declared) == 2)

    follow(scenario)


@pytest.mark.parametrize("which", ["file", "token"])
def test_a_pipe_that_nobody_writes_to_is_a_fault_and_not_waited_for(place: Place, follow: Follow, which: str) -> None:
    pipe: Path = getattr(place, which)
    pipe.unlink()
    os.mkfifo(pipe)

    def put() -> None:
        # In one step: a look in between would find nothing, and tell that.
        new = pipe.with_name("new")
        new.write_text(ONE if which == "file" else "secret")
        new.replace(pipe)

    async def scenario() -> None:
        await place.looks()
        put()
        await place.comes(lambda: place.tokens == ["secret"])

    follow(scenario)
    assert place.told == ["endpoints.refused", "endpoints.applied"]
    assert "it is no file" in str(place.events[0]["faults"])


def test_a_store_that_fails_is_tried_again(place: Place, follow: Follow) -> None:
    place.registry.error = OperatorError("database_busy", "somebody holds it", "wait")

    async def scenario() -> None:
        place.registry.error = None
        await place.comes(lambda: place.tokens == ["secret"])

    follow(scenario)
    assert place.told == ["endpoints.refused", "endpoints.applied"]


def test_a_link_that_is_turned_to_another_file_is_a_change(place: Place, follow: Follow) -> None:
    versions = [place.file.with_name(f"v{number}") for number in range(2)]
    for version, endpoints in zip(versions, (ONE, "endpoints: []\n"), strict=True):
        version.write_text(endpoints)
    place.file.unlink()
    place.file.symlink_to(versions[0])

    async def scenario() -> None:
        new = place.file.with_name("new")
        new.symlink_to(versions[1])
        os.replace(new, place.file)
        await place.comes(lambda: list(place.registry.declared[-1]) == [])

    follow(scenario)


def test_what_is_written_while_it_is_read_is_read_again(
    place: Place, follow: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load_half(path: Path, environment: Mapping[str, str]) -> Declaration:
        found = load(path, environment)
        if not place.token.read_text():
            # Whoever made the file has stood still so long that it seemed to be at rest.
            place.token.write_text("whole")
        return found

    monkeypatch.setattr(following, "load", load_half)

    async def scenario() -> None:
        place.token.write_text("")
        await place.comes(lambda: place.tokens[-1] != "secret")
        assert place.tokens == ["secret", "whole"]

    follow(scenario)
