"""Show results in a notebook: tables as DataFrames, figures that draw themselves, a summary as HTML.

The parts of a page are imported where they are used: a tune whose result nobody looks at does without.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from momentum_opt.errors import UsageError, choose_among
from momentum_opt.paths import AnyPath

if TYPE_CHECKING:
    from momentum_opt.results.report.content import Content
    from momentum_opt.results.report.plot import Plot
    from momentum_opt.results.report.tables import Table

_VEGA_LITE: Final = "application/vnd.vegalite.v6+json"
_DRAWN: Final = (".svg", ".png", ".json")
_MOST_ROWS: Final = 400
"""Points of a simulation's curve that are drawn: it has half a million a year."""

Document = Mapping[str, Any]


class Figure:
    """A figure, which a notebook draws as the last expression of a cell.

    It is drawn as SVG without a browser; where the notebook knows Vega-Lite 6 it is interactive.
    """

    def __init__(self, plot: "Plot") -> None:
        self._plot = plot

    @property
    def title(self) -> str:
        """What it shows."""
        return self._plot.title

    @property
    def spec(self) -> dict[str, Any]:
        """Its Vega-Lite specification, data included: what `altair.Chart.from_dict` and other tools of Vega read."""
        from momentum_opt.results.report.plot import for_file

        return for_file(self._plot)

    def svg(self) -> str:
        """The figure as SVG."""
        from momentum_opt.results.report.vega import svg

        return svg(self._plot)

    def png(self) -> bytes:
        """The figure as PNG, at twice its size on a page."""
        from momentum_opt.results.report.vega import png

        return png(self.svg())

    def save(self, path: AnyPath) -> Path:
        """Write it as .svg, .png or (its specification) .json, by the name of the file.

        Raises:
            UsageError: another ending, or the file cannot be written.
        """
        file = Path(path)
        if file.suffix.lower() not in _DRAWN:
            raise UsageError(f"{file}: a figure is written as {', '.join(_DRAWN)}; end the name with one of them")
        drawn = {".svg": lambda: self.svg().encode(), ".png": self.png, ".json": self._json}[file.suffix.lower()]()
        try:
            file.write_bytes(drawn)
        except OSError as error:
            raise UsageError(f"{file}: cannot be written ({error.strerror}); give another path") from None
        return file

    def _json(self) -> bytes:
        return json.dumps(self.spec).encode()

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """What a notebook may choose from; Jupyter's `include` and `exclude` may be ignored."""
        return {_VEGA_LITE: self.spec, "image/svg+xml": self.svg(), "text/plain": repr(self)}

    def __repr__(self) -> str:
        return f"<figure: {self._plot.title}. {self._plot.alt}>"


class Tables(ABC):
    """A result as DataFrames and figures."""

    @abstractmethod
    def content(self) -> "Content":
        """Everything that its page would show."""

    @property
    def daily(self) -> pd.DataFrame:
        """The pool day by day: `value`, those of the baselines, and price, weight and reserves of each token.

        The index is `time`, UTC; the last row is the last minute. Values are in the numeraire; `turnover`, `volume` and
        `fees_earned` are sums since the row before.

        Raises:
            UsageError: there is no such table.
        """
        table = self.content().daily
        if table is None:
            raise UsageError("daily: the run folder holds no daily.parquet; tune again: it is made anew")
        return table.set_index("time")

    @property
    def metrics(self) -> pd.DataFrame:
        """Every metric (rows) in every period (columns); NaN where there is none."""
        return _numbers(self.content().document["metrics"])

    @property
    def baselines(self) -> pd.DataFrame:
        """Metrics (rows) of every baseline in every period (columns: period, baseline)."""
        found = self.content().document["baselines"]
        return _numbers({(period, name): one for period, table in found.items() for name, one in table.items()})

    @property
    def parameters(self) -> pd.DataFrame:
        """One row per token: parameters as they are searched, and as `k_per_day`, `memory_days` and so on."""
        document = self.content().document
        table = _numbers({**document["params"], **document["readable"]})
        table.index.name = "token"
        return table

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures that `plot` draws."""
        return tuple(self._plots())

    def plot(self, name: str = "equity") -> Figure:
        """A figure of the page, as the last expression of a cell draws it.

        Args:
            name: one of `figures`, such as `equity`, `drawdown`, `weights` or `history`.

        Raises:
            UsageError: there is no such figure of this result.
        """
        plots = self._plots()
        if name not in plots:
            raise UsageError(f"plot: unknown figure ({name}); {choose_among(name, list(plots))}")
        return Figure(plots[name])

    def _plots(self) -> "dict[str, Plot]":
        from momentum_opt.results.report.run_page import run_plots

        return run_plots(self.content())

    def _repr_html_(self) -> str:
        from momentum_opt.results.report.tables import metric_table, parameter_table
        from momentum_opt.results.report.verdict import verdict_box

        content = self.content()
        box = verdict_box(content)
        head = f"<h4>{escape(' / '.join(content.tokens))}</h4>"
        verdict = "" if box is None else f"<p><b>{escape(box.headline)}.</b> {escape(box.words)}</p>"
        looks = content.looks_words()
        shown = "".join(map(_html, (parameter_table(content), metric_table(content))))
        return f"<div>{head}{verdict}{shown}<p>{escape(looks)}</p></div>"


def simulated_figure(name: str, table: pd.DataFrame, tokens: Sequence[str]) -> Figure:
    """A figure of a simulated pool.

    Args:
        name: `value` or `weights`.
        table: indexed by time, with columns `value` and `weight_T`.
        tokens: the columns' order.

    Raises:
        UsageError: another name.
    """
    from momentum_opt.results.report.figures_path import PERCENT
    from momentum_opt.results.report.palette import TOKENS, ink
    from momentum_opt.results.report.plot import Plot, thinned
    from momentum_opt.results.report.timeline import Axis, Curve, Timeline

    table = table.iloc[thinned(len(table), _MOST_ROWS)]
    time = pd.Series(table.index)
    if name == "value":
        values = table["value"].to_numpy()
        view = Timeline(name, time, [Curve("this pool", values, ink("pool"), thick=True)], Axis(values=".6g")).view()
        words = f"from {values[0]:.6g} to {values[-1]:.6g}"
        return Figure(Plot(name, "Value of the pool", f"A line of the value, {words}.", "", (view,)))
    if name == "weights":
        curves = [
            Curve(token, table[f"weight_{token}"].to_numpy(), TOKENS[place]) for place, token in enumerate(tokens)
        ]
        axis = Axis(ticks=PERCENT.ticks, values=PERCENT.values, domain=(0.0, 1.0))
        view = Timeline(name, time, curves, axis, 190, stacked=True).view()
        means = ", ".join(f"{one.label} {one.values.mean():.1%}" for one in curves)
        return Figure(Plot(name, "Weights over time", f"Stacked areas; on average {means}.", "", (view,)))
    raise UsageError(f"plot: unknown figure ({name}); {choose_among(name, ['value', 'weights'])}")


def time_frame(times: NDArray[np.datetime64], columns: Mapping[str, NDArray[np.float64]]) -> pd.DataFrame:
    """Columns indexed by `time`, UTC."""
    return pd.DataFrame(columns, index=pd.DatetimeIndex(times, tz="UTC", name="time"))


def _numbers(columns: Mapping[Any, Mapping[str, Any]]) -> pd.DataFrame:
    """A table of floats, column by column; rows in the order of their first appearance."""
    rows = list(dict.fromkeys(row for column in columns.values() for row in column))
    cells = {name: [column.get(row) for row in rows] for name, column in columns.items()}
    return pd.DataFrame(cells, index=rows, dtype="float64")


def _html(table: "Table") -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.header)
    rows = "".join(
        (f'<tr><th colspan="{len(table.header)}">{escape(group.heading)}</th></tr>' if group.heading else "")
        + "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in group.rows)
        for group in table.groups
    )
    return (
        f"<table><caption>{escape(table.caption)}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )
