"""The page: a cover and sections in, one self-contained HTML document with its figures' definitions out."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined, Template

from momentum_opt.results.report.palette import FONT, PALETTE
from momentum_opt.results.report.plot import Plot, for_page
from momentum_opt.results.report.tables import Table
from momentum_opt.results.report.trial_points import TrialTable
from momentum_opt.results.report.vega import script
from momentum_opt.results.report.verdict import VerdictBox
from momentum_opt.results.report.wording import unbroken

MARK: Final = '<meta name="momentum-opt-report" content="'
"""What a page of this module holds, followed by the digest of what it was made from."""


@dataclass(frozen=True)
class Cover:
    """What stands at the head and the foot of a page.

    Attributes:
        title: the tokens.
        kind: what the page tells of.
        facts: name, window and the like, in one line.
        inputs: digest of what it was made from.
        box: the verdict; None where nothing was chosen.
        looks: how often the test period was evaluated; empty where no figure of it is shown.
        missing: what was left out and why, one line each.
    """

    title: str
    kind: str
    facts: tuple[str, ...]
    inputs: str
    box: VerdictBox | None = None
    looks: str = ""
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """A part of the page: its anchor, heading, figures and tables in order."""

    key: str
    heading: str
    parts: tuple[Plot | Table | TrialTable, ...]


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        html: the document.
        plots: its figures.
    """

    html: str
    plots: tuple[Plot, ...]


def page_of(cover: Cover, sections: tuple[Section, ...]) -> Page:
    """Fill the template; sections without a part are left out."""
    shown = [section for section in sections if section.parts]
    plots = tuple(part for section in shown for part in section.parts if isinstance(part, Plot))
    html = _template().render(
        cover=cover,
        sections=shown,
        style=_text("page.css"),
        palette=PALETTE,
        font=FONT,
        plots=_embedded({plot.key: [*map(for_page, plot.views)] for plot in plots}),
        vega=script() if plots else "",
        figures=_text("figures.js"),
        mark=f'{MARK}{cover.inputs}">',
        version=_version(),
    )
    return Page(html, plots)


def _embedded(value: Any) -> str:
    """JSON that may stand in an element of a page."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).replace("<", r"\u003c")


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["unbroken"] = unbroken
    environment.tests["plot"] = _is_plot
    environment.tests["of_trials"] = _is_of_trials
    return environment.from_string(_text("page.html.jinja"))


def _is_plot(value: Any) -> bool:
    return isinstance(value, Plot)


def _is_of_trials(value: Any) -> bool:
    return isinstance(value, TrialTable)


def _text(name: str) -> str:
    return files(__package__ or "").joinpath(name).read_text(encoding="utf-8")


def _version() -> str:
    try:
        return version("momentum-opt")
    except PackageNotFoundError:
        return "not installed"
