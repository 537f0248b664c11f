"""Settings that are read again: each holds from then on, or is named as one that only a new start can change."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from endpointd.environments import service
from endpointd.gateway.limits import HttpLimits
from endpointd.plugins import loading
from endpointd.settings.reloading import FIXED, settled
from endpointd.settings.settings import Settings
from endpointd.supervisor import foreman
from endpointd.supervisor.users import Account
from support.parts import FakeWorker, Parts, play, settle, willing_workers

OF_PLUGINS: dict[str, object] = {
    "concurrency": 7,
    "concurrency_async": 7,
    "workers": 2,
    "queue_size": 7,
    "clock_client_idle": 7,
    "clock_build": 7,
    "clock_start": 7,
    "clock_queue": 7,
    "clock_first_byte": 7,
    "clock_idle": 7,
    "clock_total": 7,
    "clock_drain": 7,
    "clock_kill": 7,
    "output_rate": 7,
    "clock_ping": 7,
    "clock_cancel_grace": 7,
    "restart_limit": 7,
    "restart_stable": 7,
    "restart_longest": 7,
    "recycle_requests": 7,
    "recycle_age": 7,
    "recycle_memory": 7,
    "start": "on-demand",
    "idle_stop": 7,
    "limit_files": 7,
    "limit_memory": 7,
    "limit_processes": 7,
    "allow_from": "10.0.0.0/8",
    "rate": "7/s",
    "cors_origins": "https://app.example.com",
    "nice": 7,
    "user": "alice",
    "group": "staff",
    "value_error_is_404": True,
    "limit_body": 7,
}
"""What versions and their mounts are made of, and another value for it than the default."""

OF_CLIENTS = (
    "limit_header",
    "limit_uri",
    "limit_connections",
    "clock_header",
    "clock_keep_alive",
    "clock_client_idle",
    "clock_drain",
)
"""See `live.test_configuration` for what becomes of them in a daemon that runs."""

OF_BUILDS: dict[str, object] = {
    "offline": True,
    "python_interpreters": "/usr/bin/python3",
    "uv_cache": "/other",
    "uv_find_links": "/wheels",
    "uv_index_url": "https://pypi.example.org/simple",
}

TRIED = frozenset(
    {
        "auto_endpoints",
        "backend",
        "calls",
        "limit_package",
        "limit_storage",
        "log_level",
        "package_keys",
        "package_signatures",
        "plugin",
        "ready_when",
        "releases_kept",
        "starts_at_once",
    }
)
"""The others: daemons that run show that they hold (`live`), and two tests below."""

DUCK = "test/duck"


@pytest.fixture(autouse=True)
def _workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with willing_workers(monkeypatch):
        yield


def reloaded(parts: Parts, **changes: object) -> None:
    parts.settings = Settings(plugins=parts.settings.plugins, state=parts.settings.state, **changes)  # type: ignore[arg-type]
    parts.plugins.apply(parts.settings)


def held(parts: Parts) -> tuple[object, ...]:
    """What the plugin is held to."""
    version, mount = parts.plugins.find(DUCK).wanted, parts.plugins.mounts["duck"]
    return version.order, version.rules, mount.limits, mount.guard is None


def test_every_setting_holds_or_is_named() -> None:
    """A new one belongs to those that are named, or to those here, with a test that shows that it holds."""
    hold = {*OF_PLUGINS, *OF_CLIENTS, *OF_BUILDS, *TRIED}
    assert hold | {*FIXED} == {*Settings.model_fields}
    assert not hold & {*FIXED}


def test_what_is_fixed_stays_and_is_named() -> None:
    present, read = Settings(), Settings(admin_group="staff", fork_server=False, clock_drain=7)
    assert settled(present, read) == (Settings(clock_drain=7), ["admin_group", "fork_server"])


@pytest.mark.parametrize("name", OF_PLUGINS)
def test_plugins_are_held_to_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    def account(user: str | None, group: str | None = None) -> Account | None:
        return None if user is group is None else Account("alice", 1, 1, (1,), "/")

    monkeypatch.setattr(loading, "find_account", account)

    async def scenario(parts: Parts) -> None:
        parts.write("one")
        await parts.look()
        before = held(parts)
        reloaded(parts)
        assert held(parts) == before
        reloaded(parts, **{name: OF_PLUGINS[name]})
        assert held(parts) != before
        await parts.plugins.settled()

    play(tmp_path, scenario)


@pytest.mark.parametrize("name", OF_CLIENTS)
def test_clients_are_held_to_it(name: str) -> None:
    limits = HttpLimits.of(Settings())
    wanted = HttpLimits.of(Settings(**{name: 7}))  # type: ignore[arg-type]
    assert limits != wanted
    limits.become(wanted)
    assert limits == wanted


@pytest.mark.parametrize("name", OF_BUILDS)
def test_the_next_build_has_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    settings = Settings()
    given: list[Any] = []
    monkeypatch.setattr(service, "Environments", lambda *arguments: given.extend(arguments))
    service.environments_of(lambda: settings)
    _, options_for, interpreters, _ = given
    before = options_for(0), interpreters()
    settings = Settings(**{name: OF_BUILDS[name]})  # type: ignore[arg-type]
    assert (options_for(0), interpreters()) != before


def test_a_plugin_has_no_endpoint_of_its_own_any_more(tmp_path: Path) -> None:
    async def scenario(parts: Parts) -> None:
        parts.write("one")
        await parts.look()
        assert [*parts.plugins.mounts] == ["duck"]
        reloaded(parts, auto_endpoints=False)
        assert [*parts.plugins.mounts] == []

    play(tmp_path, scenario)


def test_more_workers_may_start_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    begun: list[FakeWorker] = []

    class Starting(FakeWorker):
        async def start(self, python: Path) -> None:
            begun.append(self)
            await super().start(python)

    async def scenario(parts: Parts) -> None:
        monkeypatch.setattr(foreman, "Worker", Starting)
        parts.settings = parts.settings.model_copy(update={"starts_at_once": 1})
        parts.begin()
        for name in ("duck", "goose", "swan"):
            parts.write("one", name, name)
        await parts.follower.refresh(("duck", "goose", "swan"))
        await settle()
        assert len(begun) == 1
        reloaded(parts, starts_at_once=2)
        await settle()
        assert len(begun) == 2
        for number in range(3):
            begun[number].ready()
            await settle()

    play(tmp_path, scenario)
