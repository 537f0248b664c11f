"""Who looks at very many plugins keeps no request to them waiting."""

import asyncio
import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from starlette.requests import Request

from endpointd.admin.followers import Followers
from endpointd.console import plugin_pages
from endpointd.console.parts import Parts
from endpointd.console.samples import Samples
from endpointd.console.sessions import Sessions
from support.fake_control import NEKO, FakeControl


def test_rows_are_made_outside_of_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    control = FakeControl(*(replace(NEKO, id=f"acme/p{number}") for number in range(10)))
    parts = SimpleNamespace(control=control, samples=Samples(), limit_package=lambda: 1)
    shown: dict[str, Any] = {}
    threads: list[int] = []

    async def page(*_: object, **values: Any) -> None:  # noqa: ANN401
        shown.update(values)

    make = plugin_pages._row

    def noted(*given: Any) -> plugin_pages.Row:  # noqa: ANN401
        threads.append(threading.get_ident())
        return make(*given)

    monkeypatch.setattr(plugin_pages, "_row", noted)
    pages = plugin_pages.PluginPages(
        cast("Parts", parts), cast("Any", SimpleNamespace(page=page)), cast("Any", SimpleNamespace()), Followers()
    )
    session = Sessions(lambda: 0.0).open("1" * 32, "console")
    asyncio.run(pages.show_all(Request({"type": "http", "headers": []}), session, {}))
    assert [row.path for row in shown["rows"]] == [f"/console/plugins/acme/p{number}" for number in range(10)]
    assert len(threads) == 10
    assert threading.get_ident() not in threads
