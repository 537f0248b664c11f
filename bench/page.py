"""Creates docs/performance.md from the results."""

from collections.abc import Iterator
from pathlib import Path

from figures import Goal
from goals import goals_of
from questions import Question
from reasons import reason_for
from registry import MEASUREMENTS
from results import Results
from servers import SERVERS
from tables import markdown, rows_of

INTRODUCTION = """\
# Performance

What a plugin in a process of its own costs, and how that grows. This page is made by `make bench`, and not edited by
hand; [bench/README.md](../bench/README.md) says how to read it. Every single figure is in
[performance.json](performance.json)."""

ASIDE = "Somebody else was busy on the machine: these figures say little."
# If the load average before the start is above this, the machine was not idle.
IDLE = 0.5


def page(results: Results) -> str:
    """Return the page as Markdown."""
    blocks = [INTRODUCTION, "\n".join(measured_on(results)), goals_section(results)]
    blocks += filter(None, (section(measurement.questions, results) for measurement in MEASUREMENTS))
    if problems := list(results.problems()):
        blocks.append("\n".join(["## What went wrong", "", *(f"- {line}" for line in problems)]))
    return "\n\n".join(blocks) + "\n"


def measured_on(results: Results) -> Iterator[str]:
    """Yield the lines that describe the machine, the versions and the method."""
    yield "## Measured on"
    yield ""
    machine = results.machine
    yield (
        f"{machine['cores']} cores of {machine['processor']}, {machine['memory_gib']} GiB, {machine['kernel']}; "
        f"load average before the start: {machine['load']}."
    )
    if float(machine["load"]) > IDLE:
        yield f"**{ASIDE}**"
    yield ""
    yield ", ".join(f"{name} {version}" for name, version in results.versions.items()) + "."
    yield ""
    plan, takings = results.plan, results.takings.values()
    minutes = sum(taking.seconds for taking in takings) / 60
    begun = min((taking.at for taking in takings), default="never")
    rounds, load = plan["rounds"], plan["seconds"]
    yield (
        f"`make bench`, begun {begun}, took {minutes:.0f} minutes: {rounds} rounds, {load} seconds of load in each. "
        "Figures are medians over the rounds; *low* and *high* are the smallest and the largest."
    )
    yield ""
    yield from markdown([["server", "how it runs"], *([server.name, server.settings] for server in SERVERS)])


def goals_section(results: Results) -> str:
    """Return the table of goals with their verdicts, and the reasons why some are missed."""
    goals = goals_of(results)
    missed = [goal for goal in goals if goal.verdict == "NOT MET"]
    rows = [["goal", "of what", "required", "measured", "verdict"]]
    before = ""
    for goal in goals:
        verdict = "met" if goal.met else f"**{goal.verdict.lower()}**"
        rows.append([goal.row if goal.row != before else "", goal.subject, goal.wanted, goal.found, verdict])
        before = goal.row
    met = sum(goal.met for goal in goals)
    lines = ["## Goals", "", f"{met} of {len(goals)} met.", "", *markdown(rows)]
    if missed:
        lines += ["", "Why those that are not met are not:", "", *reasons(missed)]
    return "\n".join(lines)


def reasons(missed: list[Goal]) -> Iterator[str]:
    """Yield the lines that say why goals are missed, with one line for all goals that have the same reason."""
    rows_by_reason: dict[str, dict[str, None]] = {}
    for goal in missed:
        failed = f"{goal.failures} requests failed. " if goal.failures else ""
        rows_by_reason.setdefault(failed + reason_for(goal.key), {})[goal.row] = None
    for reason, rows in rows_by_reason.items():
        yield f"- {'; '.join(rows)}: {reason}"


def section(questions: tuple[Question, ...], results: Results) -> str:
    """Return the tables and plots of one measurement, or an empty text if it has no samples."""
    lines: list[str] = []
    said = ""
    for question in questions:
        rows = rows_of(question, results)
        if not rows:
            continue
        lines += [f"## {question.title}", ""]
        if question.how != said:
            lines += [question.how, ""]
            said = question.how
        if question.plot:
            lines += [f"![{question.title}, as a plot: the table below has its figures]({image(question)})", ""]
        lines += [*markdown(rows), ""]
    return "\n".join(lines).rstrip()


def image(question: Question) -> str:
    """Return the path of a question's plot, relative to the page."""
    return (Path("images") / f"performance-{question.name}.svg").as_posix()
