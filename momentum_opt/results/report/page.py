"""The page: content in, one self-contained HTML document and its figures as PNG out."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined, Template

from momentum_opt.results.report import tables
from momentum_opt.results.report.canvas import Drawing, Plot, draw
from momentum_opt.results.report.content import Content
from momentum_opt.results.report.figures_luck import luck_plots
from momentum_opt.results.report.figures_path import path_plots
from momentum_opt.results.report.figures_plateau import plateau_plots
from momentum_opt.results.report.figures_search import importance_plots, search_plots
from momentum_opt.results.report.palette import PALETTE
from momentum_opt.results.report.tables import Table
from momentum_opt.results.report.verdict import verdict_box
from momentum_opt.results.report.wording import unbroken

MARK: Final = '<meta name="momentum-opt-report" content="'
"""What a page of this module holds, followed by the digest of what it was made from."""


@dataclass(frozen=True)
class Section:
    """A part of the page: its anchor, heading, figures and tables in order."""

    key: str
    heading: str
    parts: tuple[Drawing | Table, ...]


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        html: the document.
        pngs: name without suffix → PNG of a figure.
    """

    html: str
    pngs: dict[str, bytes]


def build_page(content: Content) -> Page:
    """Draw every figure, fill the template."""
    sections = [section for section in _sections(content) if section.parts]
    html = _template().render(
        title=" / ".join(content.tokens),
        content=content,
        kind="tuned run" if content.trials is not None or "trial" in content.document else "backtest",
        box=verdict_box(content),
        sections=sections,
        missing=content.missing,
        style=_text("page.css"),
        palette=PALETTE,
        mark=f'{MARK}{content.inputs}">',
        version=_version(),
    )
    drawings = [part for section in sections for part in section.parts if isinstance(part, Drawing)]
    return Page(html, {drawing.plot.key: drawing.png for drawing in drawings})


def _sections(content: Content) -> Iterable[Section]:
    findings = content.findings
    yield Section("results", "Results", _kept(tables.metric_table(content), tables.fees_table(content)))
    yield Section("path", "Value over time", _drawn(path_plots(content)))
    yield Section(
        "parameters", "Parameters", _kept(tables.parameter_table(content), *_drawn(importance_plots(content)))
    )
    if findings is not None:
        yield Section("luck", "Luck or skill", (tables.sharpe_table(findings), *_drawn(luck_plots(findings))))
    yield Section("search", "Search", _drawn(search_plots(content)))
    yield Section("plateau", "Neighbourhood", _drawn(plateau_plots(findings)))
    yield Section("data", "Data", (tables.data_table(content),))
    yield Section(
        "record",
        "Record",
        (tables.every_metric_table(content), tables.fingerprint_table(content), tables.study_table(content)),
    )


def _drawn(plots: Iterable[Plot]) -> tuple[Drawing, ...]:
    return tuple(draw(plot) for plot in plots)


def _kept(*parts: Drawing | Table | None) -> tuple[Drawing | Table, ...]:
    return tuple(part for part in parts if part is not None)


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["unbroken"] = unbroken
    environment.tests["drawing"] = _is_drawing
    return environment.from_string(_text("page.html.jinja"))


def _is_drawing(value: Any) -> bool:
    return isinstance(value, Drawing)


def _text(name: str) -> str:
    return files(__package__ or "").joinpath(name).read_text(encoding="utf-8")


def _version() -> str:
    try:
        return version("momentum-opt")
    except PackageNotFoundError:
        return "not installed"
