"""Which versions of a plugin are kept, and which one serves, without a worker."""

from typing import Any, cast

from endpointd.plugins.catalog import Entry
from endpointd.plugins.served import ServedPlugin
from endpointd.plugins.versions import Version
from endpointd.supervisor.rules import Rules
from endpointd.supervisor.supervisor import Supervisor
from endpointd.supervisor.worker import WorkerOrder
from support.fake_worker import order, rules


class Told:
    """Stands for the supervisor. `runnable` is what may run without anybody's asking for it."""

    def __init__(self) -> None:
        self.runnable: list[WorkerOrder] = []
        self.heard: list[str] = []

    def replace(self, order: WorkerOrder, _rules: Rules) -> None:
        self.heard.append(f"replace {order.release}")

    def regulate(self, rules: Rules) -> None:
        self.heard.append(f"regulate {rules.workers}")

    def may_run(self, order: WorkerOrder) -> bool:
        return order in self.runnable


def version(release: str, workers: int = 1) -> Version:
    nothing: Any = None
    return Version(nothing, release, order(release), rules(workers=workers), nothing, nothing)


def served(first: Version, supervisor: Told) -> ServedPlugin:
    return ServedPlugin(Entry("duck", None, ()), first, cast("Supervisor", supervisor), [first])


def test_the_version_before_is_kept_until_another_one_follows_that_nobody_goes_back_from() -> None:
    one, two, three = version("1"), version("2"), version("3")
    supervisor = Told()
    plugin = served(one, supervisor)
    for following in (two, three):
        plugin.run(following)
        plugin.switch_to(following.order)
    assert (plugin.serving, plugin.versions) == (three, [three, two])
    assert supervisor.heard == ["replace 2", "replace 3"]


def test_what_the_supervisor_may_go_back_to_is_kept() -> None:
    one, two, three = version("1"), version("2"), version("3")
    supervisor = Told()
    supervisor.runnable = [one.order]
    plugin = served(one, supervisor)
    for following in (two, three):
        plugin.run(following)
        plugin.switch_to(following.order)
    assert plugin.versions == [three, two, one]


def test_what_is_run_again_is_there_once() -> None:
    one = version("1")
    plugin = served(one, Told())
    plugin.run(one)
    assert plugin.versions == [one]


def test_other_rules_replace_no_worker() -> None:
    one, same = version("1"), version("1", workers=3)
    supervisor = Told()
    plugin = served(one, supervisor)
    plugin.hold_to(same)
    assert supervisor.heard == ["regulate 3"]
    assert plugin.wanted is plugin.serving
    assert plugin.serving.order is one.order
    assert plugin.serving.rules is same.rules
