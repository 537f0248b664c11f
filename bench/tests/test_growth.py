"""What grows faster than in proportion must not come out as well-behaved; and the plugins that it is measured with."""

import shutil
from pathlib import Path

import pytest
import yaml

from folders import copies, with_routes
from goals import Grown, Within
from growth import BY_BODY, BY_PLUGINS, exponent
from measurement import Plan
from questions import Question
from results import Results, Sample, Taking
from workloads import DUCK


def results(question: Question, metric: str, values: dict[int, float]) -> Results:
    samples = [Sample(question.name, str(size), {metric: value}) for size, value in values.items()]
    return Results({}, {}, {}, {"growth": Taking("now", 0.0, samples=samples)})


@pytest.mark.parametrize(
    ("values", "steepest"),
    [
        ({0: 1.0, 10: 2.0, 100: 20.0}, 1.0),
        ({1: 5.0, 10: 5.0, 100: 5.0}, 0.0),
        # One bad step is enough.
        ({1: 1.0, 10: 100.0, 100: 100.0}, 2.0),
    ],
)
def test_the_steepest_step_counts(values: dict[int, float], steepest: float) -> None:
    assert exponent(BY_BODY, "ms", results(BY_BODY, "ms", values)) == pytest.approx(steepest)


def test_a_rate_is_the_inverse_of_a_cost() -> None:
    falling = results(BY_PLUGINS, "rate", {1: 1000.0, 10: 100.0, 100: 1.0})
    assert exponent(BY_PLUGINS, "rate", falling) == pytest.approx(2.0)
    assert Grown(BY_PLUGINS, "rate", "time").judge(falling).verdict == "NOT MET"


def test_one_size_is_no_growth() -> None:
    assert exponent(BY_BODY, "ms", results(BY_BODY, "ms", {0: 1.0, 10: 2.0})) is None
    assert Grown(BY_BODY, "ms", "time").judge(Results({}, {}, {})).verdict == "not measured"


def test_a_figure_is_compared_with_the_one_before() -> None:
    samples = [Sample("open", "streams", {"p99_ms": 5.0, "before_ms": 2.0})]
    found = Results({}, {}, {}, {"open": Taking("now", 0.0, samples=samples)})
    goal = Within("open", "row", "p99", "open", "streams", "p99_ms", "before_ms", 2.0).judge(found)
    assert (goal.measured, goal.verdict) == (2.5, "NOT MET")


def test_small_plans_leave_the_large_sizes_out() -> None:
    assert Plan(largest=10).sizes(1, 10, 100) == [1, 10]
    assert Plan(largest=1).sizes(50, 60, 70) == [50]
    assert Plan().sizes(1, 10, 100) == [1, 10, 100]


def test_copies_of_the_duck_are_plugins_of_their_own(tmp_path: Path) -> None:
    shutil.copytree(DUCK.plugin, tmp_path / "duck")
    copies(tmp_path, 3)
    names = {path.name: yaml.safe_load((path / "manifest.yaml").read_text())["name"] for path in tmp_path.iterdir()}
    assert names == {"duck": "duck", "duck1": "duck1", "duck2": "duck2"}


def test_a_duck_with_routes_has_as_many(tmp_path: Path) -> None:
    shutil.copytree(DUCK.plugin, tmp_path / "duck")
    with_routes(tmp_path, 5)
    group = yaml.safe_load((tmp_path / "duck" / "group" / "duck.yaml").read_text())
    interfaces = [yaml.safe_load((tmp_path / "duck" / entry).read_text()) for entry in group["endpoints"]]
    assert len({interface["path"] for interface in interfaces}) == 5
    assert "settings" in group
