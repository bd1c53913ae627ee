"""The page of a tuned run or of a backtest: its content in, all sections out."""

from collections.abc import Iterable

from momentum_opt.results.report import tables
from momentum_opt.results.report.canvas import Drawing, Plot, draw
from momentum_opt.results.report.content import Content
from momentum_opt.results.report.figures_luck import luck_plots
from momentum_opt.results.report.figures_path import path_plots
from momentum_opt.results.report.figures_plateau import plateau_plots
from momentum_opt.results.report.figures_search import importance_plots, search_plots
from momentum_opt.results.report.page import Cover, Page, Section, page_of
from momentum_opt.results.report.second_hand import SecondHand
from momentum_opt.results.report.tables import Table
from momentum_opt.results.report.verdict import verdict_box


def run_page(content: Content, second_hand: SecondHand | None = None) -> Page:
    """Draw every figure that the content allows, with a second hand's help where there is one, and fill the page."""
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
    return page_of(cover, tuple(_sections(content, second_hand)))


def second_half(content: Content) -> list[Plot]:
    """What a second hand draws: the figures of the evidence, or where there is none, those of the search."""
    return [*luck_plots(content.findings), *plateau_plots(content.findings)] or search_plots(content)


def _sections(content: Content, second_hand: SecondHand | None) -> Iterable[Section]:
    findings = content.findings
    path, importances = (tuple(map(draw, plots_of(content))) for plots_of in (path_plots, importance_plots))
    search = () if findings is None else tuple(map(draw, search_plots(content)))
    found = {} if second_hand is None else second_hand.figures()

    def one(plot: Plot) -> Drawing:
        if plot.key not in found:
            return draw(plot)
        wide, narrow, png = found[plot.key]
        return Drawing(plot, wide, narrow, png)

    def drawn(plots: Iterable[Plot]) -> tuple[Drawing, ...]:
        return tuple(map(one, plots))

    luck = () if findings is None else (tables.sharpe_table(findings), *drawn(luck_plots(findings)))
    yield Section("results", "Results", _kept(tables.metric_table(content), tables.fees_table(content)))
    yield Section("path", "Value over time", path)
    yield Section("parameters", "Parameters", (tables.parameter_table(content), *importances))
    yield Section("luck", "Luck or skill", luck)
    yield Section("search", "Search", search or drawn(search_plots(content)))
    yield Section("plateau", "Neighbourhood", drawn(plateau_plots(findings)))
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
