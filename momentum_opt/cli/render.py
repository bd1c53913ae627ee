"""Results as tables for a terminal: documents of a run in, text out. Numbers in the units of the field."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from momentum_opt.evidence.findings import Findings
    from momentum_opt.results.test_looks import Looks

WIDTH = 100
"""Columns of a table; fixed, so that output does not depend on where it goes."""

SHOWN_METRICS = ("daily_log_sharpe", "returns", "returns_over_hodl", "annualised_returns", "max_drawdown")
BASELINE_LABELS = {"hodl": "HODL", "uniform_hodl": "uniform HODL", "constant_weight": "constant-weight pool"}

Document = Mapping[str, Any]


def parameter_table(document: Document) -> str:
    """Token by token: k per day, memory in days, decay λ, initial weight."""
    readable = document["readable"]
    table = table_of("token", "k per day", "memory (days)", "decay λ", "initial weight")
    for token in readable["lamb"]:
        k, memory = readable["k_per_day"][token], readable["memory_days"][token]
        lamb, weight = readable["lamb"][token], readable["initial_weights"][token]
        table.add_row(token, f"{k:.4g}", f"{memory:.4g}", f"{lamb:.6f}", f"{weight:.4f}")
    return text_of(table)


def metric_table(document: Document) -> str:
    """The objective's metric and a few others on train, validation and test, with the baselines below."""
    metrics, baselines = document["metrics"], document["baselines"]
    names = list(dict.fromkeys((document["objective"]["metric"], *SHOWN_METRICS)))
    table = table_of("", *metrics)
    for name in names:
        table.add_row(name, *(number(metrics[period][name]) for period in metrics))
    table.add_section()
    first = next(iter(baselines.values()))
    for name in ("returns", "daily_log_sharpe"):
        for baseline in first:
            cells = (number(baselines[period][baseline][name]) for period in baselines)
            table.add_row(f"{BASELINE_LABELS[baseline]}: {name}", *cells)
    return text_of(table)


def test_lines(document: Document, looks: "Looks") -> list[str]:
    """How often the test has been looked at, where a test number is shown."""
    return [looks.words()] if "test" in document["metrics"] else []


def verdict_lines(findings: "Findings | None") -> list[str]:
    """The verdict and every rule behind it; nothing where evidence was left out."""
    if findings is None:
        return []
    marks = {True: "met", False: "not met", None: "not computed"}
    found = findings.verdict
    rules = [f"  {marks[rule.met]:<7}  {rule.words}" for rule in found.rules]
    return [f"luck or skill: {found.words}", *rules]


def data_lines(document: Document) -> list[str]:
    """One line per price file, and one on the burn-in."""
    data = document["data"]
    lines = [
        f"prices {file['token']}: {file['rows']:,} bars, {file['first']} to {file['last']}, "
        f"{file['filled_minutes']:,} minutes filled"
        for file in data["files"]
    ]
    return [*lines, f"burn-in: {data['burn_in_days']} days of history before the start"]


def objective_line(document: Document) -> str:
    """The objective in words, for example `objective: daily_log_sharpe (mean) = 1.0189`."""
    aim = document["objective"]
    if isinstance(aim["value"], Sequence):
        values = ", ".join(
            f"{name} {number(value)}" for name, value in zip(aim["aggregate"], aim["value"], strict=True)
        )
        return f"objective: {aim['metric']}: {values}"
    return f"objective: {aim['metric']} ({aim['aggregate']}) = {number(aim['value'])}"


def number(value: float | None) -> str:
    """A number of a table; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.4f}" if abs(value) < 1e5 else f"{value:.4g}"


def table_of(first: str, *others: str) -> Table:
    """An empty table: words in the first column, numbers to the right in the others."""
    table = Table(box=SIMPLE, pad_edge=False)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def text_of(table: Table) -> str:
    """The table as plain text."""
    stream = io.StringIO()
    Console(file=stream, width=WIDTH, color_system=None, force_terminal=False).print(table)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines() if line.strip())
