"""Formats the results as text: one table for each question, and the goals."""

from collections.abc import Mapping

from goals import goals_of
from registry import questions
from results import Results
from servers import SERVERS
from tables import aligned, rows_of


def report(results: Results) -> str:
    """Return the whole report."""
    blocks = [
        [facts("Machine", results.machine), facts("Versions", results.versions)],
        ["Servers", *(f"  {server.name}: {server.settings}" for server in SERVERS)],
    ]
    tables = ((question, rows_of(question, results)) for question in questions())
    blocks += [[question.title, *aligned(rows)] for question, rows in tables if rows]
    goals = goals_of(results)
    measured = [goal for goal in goals if goal.measured is not None]
    blocks.append([f"Goals: {len(measured)} of {len(goals)} measured", *(f"  {goal}" for goal in measured)])
    if problems := list(results.problems()):
        blocks.append(["Problems", *(f"  {line}" for line in problems)])
    return "\n\n".join("\n".join(block) for block in blocks)


def facts(subject: str, values: Mapping[str, object]) -> str:
    """Return named values on one line."""
    return f"{subject}: " + ", ".join(f"{name} {value}" for name, value in values.items())
