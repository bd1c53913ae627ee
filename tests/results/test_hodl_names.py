"""One name for each meaning of HODL, in everything that a user reads: terminal, pages, figures, help texts, docs."""

import ast
import json
import re
from pathlib import Path

import pytest

from momentum_opt.cli.folds import curve_table
from momentum_opt.cli.render import metric_table
from momentum_opt.results.report.content import Content, run_content
from momentum_opt.results.report.page import Page
from momentum_opt.results.report.run_page import run_page
from momentum_opt.results.report.walk_page import WalkFiles, walk_page
from momentum_opt.results.run_folder import RunFolder
from momentum_opt.vocabulary.names import BASELINE_LABELS, PERIOD_LABELS
from tests.evidence.test_walk_verdict import ahead_of, judged
from tests.results.report.pages import outline
from tests.results.report.test_walk_page import files as walk_files  # noqa: F401  (a fixture)
from tests.sample_runs import ROOT, tuned

NAMED = re.compile(r"(?:\b([A-Za-z][\w-]*) )?HODLs?\b(?: from the period's start)?")
FREE = {
    None, "and", "both", "does", "from", "here", "hence", "in", "is", "of", "on", "or", "over", "parts", "so", "than",
    "the", "to", "two", "weights", "while", "with",
}  # fmt: skip
"""Words before it that say nothing of which it is."""


def names_in(text: str) -> list[str]:
    """Every HODL of a text with what qualifies it."""
    text = " ".join(text.replace("’", "'").split())
    return [one.group().removeprefix(f"{one[1]} " if one[1] in FREE else "") for one in NAMED.finditer(text)]


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Content:
    return run_content(RunFolder(tuned(tmp_path_factory.getbasetemp())[1]))


def figures(page: Page, *keys: str) -> list[str]:
    """Every name in the definitions of figures, captions and texts for screen readers."""
    return [
        name
        for plot in page.plots
        if not keys or plot.key in keys
        for name in names_in(json.dumps(plot.views) + plot.caption + plot.alt)
    ]


def test_baselines_of_a_period_say_so(
    content: Content,
    walk_files: WalkFiles,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("COLUMNS", "400")  # no name is wrapped
    walk = walk_page(walk_files)
    summary = json.loads(walk_files.summary.read_text())
    verdict = judged(ahead_of(0.1), draws=100)
    for told in (
        names_in(metric_table(content.document)),
        names_in(curve_table(summary)),
        names_in(" ".join(rule.words for rule in verdict.rules)),
        names_in(outline(walk.html).text),
        figures(walk),
    ):
        assert told
        assert set(told) <= set(PERIOD_LABELS.values()), told


def test_those_of_the_whole_simulation_do_not(content: Content):
    page = run_page(content)
    for key in ("equity", "drawdown", "parts"):
        told = figures(page, key)
        assert told, key
        assert set(told) <= set(BASELINE_LABELS.values()), key


def test_nothing_else_is_called_hodl():
    """Of every text in the package and every word of the documentation."""
    known = {*BASELINE_LABELS.values(), *PERIOD_LABELS.values(), "HODLs"}
    texts = {path: path.read_text() for path in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]}
    texts |= {path: notebook_text(path) for path in ROOT.glob("docs/*.ipynb")}
    texts |= {path: strings_of(path) for path in ROOT.glob("momentum_opt/**/*.py")}
    told = {path.name: names_in(text) for path, text in texts.items()}
    assert sum(map(len, told.values())) > 20
    assert {name: set(found) - known for name, found in told.items() if set(found) - known} == {}
    assert names_in("as much as equal-weight HODL of a pool") == ["equal-weight HODL"]


def strings_of(path: Path) -> str:
    """All strings of a module, docstrings too: some become help texts and pages."""
    tree = ast.parse(path.read_text())
    found = [one.value for one in ast.walk(tree) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return "\n.\n".join(found)


def notebook_text(path: Path) -> str:
    cells = json.loads(path.read_text())["cells"]
    return "\n.\n".join("".join(cell["source"]) + json.dumps(cell.get("outputs", [])) for cell in cells)
