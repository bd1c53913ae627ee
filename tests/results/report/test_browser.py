"""The report in a real headless Chromium: a run tuned on pure noise, at the width of a desk and of a telephone."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from selenium.webdriver import ActionChains, Chrome, Keys

from tests.browser import ARTEFACTS, chromium, needs_browser, pdf, requests, screenshot, show
from tests.results.report.pages import outline
from tests.sample_runs import run

pytestmark = [pytest.mark.slow, needs_browser]

SHOTS = ARTEFACTS / "report"
VIEWS = [(1280, False), (1280, True), (400, False), (400, True)]
DAYS = 330
CONFIG = """
data: {root: prices}
tokens: [AAA, BBB, USD]
window: {start: 2023-03-01, end: 2023-10-01, test_end: 2023-11-20}
pool: {max_memory_days: 59}
search: {n_trials: 160}
"""

PROBE = r"""
const shown = node => { const box = node.getBoundingClientRect(); return box.width > 0 && box.height > 0; };
const rgb = text => text.match(/[\d.]+/g).map(Number);
const luminance = ([r, g, b]) => [r, g, b].map(v => v / 255)
  .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const paper = node => {
  for (let at = node; at; at = at.parentElement) {
    const colour = rgb(getComputedStyle(at).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const texts = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || ["SCRIPT", "STYLE", "title", "desc"].includes(node.tagName)) continue;
  const range = document.createRange();
  range.selectNodeContents(walker.currentNode);
  if (!range.getClientRects().length || !shown(node) || getComputedStyle(node).visibility !== "visible") continue;
  const svg = node instanceof SVGElement, style = getComputedStyle(node);
  const matrix = svg ? node.getScreenCTM() : null;
  const size = parseFloat(style.fontSize) * (svg ? Math.hypot(matrix.a, matrix.b) : 1);
  const [one, other] = [rgb(svg ? style.fill : style.color), paper(node)].map(luminance);
  const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  texts.push([walker.currentNode.data.trim().slice(0, 40), size, contrast]);
}
const figures = [...document.querySelectorAll("figure")].map(figure => {
  const drawn = [...figure.querySelectorAll("svg")].filter(shown);
  return [figure.id, drawn.map(svg => {
    const box = svg.getBoundingClientRect();
    const marks = [...svg.querySelectorAll("path, use, image")].filter(shown).length;
    return [box.width, box.height, marks, svg.querySelectorAll("text").length];
  })];
});
const root = document.documentElement;
const rules = [...document.querySelectorAll(".rules li")].map(rule => {
  const [box, values] = [rule, rule.querySelector(".values")].map(node => node.getBoundingClientRect());
  const inside = [...rule.children].every(part => part.getBoundingClientRect().right <= box.right + 1);
  return [inside, values.height / parseFloat(getComputedStyle(rule).lineHeight)];
});
return {texts, figures, rules, overflow: root.scrollWidth - root.clientWidth, width: innerWidth,
        colour: getComputedStyle(document.body).backgroundColor};
"""


@pytest.fixture(scope="module")
def noise_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run tuned on two random walks without drift and a constant; its page was written by `tune`."""
    folder = tmp_path_factory.mktemp("noise")
    (folder / "prices").mkdir()
    times = 1_672_531_200_000 + 60_000 * np.arange(DAYS * 1440, dtype=np.int64)
    for seed, (token, daily) in enumerate((("AAA", 0.03), ("BBB", 0.04), ("USD", 0.0))):
        steps = np.random.default_rng(seed).normal(size=len(times)) * daily / np.sqrt(1440)
        table = pa.table({"unix": times, "close": 100.0 * np.exp(np.cumsum(steps))})
        pq.write_table(table, folder / "prices" / f"{token}_USD.parquet")
    (folder / "noise.yaml").write_text(CONFIG)
    done = run("tune", "noise.yaml", "--run-dir", "run", "--report", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "report: run/report.html" in done.stdout
    return folder / "run"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    shutil.rmtree(SHOTS, ignore_errors=True)
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def test_on_noise_the_box_says_plainly_that_nothing_was_found(noise_run: Path):
    page = outline((noise_run / "report.html").read_text())
    assert ("h2", "Nothing was found") in page.headings
    assert "The best of so many candidates would look like this by luck alone." in page.text
    assert "not met" in page.text


@pytest.mark.parametrize(("width", "dark"), VIEWS)
def test_everything_is_drawn_and_readable(driver: Chrome, noise_run: Path, width: int, dark: bool):
    page = noise_run / "report.html"
    assert page.stat().st_size < 6 * 2**20
    driver.get_log("browser")
    requests(driver, page)
    show(driver, page, width, dark=dark)
    screenshot(driver, SHOTS / f"{width}-{'dark' if dark else 'light'}.png")
    assert driver.get_log("browser") == []
    asked = [address for address in requests(driver, page) if not address.startswith("data:")]
    assert asked == [page.resolve().as_uri()]
    found = driver.execute_script(PROBE)
    assert found["width"] == width
    assert found["overflow"] <= 0
    assert {name.removeprefix("figure-") for name, _ in found["figures"]} == {
        path.stem for path in (noise_run / "figures").iterdir()
    }
    assert len(found["figures"]) == 10
    for name, drawn in found["figures"]:
        ((wide, tall, marks, words),) = drawn  # the wide one or the narrow one
        assert wide > 0.7 * min(width, 900), name
        assert tall > 80, name
        assert marks > 5, name
        assert words > 3, name
    assert len(found["rules"]) == 4
    assert all(inside and lines < (1.5 if width == 1280 else 3.5) for inside, lines in found["rules"])
    assert len(found["texts"]) > 200
    assert [one for one in found["texts"] if one[1] < 11.0] == []
    assert [one for one in found["texts"] if one[2] < 4.5] == []
    lightness = int(found["colour"].strip("rgb()").split(",")[0])
    assert lightness < 60 if dark else lightness > 240


@pytest.mark.parametrize("width", [1280, 400])
def test_everything_can_be_reached_by_keyboard(driver: Chrome, noise_run: Path, width: int):
    show(driver, noise_run / "report.html", width)
    focused = "const e = document.activeElement; return e.id || e.getAttribute('href') || e.className || e.tagName"
    outlined = "const s = getComputedStyle(document.activeElement); return s.outlineStyle !== 'none'"
    reached: list[str] = []
    for _ in range(40):
        ActionChains(driver).send_keys(Keys.TAB).perform()
        reached.append(driver.execute_script(focused))
        assert driver.execute_script(outlined), reached[-1]
        if reached[-1] == "scroll":
            break
    links = [f"#{key}" for key in outline((noise_run / "report.html").read_text()).ids if f"#{key}" in reached]
    assert reached[:2] == ["#main", "theme"]
    assert {"#verdict", "#results", "#path", "#parameters", "#luck", "#search", "#plateau", "#data", "#record"} <= set(
        links
    )
    assert "scroll" in reached  # a table that may be wider than the screen


def test_the_toggle_turns_light_to_dark_and_back(driver: Chrome, noise_run: Path):
    show(driver, noise_run / "report.html", 1280)
    colour = "return getComputedStyle(document.body).backgroundColor"
    button = driver.find_element("id", "theme")
    light, seen = driver.execute_script(colour), [button.text]
    for key in (Keys.ENTER, Keys.SPACE):
        button.send_keys(key)
        seen.append(button.text)
        seen.append(driver.execute_script(colour))
    assert seen[0] == "Dark page"
    assert seen[1] == "Light page"
    assert seen[2] != light
    assert seen[3:] == ["Dark page", light]
    show(driver, noise_run / "report.html", 1280, dark=True)
    driver.find_element("id", "theme").send_keys(Keys.ENTER)
    assert driver.execute_script(colour) == light
    assert driver.get_log("browser") == []


def test_the_skip_link_leads_to_the_report(driver: Chrome, noise_run: Path):
    show(driver, noise_run / "report.html", 400)
    ActionChains(driver).send_keys(Keys.TAB).send_keys(Keys.ENTER).perform()
    assert driver.execute_script("return document.activeElement.id") == "main"


def test_it_prints_dark_on_white(driver: Chrome, noise_run: Path):
    show(driver, noise_run / "report.html", 1280, dark=True)
    pdf(driver, SHOTS / "print.pdf")
    assert (SHOTS / "print.pdf").read_bytes().startswith(b"%PDF")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    printed = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert printed == "rgb(254, 254, 254)"
