"""The page of a walk-forward (SPEC §13): its summary and joined days in, one page out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from momentum_opt.errors import RunFolderError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.results.files import read_record
from momentum_opt.results.holdout import Looks, fold_looks, fold_looks_words
from momentum_opt.results.report import tables
from momentum_opt.results.report.content import Document, digest_of, finite, read_table
from momentum_opt.results.report.figures_path import baseline_curves
from momentum_opt.results.report.figures_tear import tear_parts
from momentum_opt.results.report.page import Cover, Page, Section, page_of
from momentum_opt.results.report.palette import ink
from momentum_opt.results.report.plot import Plot, Spec, line_at, quantity, scale_of, shown
from momentum_opt.results.report.plot import table as rows_of
from momentum_opt.results.report.tables import Table, table
from momentum_opt.results.report.timeline import Axis, Curve, Period, Timeline
from momentum_opt.results.report.verdict import VerdictBox, rule_line, sentence
from momentum_opt.results.report.wording import (
    CURVE_LABELS,
    NOT_ASSESSED,
    efficiency_words,
    metric_number,
    metric_value,
    number,
    parameter_label,
    percent,
    random_spread,
)
from momentum_opt.results.tear_sheet import joined_tear_sheet
from momentum_opt.units import counted
from momentum_opt.vocabulary.rules import FORM_LABELS, leading_forms

_DAYS_PER_YEAR = 365.0
_POOL: Final = "pool"
_KINDS: Final[Mapping[str, str]] = {
    "ahead": "all-met",
    "not confirmed": "some-met",
    "not significant": "nothing-found",
    "not decided": "not-decided",
}
"""Outcome → the CSS class of its box."""
REMADE = "give the walk-forward's command again: it is made anew"


@dataclass(frozen=True)
class WalkFiles:
    """The files of a walk-forward's folder that its page is made from, known without what makes them (it needs JAX)."""

    path: Path

    @property
    def summary(self) -> Path:
        """What was found."""
        return self.path / "walk_forward.json"

    @property
    def days(self) -> Path:
        """The joined out-of-sample days."""
        return self.path / "walk_forward.parquet"

    def looks(self, summary: Document) -> list[Looks]:
        """Evaluations of the folds' test periods."""
        return fold_looks(self.path, summary["folds"], summary["fingerprint"]["tokens"])

    def inputs(self, summary: Document) -> str:
        """Digest of what the page is made from."""
        return digest_of((self.summary, self.days), fold_looks_words(self.looks(summary)))


def walk_page(files: WalkFiles) -> Page:
    """Read the folder, define the figures, and fill the page.

    Raises:
        RunFolderError: a file in it cannot be read.
    """
    summary = read_record(files.summary, "walk_forward.json", REMADE)
    if not {"folds", "out_of_sample", "stability", "fingerprint", "metric"} <= set(summary):
        raise RunFolderError(f"{files.summary}: is not as it was written; {REMADE}")
    fingerprint = Fingerprint.from_dict(summary["fingerprint"], name=f"{files.summary}: fingerprint")
    names = [name for name in CURVE_LABELS if name in {_POOL, *summary["out_of_sample"]}]
    daily = read_table(files.days, REMADE, numbers=("fold", *map(_column, names)))
    asked, folds = summary["walk_forward"], summary["folds"]
    cover = Cover(
        title=" / ".join(fingerprint.tokens),
        kind="walk-forward",
        facts=(
            files.path.resolve().name,
            f"{len(folds)} of {counted(summary['n_folds'], 'fold')}",
            f"{counted(asked['train_days'], 'day')} tuned{' at first' if asked['anchored'] else ''}, "
            f"{asked['test_days']} out of sample",
            f"objective {summary['metric']}",
            f"digest {summary['digest'][:8]}",
            f"written {summary['created']}",
        ),
        inputs=files.inputs(summary),
        box=_box(summary),
        looks=sentence(fold_looks_words(files.looks(summary))),
        missing=() if daily is not None else (f"{files.days.name} is not in the folder",),
    )
    plots = [] if daily is None or len(daily) < 2 else [_joined(daily, names)]
    tear = () if daily is None or len(daily) < 2 else tear_parts(joined_tear_sheet(daily), ())
    sections = (
        Section("joined", "Out of sample, joined", (*plots, _curve_table(summary))),
        Section("tear", "Tear sheet", tear),
        Section("folds", "Folds", (_fold_table(summary), _fold_plot(summary))),
        Section("stability", "Stability of the parameters", (_stability_table(summary),)),
        Section("data", "Data", _data_tables(summary)),
        Section(
            "record",
            "Record",
            (tables.fingerprint_table(fingerprint, summary["digest"]), tables.study_table(summary)),
        ),
    )
    return page_of(cover, sections)


def _data_tables(summary: Document) -> tuple[Table, ...]:
    """The prices of all folds together; a summary of an older version has them fold by fold."""
    whole = summary.get("data")
    return tuple(map(tables.data_table, [fold["data"] for fold in summary["folds"]] if whole is None else [whole]))


def _box(summary: Document) -> VerdictBox:
    """The rules and what they come to; the numbers beside them claim nothing."""
    verdict = summary.get("verdict")
    pool, constant = (summary["out_of_sample"][name] for name in ("pool", "constant_weight"))
    facts = (
        f"Over {counted(summary['out_of_sample_days'], 'out-of-sample day')} the tuned pools returned "
        f"{percent(pool['total_return'])}, the constant-weight pool {percent(constant['total_return'])}. "
        f"{sentence(efficiency_words(summary))}"
    )
    headline, why = _outcome(verdict)
    rules = () if verdict is None else tuple(map(rule_line, verdict["rules"]))
    kind = _KINDS.get("" if verdict is None else verdict["outcome"], "unknown")
    found = summary.get("detectable")
    notes = [] if found is None else [found["words"]]
    notes += [line["words"] for line in (verdict or {}).get("lines", ())]
    return VerdictBox(headline, f"{why} {facts}", kind, rules, notes=tuple(map(sentence, notes)))


def _outcome(verdict: Document | None) -> tuple[str, str]:
    """Headline and sentence; where the verdict is not significant, the rule says by how much."""
    headline, _, words = (NOT_ASSESSED if verdict is None else verdict["words"]).partition("; ")
    failed = [] if verdict is None else [rule["words"] for rule in verdict["rules"] if rule["met"] is False]
    why = f" Not met: {'; '.join(failed)}." if failed else ""
    return sentence(headline).removesuffix("."), f"{sentence(words)}{why}"


def _column(name: str) -> str:
    """Of walk_forward.parquet: the daily log returns of a curve."""
    return "log_return" if name == _POOL else f"{name}_log_return"


def _joined(daily: pd.DataFrame, names: list[str]) -> Plot:
    values = {name: np.exp(np.cumsum(finite(daily[_column(name)]))) for name in names}
    pool = Curve(CURVE_LABELS[_POOL], values.pop(_POOL), ink(_POOL), thick=True)
    drawn = [*baseline_curves(values, CURVE_LABELS), pool]
    times, folds = daily["time"], daily["fold"].to_numpy()
    begins = [0, *(np.flatnonzero(np.diff(folds)) + 1)]
    ends_of = [*begins[1:], len(daily) - 1]
    periods = [
        Period(f"fold {folds[begin]:.0f}", times.iloc[begin], times.iloc[end])
        for begin, end in zip(begins, ends_of, strict=True)
    ]
    ends = ", ".join(f"{one.label} {percent(float(one.values[-1]) - 1)}" for one in drawn)
    return Plot(
        key="joined",
        title="Value over the joined out-of-sample days",
        alt=f"Lines of value relative to the start. Change over all folds: {ends}.",
        caption="Each fold's winner over the days that follow its tuning, joined; dashed lines are the folds' borders. "
        "The baselines start anew with every fold.",
        views=(Timeline("joined", times, drawn, Axis(), 260, periods).view(),),
        log=False,
    )


def _fold_plot(summary: Document) -> Plot:
    metric, folds = summary["metric"], summary["folds"]
    inside, outside, constant = (
        finite([fold[part][metric] for fold in folds])
        if part != "baselines"
        else finite([fold[part]["constant_weight"].get(metric) for fold in folds])
        for part in ("in_sample", "out_of_sample", "baselines")
    )

    words = "; ".join(
        f"fold {fold['fold']}: {metric_number(metric, float(one), 3)} in, {metric_number(metric, float(other), 3)} out"
        for fold, one, other in zip(folds, inside, outside, strict=True)
    )
    return Plot(
        key="folds",
        title=f"{metric}, in sample and out",
        alt=f"Bars per fold. {words}.",
        caption=f"{metric} of each fold's winner on the days it was chosen on and on the days that follow, "
        "with the constant-weight pool's on the latter.",
        views=(_fold_view(metric, [fold["fold"] for fold in folds], inside, outside, constant),),
    )


def _fold_view(metric: str, folds: list[int], *bars: Any) -> Spec:
    """Bars of each fold side by side: in sample, out of sample, and the constant-weight pool out of sample."""
    looks = {"in sample": ink("hairline"), "out of sample": ink("pool"), "constant": ink("constant")}
    columns = {
        "fold": [fold for _ in bars for fold in folds],
        "value": np.concatenate(bars),
        "part": [name for name in looks for _ in folds],
    }
    encoding = {
        "x": {"field": "fold", "type": "ordinal", "title": "fold", "axis": {"labelAngle": 0, "labelOverlap": True}},
        "xOffset": {"field": "part", "type": "nominal", "sort": list(looks)},
        "y": quantity("value", metric),
        "color": {"field": "part", "type": "nominal", "title": None, "scale": scale_of(looks)},
        "tooltip": [shown("fold", "fold"), shown("part", "days"), shown("value", metric, ".4f")],
    }
    mark = {"type": "bar", "stroke": ink("muted"), "strokeWidth": 0.5}
    return {"height": 190, "data": rows_of(columns), "layer": [{"mark": mark, "encoding": encoding}, line_at(0.0)]}


def _curve_table(summary: Document) -> Table:
    rows: list[tuple[str, ...]] = []
    for name, curve in summary["out_of_sample"].items():
        interval = curve["interval"]
        ends = (
            "–"
            if interval is None
            else " to ".join(number(interval[end] * _DAYS_PER_YEAR**0.5, 3) for end in ("low", "high"))
        )
        rows.append(
            (
                CURVE_LABELS.get(name, name),
                percent(curve["total_return"]),
                number(curve["annual_sharpe"], 3),
                ends,
                percent(curve["max_drawdown"]),
                percent(curve["probabilistic_sharpe"]),
            )
        )
    header = ("", "return", "annual Sharpe ratio", "95 % interval", "worst drawdown", "probabilistic Sharpe ratio")
    return table("Joined out-of-sample days", header, rows)


def _fold_table(summary: Document) -> Table:
    metric = summary["metric"]
    rows = (
        (
            str(fold["fold"]),
            fold["train_start"],
            fold["test_start"],
            fold["test_end"],
            metric_value(metric, fold["in_sample"][metric]),
            metric_value(metric, fold["out_of_sample"][metric]),
            number(fold["efficiency"], 3),
            percent(fold["out_of_sample"]["returns"]),
            percent(fold["baselines"]["constant_weight"]["returns"]),
        )
        for fold in summary["folds"]
    )
    header = (
        "fold",
        "tuned from",
        "out of sample from",
        "until",
        "in sample",
        "out of sample",
        "efficiency",
        "return",
        "constant weights",
    )
    undefined = "efficiency is undefined where in sample is not above its standard error"
    note = f"{metric}; returns are out of sample; {undefined}."
    return table("Fold by fold", header, rows, note)


def _stability_table(summary: Document) -> Table:
    folds = summary["folds"]
    rows = [
        (f"{FORM_LABELS.get(name, name)}, {token}", *(number(fold["readable"][name][token]) for fold in folds))
        for name in leading_forms(folds[0]["readable"])
        for token in folds[0]["readable"][name]
    ]
    spreads = "; ".join(
        f"{parameter_label(key)} {number(one['spread'], 2)}" for key, one in summary["stability"].items()
    )
    uniform = number(random_spread(summary), 2)
    note = f"Spread over the folds as a share of the search range (uniform random: {uniform}): {spreads}."
    return table("Winners' parameters", ("", *(f"fold {fold['fold']}" for fold in folds)), rows, note)
