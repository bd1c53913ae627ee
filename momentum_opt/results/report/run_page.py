"""The page of a tuned run or of a backtest: its content in, all sections out."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from momentum_opt.results.report import tables
from momentum_opt.results.report.content import Content
from momentum_opt.results.report.figures_front import front_parts
from momentum_opt.results.report.figures_luck import luck_plots
from momentum_opt.results.report.figures_path import marked_periods, path_plots
from momentum_opt.results.report.figures_plateau import plateau_plots
from momentum_opt.results.report.figures_search import importance_plots, search_plots
from momentum_opt.results.report.figures_tear import tear_parts
from momentum_opt.results.report.page import Cover, Page, Section, page_of
from momentum_opt.results.report.plot import Plot
from momentum_opt.results.report.tables import Table
from momentum_opt.results.report.trial_points import trial_table
from momentum_opt.results.report.verdict import verdict_box
from momentum_opt.results.report.wording import objective_labels

if TYPE_CHECKING:
    from momentum_opt.evidence.pairs import PairMap


def run_page(content: Content, pair: "PairMap | None" = None) -> Page:
    """Define every figure that the content allows, and fill the page.

    Args:
        content: of the run or backtest.
        pair: the objective over two numbers, where that was asked for.
    """
    fingerprint, document = content.fingerprint, content.document
    cover = Cover(
        title=" / ".join(content.tokens),
        kind="tuned run" if "trial" in document else "backtest",
        facts=(
            content.name,
            f"{fingerprint.window.start} to {fingerprint.last_day}",
            f"objective {' and '.join(fingerprint.objective.names)}",
            f"digest {document['digest'][:8]}",
            f"written {document['created']}",
        ),
        inputs=content.inputs,
        box=verdict_box(content),
        looks=content.looks_words(),
        missing=content.missing,
    )
    return page_of(cover, tuple(_sections(content, pair)))


def _sections(content: Content, pair: "PairMap | None" = None) -> Iterable[Section]:
    findings = content.findings
    sharpe = () if findings is None else (tables.sharpe_table(findings),)
    sheet = content.tear_sheet()
    results = (
        tables.metric_table(content),
        tables.limits_table(content),
        tables.decomposition_table(content),
        tables.fees_table(content),
    )
    yield Section("results", "Results", _kept(*results))
    yield Section("path", "Value over time", tuple(path_plots(content, sheet)))
    yield Section("tear", "Tear sheet", () if sheet is None else tear_parts(sheet, marked_periods(content)))
    yield Section("parameters", "Parameters", (tables.parameter_table(content), *importance_plots(content)))
    aim = content.fingerprint.objective
    yield Section("luck", "Overfitting statistics", (*sharpe, *luck_plots(findings, aim.metric)))
    yield Section("objectives", "Several objectives", front_parts(content))
    search = tuple(search_plots(content))
    yield Section("search", "Search", (*search, trial_table(content)) if search else ())
    yield Section("plateau", "Neighbourhood", tuple(plateau_plots(findings, aim)))
    if pair is not None:
        from momentum_opt.results.report.figures_pair import pair_plots  # what it draws imports JAX

        plots = pair_plots(pair, objective_labels(aim)[0], aim.signs[0])
        yield Section("pair", "Pairs of parameters", tuple(plots))
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


def _kept(*parts: Plot | Table | None) -> tuple[Plot | Table, ...]:
    return tuple(part for part in parts if part is not None)


def run_plots(content: Content) -> dict[str, Plot]:
    """Every figure of the page by its key, in the page's order."""
    return {part.key: part for one in _sections(content) for part in one.parts if isinstance(part, Plot)}
