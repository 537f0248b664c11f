"""Draws the plots of docs/performance.md as SVG: ``python plots.py RESULTS.json DIRECTORY``.

Run by the interpreter of bench/.venv, which has matplotlib. The background is transparent, so colours and greys are
chosen to be readable on white and on black.
"""

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from figures import Spread
from questions import Kind, Question
from registry import questions
from results import Results
from servers import ENDPOINTD

GREY = "#808080"
OURS, THEIRS, SECOND = "#2f81c7", "#a8804a", "#c4622d"
WIDTH, BAR, GROWTH_HEIGHT = 7.2, 0.36, 2.9
MUCH = 3
STYLE = {
    "svg.fonttype": "none",
    # Makes the file reproducible.
    "svg.hashsalt": "endpointd",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": GREY,
    "axes.labelcolor": GREY,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "savefig.transparent": True,
}


def draw_all(results: Results, directory: Path) -> None:
    """Draw the plot of each question that has one."""
    directory.mkdir(parents=True, exist_ok=True)
    for question in questions():
        if not question.plot or not results.subjects(question.name):
            continue
        draw = draw_servers if question.kind is Kind.SERVERS else draw_growth
        draw(question, results)
        plt.savefig(directory / f"performance-{question.name}.svg", bbox_inches="tight", metadata={"Date": None})
        plt.close()


def draw_servers(question: Question, results: Results) -> None:
    """Draw a bar for each server's median, with a line from the lowest to the highest value."""
    metric = question.metrics[0]
    found = {name: results.spread(question.name, name, metric.name) for name in results.subjects(question.name)}
    spreads = {name: spread for name, spread in found.items() if spread is not None}
    _, axes = plt.subplots(figsize=(WIDTH, 0.7 + BAR * len(spreads)))
    middles = [spread.middle for spread in spreads.values()]
    below = [spread.middle - spread.low for spread in spreads.values()]
    above = [spread.high - spread.middle for spread in spreads.values()]
    colours = [OURS if name.startswith(ENDPOINTD.name) else THEIRS for name in spreads]
    axes.barh(list(spreads), middles, xerr=[below, above], color=colours, ecolor=GREY, height=0.65)
    axes.invert_yaxis()
    axes.set_xlabel(metric.heading)


def draw_growth(question: Question, results: Results) -> None:
    """Draw one plot for each metric, side by side: medians as a line, with error bars from low to high."""
    _, all_axes = plt.subplots(1, len(question.metrics), figsize=(WIDTH, GROWTH_HEIGHT), squeeze=False)
    sizes = [float(subject) for subject in results.subjects(question.name)]
    for axes, metric, colour in zip(all_axes[0], question.metrics, (OURS, SECOND, THEIRS), strict=False):
        found = [results.spread(question.name, name, metric.name) for name in results.subjects(question.name)]
        draw_line(axes, sizes, found, colour)
        draw_scale(axes, [(size, spread.middle) for size, spread in zip(sizes, found, strict=True) if spread])
        axes.set_ylabel(metric.heading)
        axes.set_xlabel(question.of)
    plt.tight_layout()


def draw_line(axes: Axes, sizes: list[float], found: list[Spread | None], colour: str) -> None:
    """Draw the growth of one metric."""
    points = [(size, spread) for size, spread in zip(sizes, found, strict=True) if spread is not None]
    middles = [spread.middle for _, spread in points]
    below = [spread.middle - spread.low for _, spread in points]
    above = [spread.high - spread.middle for _, spread in points]
    axes.errorbar([size for size, _ in points], middles, yerr=[below, above], color=colour, marker="o", markersize=4)
    axes.grid(visible=True, color=GREY, alpha=0.25)


def draw_scale(axes: Axes, points: list[tuple[float, float]]) -> None:
    """Scale the axes. Sizes may range from zero to very large, so their axis is logarithmic except near zero.

    Values that grow much have a logarithmic axis too, and a dotted line that shows growth in proportion.
    """
    axes.set_xscale("symlog", linthresh=1)
    values = [value for _, value in points]
    if min(values) > 0 and values[-1] / values[0] > MUCH:
        last_size, last_value = points[-1]
        begin = max(min(size for size, _ in points if size), last_size * min(values) / last_value)
        axes.plot([begin, last_size], [last_value * begin / last_size, last_value], color=GREY, linestyle=":")
        axes.set_yscale("log")
        axes.set_ylim(min(values) / 2, max(values) * 2)
    else:
        axes.set_ylim(0, max(values) * 1.15 or 1)


if __name__ == "__main__":
    plt.rcParams.update(STYLE)
    draw_all(Results.from_dict(json.loads(Path(sys.argv[1]).read_text("utf-8"))), Path(sys.argv[2]))
