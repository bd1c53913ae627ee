"""Show results as tables in a terminal, numbers in the units of the field."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from momentum_opt.cli.streams import coloured
from momentum_opt.cli.text_table import TextTable, filled, width_of_output
from momentum_opt.results.baselines import coinciding, joint_label
from momentum_opt.results.holdout import looks_words
from momentum_opt.results.price_notes import price_notes
from momentum_opt.results.report.wording import (
    FEWEST_TO_ANNUALISE,
    RETURN_PARTS,
    TOO_SHORT,
    limits_words,
    meaningless_note,
    metric_value,
    percent,
    too_short,
)
from momentum_opt.units import counted
from momentum_opt.vocabulary.metrics import NOT_MEANINGFUL, figure, meaningless
from momentum_opt.vocabulary.names import PERIOD_LABELS
from momentum_opt.vocabulary.rules import FORM_LABELS

if TYPE_CHECKING:
    from momentum_opt.fingerprint import Fingerprint
    from momentum_opt.results.holdout import Looks

REPLAYED = "replay check passed: minute-by-minute replay reproduces the tuned objective"

_UNLIMITED = 10_000
"""Columns of a list of trials where no terminal limits them: one line per trial, to be searched."""

SHOWN_METRICS = (
    "daily_log_sharpe",
    "information_ratio",
    "returns",
    "returns_over_hodl",
    "annualised_returns",
    "max_drawdown",
    "weight_turnover",
)

_FORMS: Final[Mapping[str, Callable[[float], str]]] = {"lamb": "{:.6f}".format, "initial_weights": percent}

_MARKS: Final = {True: ("met", "green"), False: ("not met", "red"), None: ("not computed", "yellow")}

Document = Mapping[str, Any]


def parameter_table(document: Document) -> str:
    """Token by token what the rule has of: k per day, memory in days, decay λ, its own parameters; initial weight."""
    readable = document["readable"]
    table = TextTable(("token", *(FORM_LABELS.get(name, name) for name in readable)))
    for token in readable["initial_weights"]:
        cells = (_FORMS.get(name, "{:.4g}".format)(values[token]) for name, values in readable.items())
        table.add_row(token, *cells)
    return table.text()


def metric_table(document: Document) -> str:
    """The objective's metric and a few others per period; the baselines, and the parts of the return, below."""
    metrics, baselines, days = document["metrics"], document["baselines"], document.get("days", {})
    aim = document["objective"]
    names = list(dict.fromkeys((*aim.get("metrics", [aim["metric"]]), *SHOWN_METRICS)))
    table = TextTable(("", *metrics))
    for name in names:
        table.add_row(name, *(_marked(name, metrics[period].get(name), days.get(period)) for period in metrics))
    table.add_section()
    shown = ("returns", "daily_log_sharpe")
    same = coinciding(
        {
            baseline: [baselines[period][baseline][name] for name in shown for period in baselines]
            for baseline in next(iter(baselines.values()))
        }
    )
    for name in shown:
        for group in same:
            cells = (_marked(name, baselines[period][group[0]][name], days.get(period)) for period in baselines)
            table.add_row(f"{joint_label(group, PERIOD_LABELS)}: {name}", *cells)
    parts = document.get("decomposition")  # results of earlier versions have none
    if parts:
        table.add_section()
        for name, label in RETURN_PARTS.items():
            table.add_row(label, *(percent(parts[period][name]) for period in parts))
    marked = any(count < FEWEST_TO_ANNUALISE for count in days.values())
    note = meaningless_note((name, values.get(name)) for name in names for values in metrics.values())
    return "\n".join([table.text(), *([filled(TOO_SHORT)] * marked), *([filled(note)] if note else [])])


def _marked(name: str, value: float | None, days: int | None) -> str:
    """A metric in its unit, with an asterisk where it was annualised from too few days; words where it says nothing."""
    return f"{metric_value(name, value)}{too_short(name, value, days)}"


def test_lines(document: Document, looks: "Looks | None") -> list[str]:
    """How often the test period was evaluated, where figures of it are shown."""
    return [looks_words(looks)] if "test" in document["metrics"] else []


def verdict_lines(verdict: Document | None, detectable: Document | None, apart: Collection[str] = ()) -> list[str]:
    """The verdict of a tune or a walk-forward, its rules, what could be found and its further lines; or nothing.

    Args:
        verdict: outcome, words and rules, as best.json and walk_forward.json hold them.
        detectable: what could be found.
        apart: names of further lines that are told apart.
    """
    if verdict is None:
        return []
    found = [] if detectable is None else [filled(words, "  ") for words in detectable["words"].split("; ")]
    rules = [_rule_line(rule) for rule in verdict["rules"]]
    further = [filled(f"  {line['words']}", "    ") for line in verdict.get("lines", ()) if line["name"] not in apart]
    return [coloured(filled(f"verdict: {verdict['words']}", "  "), bold=True), *rules, *found, *further]


def _rule_line(rule: Document) -> str:
    mark, colour = _MARKS[rule["met"]]
    line = filled(f"  {mark:<7}  {rule['words']}", " " * 11)
    return line.replace(mark, coloured(mark, colour), 1)


def convergence_lines(document: Document) -> list[str]:
    """Whether the search has converged, why, and what to do; nothing of a best.json that says nothing of it."""
    measured = document.get("convergence")
    if measured is None:
        return []
    verdict = {True: "converged", False: "not converged", None: "convergence not measured"}[measured["converged"]]
    head = filled(f"search: {'; '.join([verdict, *measured['remedies']])}", "  ")
    return [head, *(filled(f"  {fact}", "    ") for fact in measured["facts"])]


def data_lines(document: Document) -> list[str]:
    """One line per price file, and one on the burn-in."""
    data = document["data"]
    lines = [
        f"prices {file['token']}: {counted(file['rows'], 'bar')}, {file['first']} to {file['last']}, "
        f"{counted(file['filled_minutes'], 'minute')} filled"
        for file in data["files"]
    ]
    lines += [
        f"costs.{file['name']}: {counted(file['rows'], 'row')} of {file['file']}" for file in data.get("costs", ())
    ]
    lines += left_out_notes(data.get("costs", ()))
    for period, count in document.get("trades", {}).items():
        lines.append(
            f"outside trades in {period}: {count['done']:,} done, {count['refused']:,} larger than the pool takes"
        )
    return [*lines, f"burn-in: {counted(data['burn_in_days'], 'day')} of history before the start"]


def said_of_prices(data: Document) -> list[str]:
    """The notes on the prices of a result, for stderr."""
    return [f"note: {line}" for line in price_notes(data)]


def left_out_notes(costs: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each file of trades of which some lie outside the window, or all."""
    return [f"note: costs.{file['name']}: {_left_out(file)}" for file in costs if file["left_out"]]


def _left_out(file: Mapping[str, Any]) -> str:
    total = file["rows"] + file["left_out"]
    if not file["rows"] and total == 1:
        return f"the only trade in {file['file']} lies outside the window, so there is none"
    if not file["rows"]:
        return f"none of the {counted(total, 'trade')} in {file['file']} lies inside the window, so there are none"
    return f"{file['left_out']:,} of {counted(total, 'trade')} lie outside the window and are left out"


def objective_line(document: Document) -> str:
    """The objective in words, for example `objective: daily_log_sharpe (mean) = 1.0189`, or each of several."""
    aim = document["objective"]
    if isinstance(aim["value"], Sequence):
        parts = aim.get("metrics", aim["aggregate"])
        names = aim.get("metrics", [aim["metric"]] * len(parts))
        told = list(zip(names, aim["value"], strict=True))
        values = ", ".join(f"{part} {metric_cell(*one)}" for part, one in zip(parts, told, strict=True))
        what = f"objectives ({aim['aggregate']})" if "metrics" in aim else f"objective: {aim['metric']}"
        note = meaningless_note(told)
        return f"{what}: {values}{f'; {note}' if note else ''}"
    note = meaningless_note([(aim["metric"], aim["value"])])
    value = f"{number(aim['value'])}, {note}" if note else number(aim["value"])
    return f"objective: {aim['metric']} ({aim['aggregate']}) = {value}"


def limit_lines(document: Document) -> list[str]:
    """Whether the pool keeps its limits on train, each with its figure; nothing where no metric has a limit."""
    limits = document.get("limits")
    return [] if not limits else [f"limits on train: {limits_words(limits)}"]


def rows_table(rows: Sequence[Document], columns: Sequence[str], fingerprint: "Fingerprint") -> str:
    """Trials line by line; the columns of one parameter, token by token, share a cell."""
    cells, metrics = _cells(columns, fingerprint.tokens), _metrics(columns, fingerprint)
    words = (any(isinstance(row[name], str) for row in rows for name in names) for _, names in cells)
    table = TextTable([title for title, _ in cells], frozenset(place for place, left in enumerate(words) if left))
    for row in rows:
        table.add_row(*(" / ".join(_cell(row[name], metrics[name]) for name in names) for _, names in cells))
    return _with_note(table, rows, metrics)


def row_table(row: Document, fingerprint: "Fingerprint") -> str:
    """One trial: a line per column, its tokens side by side."""
    table, metrics = TextTable(("", ""), frozenset({0, 1})), _metrics(row, fingerprint)
    for title, names in _cells(list(row), fingerprint.tokens):
        table.add_row(title, " / ".join(_cell(row[name], metrics[name]) for name in names))
    return _with_note(table, [row], metrics)


def _metrics(columns: Iterable[str], fingerprint: "Fingerprint") -> dict[str, str]:
    """Column of trials → the metric that its numbers are of; the column's own name where they are of none."""
    aim = fingerprint.objective
    objectives = dict(zip(aim.columns, aim.names * (len(aim.columns) // len(aim.names)), strict=True))
    periods = ("train_", "validation_")
    bare = {name: name.removeprefix(next((one for one in periods if name.startswith(one)), "")) for name in columns}
    return {**bare, **objectives}


def _with_note(table: TextTable, rows: Sequence[Document], metrics: Mapping[str, str]) -> str:
    """The table, and below it why figures in it are not shown."""
    shown = ((metrics[name], row[name]) for row in rows for name in metrics if name in row)
    note = meaningless_note((name, value) for name, value in shown if isinstance(value, float))
    return "\n".join([table.text(width_of_output(_UNLIMITED)), *([filled(note)] if note else [])])


def _cells(columns: Sequence[str], tokens: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Title and columns of each cell: `k_per_day_BTC`, `k_per_day_ETH` become one, `k_per_day BTC / ETH`."""
    cells: dict[str, list[str]] = {}
    for column in columns:
        stem = next((column.removesuffix(f"_{token}") for token in tokens if column.endswith(f"_{token}")), "")
        whole = stem and all(f"{stem}_{token}" in columns for token in tokens)
        cells.setdefault(f"{stem} {' / '.join(tokens)}" if whole else column, []).append(column)
    return list(cells.items())


def _cell(value: Any, metric: str) -> str:
    if value is None:
        return "–"
    return figure(metric, value, ".5g") if isinstance(value, float) else str(value)


def metric_cell(name: str, value: float | None) -> str:
    """A metric in a table; words where it could mean nothing."""
    return NOT_MEANINGFUL if meaningless(name, value) else number(value)


def number(value: float | None) -> str:
    """A number of a table; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.4f}" if abs(value) < 1e5 else f"{value:.4g}"


def text_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of text: the first column to the left, the others to the right."""
    return TextTable(columns, rows=[tuple(row) for row in rows]).text()
