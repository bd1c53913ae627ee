"""Generated pages name every key, metric and command; configurations shown are read; the notebook and pictures work."""

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

from docs.hooks import commands, configuration, incumbent, metrics, notebook
from docs.run_notebook import run_cell
from momentum_opt.fingerprint import load_fingerprint
from momentum_opt.fingerprint.keys import LEAVES
from momentum_opt.fingerprint.natural import EXAMPLES
from momentum_opt.vocabulary.metrics import METRICS
from momentum_opt.vocabulary.schema import MOMENTUM_PARAM_SCHEMA
from tests.browser import needs_browser
from tests.docs.blocks import PAGES, blocks
from tests.sample_runs import ROOT, smoke


def test_every_key_is_in_the_reference():
    page = configuration.page()
    rows = {match[1]: match[0] for match in re.finditer(r"^\| `([\w.]+)` \|.*$", page, re.MULTILINE)}
    for leaf in LEAVES:
        row = rows[".".join(leaf.path)]
        assert f"`{'.'.join(leaf.key)}`{' ●' if leaf.in_digest else ''}" in row
        _, _, kind, _, default, accepts, meaning, _, _ = (cell.strip() for cell in re.split(r"(?<!\\)\|", row))
        assert kind, leaf
        assert default, leaf
        assert accepts or kind == "mapping", leaf
        assert meaning.endswith("."), leaf
    assert set(MOMENTUM_PARAM_SCHEMA) <= set(rows)
    for name, example in EXAMPLES.items():
        assert f"[low, high], such as {example}" in rows[f"search.parameters.{name}"]
        assert smoke(f"search.parameters.{name}={example}", "pool.max_memory_days=365").search.parameters


def test_every_metric_is_in_the_reference():
    page = metrics.page()
    for name, info in METRICS.items():
        (row,) = (line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        assert info.description in row
        assert f"| {info.direction} | {info.unit} |" in row


def test_every_command_is_in_the_reference():
    page = commands.page()
    for words in commands.command_words():
        assert f"\n## {' '.join(['momentum-opt', *words])}\n" in page


def test_keys_of_the_other_simulator_are_in_its_table():
    assert incumbent.MARK in (ROOT / "docs" / "quantammsim.md").read_text()
    assert all(f"`{'.'.join(leaf.key)}`" in incumbent.key_table() for leaf in LEAVES if leaf.key != leaf.path)


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.page)
def test_a_configuration_is_read(block, tmp_path: Path):
    whole = yaml.safe_load((ROOT / "configs" / "quickstart.yaml").read_text())
    whole["data"]["root"] = str(ROOT / "data" / "sample")
    for section, values in yaml.safe_load(block.text).items():
        whole[section] = {**whole.get(section, {}), **values} if isinstance(values, dict) else values
    path = tmp_path / "shown.yaml"
    path.write_text(yaml.safe_dump(whole))
    load_fingerprint(path)


@pytest.mark.parametrize("block", blocks("json"), ids=lambda block: block.page)
def test_json_is_json(block):
    json.loads(block.text)


def test_every_page_is_in_the_navigation():
    nav = (ROOT / "mkdocs.yml").read_text()
    pages = [page.name for page in PAGES if page.parent.name == "docs"]
    assert [name for name in pages if f"- {name}\n" not in nav] == []


def test_pictures_are_there():
    from docs.pictures.draw import HERE, PICTURES

    shown = {Path(link).name for page in PAGES for link in re.findall(r"\]\((\S+\.(?:svg|png))\)", page.read_text())}
    assert shown == {path.name for path in HERE.iterdir() if path.suffix in (".svg", ".png")}
    assert set(PICTURES) <= shown
    for name in PICTURES:
        assert ElementTree.parse(HERE / name).getroot().tag.endswith("svg")
    assert (HERE / "report.png").stat().st_size < 200_000


@pytest.mark.slow
def test_a_picture_can_be_drawn(tmp_path: Path):
    from docs.pictures.draw import draw

    for name in ("guard_rails.svg", "arbitrage.svg", "memory.svg", "rooms.svg"):
        draw(name, tmp_path / name)
        assert ElementTree.parse(tmp_path / name).getroot().tag.endswith("svg")


@pytest.mark.slow
@needs_browser
def test_the_head_of_a_page_is_drawn(tmp_path: Path):
    from PIL import Image

    from docs.pictures.page import SIZE, draw

    page, path = tmp_path / "page.html", tmp_path / "head.png"
    page.write_text("<body style='margin: 0; background: #123456; height: 3000px'><script>setTimeout(() => "
                    "document.body.style.background = '#fe0000', 500)</script>")  # fmt: skip
    draw(page, path)
    picture = Image.open(path)
    assert picture.size == SIZE
    assert picture.convert("RGB").getcolors() == [(SIZE[0] * SIZE[1], (254, 0, 0))]


def test_the_notebook_was_executed():
    cells = [cell for cell in json.loads(notebook.NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert all(cell["outputs"] for cell in cells)


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "docs").mkdir()
    for name in ("configs", "data"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path / "docs")
    small = '"search.n_trials=16", "search.batch_size=8", "evidence.enabled=false"'
    names: dict[str, object] = {}
    for cell in json.loads(notebook.NOTEBOOK.read_text())["cells"]:
        if cell["cell_type"] == "code":
            assert list(run_cell("".join(cell["source"]).replace('"search.n_trials=64"', small), names))
