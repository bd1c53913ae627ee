"""The page of a tuned run or of a backtest: its content in, all sections out."""

from collections.abc import Iterable

from momentum_opt.results.report import tables
from momentum_opt.results.report.canvas import Drawing, draw
from momentum_opt.results.report.content import Content
from momentum_opt.results.report.figures_luck import luck_plots
from momentum_opt.results.report.figures_path import path_plots
from momentum_opt.results.report.figures_plateau import plateau_plots
from momentum_opt.results.report.figures_search import importance_plots, search_plots
from momentum_opt.results.report.page import Cover, Page, Section, page_of
from momentum_opt.results.report.tables import Table
from momentum_opt.results.report.verdict import verdict_box


def run_page(content: Content) -> Page:
    """Draw every figure that the content allows, and fill the page."""
    fingerprint, document = content.fingerprint, content.document
    cover = Cover(
        title=" / ".join(content.tokens),
        kind="tuned run" if "trial" in document else "backtest",
        facts=(
            content.name,
            f"{fingerprint.window.start} to {fingerprint.last_day}",
            f"objective {fingerprint.objective.metric}",
            f"digest {document['digest'][:8]}",
            f"written {document['created']}",
        ),
        inputs=content.inputs,
        box=verdict_box(content),
        looks=content.looks_words(),
        missing=content.missing,
    )
    return page_of(cover, tuple(_sections(content)))


def _sections(content: Content) -> Iterable[Section]:
    findings = content.findings
    luck = () if findings is None else (tables.sharpe_table(findings), *map(draw, luck_plots(findings)))
    yield Section("results", "Results", _kept(tables.metric_table(content), tables.fees_table(content)))
    yield Section("path", "Value over time", tuple(map(draw, path_plots(content))))
    yield Section("parameters", "Parameters", (tables.parameter_table(content), *map(draw, importance_plots(content))))
    yield Section("luck", "Luck or skill", luck)
    yield Section("search", "Search", tuple(map(draw, search_plots(content))))
    yield Section("plateau", "Neighbourhood", tuple(map(draw, plateau_plots(findings))))
    yield Section("data", "Data", (tables.data_table(content.document["data"]),))
    yield Section(
        "record",
        "Record",
        (
            tables.every_metric_table(content),
            tables.fingerprint_table(content.fingerprint, content.document["digest"]),
            tables.study_table(content.document),
        ),
    )


def _kept(*parts: Drawing | Table | None) -> tuple[Drawing | Table, ...]:
    return tuple(part for part in parts if part is not None)
