"""docs/performance.md is what was measured, and nothing else."""

import json
import re

import pytest

from goals import goals_of
from page import page
from publish import IMAGES, PAGE, RESULTS
from questions import Kind
from reasons import REASONS
from registry import MEASUREMENTS, questions
from results import Results


@pytest.fixture
def published() -> Results:
    return Results.from_dict(json.loads(RESULTS.read_text("utf-8")))


def test_the_page_is_made_from_the_figures_beside_it(published: Results) -> None:
    assert PAGE.read_text("utf-8") == page(published), "write it again: python bench/publish.py"


def test_every_plot_is_of_a_question_and_shown() -> None:
    shown = set(re.findall(r"\(images/(performance-[^)]+)\)", PAGE.read_text("utf-8")))
    assert {image.name for image in IMAGES.glob("performance-*.svg")} == shown


def test_names_are_there_once() -> None:
    names = [question.name for question in questions()]
    assert len(names) == len(set(names))
    assert len({measurement.name for measurement in MEASUREMENTS}) == len(MEASUREMENTS)


def test_every_goal_is_of_a_question_and_a_reason_of_a_goal() -> None:
    keys = [goal.key for goal in goals_of(Results({}, {}, {}))]
    assert len(keys) == len(set(keys))
    assert all(any(key.startswith(begin) for key in keys) for begin in REASONS)


def test_a_growth_says_what_it_counts() -> None:
    assert all(question.of for question in questions() if question.kind is Kind.GROWTH)
