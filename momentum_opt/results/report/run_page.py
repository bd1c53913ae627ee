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
            f"objective {' and '.join(fingerprint.objective.names)}",
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
    sign = content.fingerprint.objective.signs[0]
    return [*luck_plots(content.findings), *plateau_plots(content.findings, sign)] or search_plots(content)


def _sections(content: Content, second_hand: SecondHand | None) -> Iterable[Section]:
    findings = content.findings
    path, importances, search = path_plots(content), importance_plots(content), search_plots(content)
    luck, plateau = luck_plots(findings), plateau_plots(findings, content.fingerprint.objective.signs[0])
    drawings = _drawings([*path, *importances, *luck, *search, *plateau], content, second_hand)

    def drawn(plots: Iterable[Plot]) -> tuple[Drawing, ...]:
        return tuple(drawings[plot.key] for plot in plots)

    sharpe = () if findings is None else (tables.sharpe_table(findings),)
    results = (
        tables.metric_table(content),
        tables.limits_table(content),
        tables.decomposition_table(content),
        tables.fees_table(content),
    )
    yield Section("results", "Results", _kept(*results))
    yield Section("path", "Value over time", drawn(path))
    yield Section("parameters", "Parameters", (tables.parameter_table(content), *drawn(importances)))
    yield Section("luck", "Overfitting statistics", (*sharpe, *drawn(luck)))
    yield Section("search", "Search", drawn(search))
    yield Section("plateau", "Neighbourhood", drawn(plateau))
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


def _drawings(plots: Iterable[Plot], content: Content, second_hand: SecondHand | None) -> dict[str, Drawing]:
    """All drawings by key: first this process's own, then a second hand's, and what that one did not do."""
    theirs = set() if second_hand is None else {plot.key for plot in second_half(content)}
    own = {plot.key: draw(plot) for plot in plots if plot.key not in theirs}
    found = {} if second_hand is None else second_hand.figures()

    def drawing(plot: Plot) -> Drawing:
        if plot.key in own:
            return own[plot.key]
        if plot.key not in found:
            return draw(plot)
        wide, narrow, png = found[plot.key]
        return Drawing(plot, wide, narrow, png)

    return {plot.key: drawing(plot) for plot in plots}


def _kept(*parts: Drawing | Table | None) -> tuple[Drawing | Table, ...]:
    return tuple(part for part in parts if part is not None)
