"""The last minutes of each plugin, and how they are drawn."""

import os
from dataclasses import dataclass, field

import pytest

from endpointd.console.chart import HEIGHT, WIDTH, chart
from endpointd.console.samples import KEPT, MEMORY_EVERY, Samples, Summary, summary
from endpointd.supervisor.latencies import Latencies


@dataclass
class Plugin:
    latencies: Latencies = field(default_factory=Latencies)
    pids: tuple[int, ...] = ()

    def answer(self, count: int, seconds: float) -> None:
        for _ in range(count):
            self.latencies.add(seconds)


def test_a_plugin_that_nobody_has_looked_at_has_no_figures() -> None:
    assert summary(Samples().of("a/b")) == Summary()
    assert Samples().of("a/b") == ()


def test_answers_are_counted_between_the_looks() -> None:
    samples, plugin = Samples(), Plugin()
    plugin.answer(1000, 1)
    samples.look(10.0, {"a/b": plugin})
    plugin.answer(3, 0.1)
    samples.look(11.0, {"a/b": plugin})
    samples.look(13.0, {"a/b": plugin})
    plugin.answer(1, 0.1)
    samples.look(14.0, {"a/b": plugin})
    assert [(one.seconds, one.answers) for one in samples.of("a/b")] == [(1, 3), (2, 0), (1, 1)]
    assert samples.of("a/b")[1].median is None
    assert samples.of("a/b")[0].median == pytest.approx(0.1, rel=0.125)
    assert summary(samples.of("a/b")).rate == pytest.approx(1)


def test_the_summary_is_of_the_last_minute() -> None:
    samples, plugin = Samples(), Plugin()
    for second in range(120):
        samples.look(float(second), {"a/b": plugin})
        plugin.answer(1 if second < 59 else 2, 10 if second < 59 else 0.01)
    found = summary(samples.of("a/b"))
    assert found.rate == pytest.approx(2)
    assert found.p95 == pytest.approx(0.01, rel=0.125)


def test_what_is_kept_has_a_bound_and_goes_with_the_plugin() -> None:
    samples, plugin = Samples(), Plugin()
    for second in range(KEPT + 50):
        samples.look(float(second), {"a/b": plugin})
    assert len(samples.of("a/b")) == KEPT
    samples.look(1000.0, {})
    assert samples.of("a/b") == ()


def test_a_plugin_that_comes_again_begins_anew() -> None:
    samples = Samples()
    before = Plugin()
    before.answer(5, 1)
    samples.look(0.0, {"a/b": before})
    samples.look(1.0, {"a/b": Plugin()})
    samples.look(2.0, {"a/b": Plugin()})
    assert all(one.answers >= 0 for one in samples.of("a/b"))


def test_memory_is_read_now_and_then_and_when_the_worker_is_another_one() -> None:
    samples, plugin = Samples(), Plugin()
    for second in range(MEMORY_EVERY):
        samples.look(float(second), {"a/b": plugin})
    assert summary(samples.of("a/b")).memory is None
    plugin.pids = (os.getpid(),)
    samples.look(10.0, {"a/b": plugin})
    assert (summary(samples.of("a/b")).memory or 0) > 2**20
    plugin.pids = ()
    samples.look(11.0, {"a/b": plugin})
    assert summary(samples.of("a/b")).memory is None


def test_a_chart_ends_at_its_right_edge_and_has_gaps() -> None:
    drawn = chart([0, 10, None, 5], most=10, step=1, least_top=1)
    assert drawn.top == 10
    first, second = drawn.line.split(" M")
    assert first.startswith("M400.0,95.0 L466.7,4.0")
    assert second == f"{WIDTH:.1f},49.5"
    assert drawn.area.endswith(f"{HEIGHT} Z")


def test_a_chart_of_nothing_is_empty() -> None:
    assert chart([], 300, 5, 1).line == ""
    assert chart([None, None], 300, 5, 1).area == ""


def test_a_point_is_the_mean_of_a_step_and_the_newest_step_is_whole() -> None:
    drawn = chart([100, 1, 3], most=4, step=2, least_top=1)
    assert drawn.top == 100
    assert chart([0, 2, 4], most=4, step=2, least_top=1).top == 3


def test_a_full_chart_begins_at_its_left_edge() -> None:
    assert chart([1.0] * 300, 300, 5, 1).line.startswith("M0.0,")
