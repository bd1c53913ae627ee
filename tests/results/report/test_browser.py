"""The report in a real headless Chromium: a run tuned on pure noise, at the width of a desk and of a telephone."""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from selenium.webdriver import ActionChains, Chrome, Keys
from selenium.webdriver.support.ui import WebDriverWait

from momentum_opt.api.pairing import pair_of
from momentum_opt.results.report.content import run_content
from momentum_opt.results.report.run_page import run_page
from momentum_opt.results.report.write import write_page
from momentum_opt.results.run_folder import RunFolder
from tests.browser import ARTEFACTS, chromium, needs_browser, pdf, requests, screenshot
from tests.browser import show as open_page
from tests.results.report.pages import outline
from tests.results.report.test_front import with_several
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
  const drawn = [...figure.querySelectorAll(".view > svg")].filter(shown);
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


DRAWN = "return document.documentElement.dataset.figures === 'drawn'"
TIMED = ("equity", "ratio", "drawdown", "parts", "weights")
JOINT = "HODL = uniform HODL"
"""The first weights are equal, so both hold the same tokens."""
FIGURES = {
    *TIMED, "rolling_sharpe", "rolling_volatility", "days", "flows",
    "importance", "overfitting", "unchosen", "history", "scatter", "plateau", "maps",
}  # fmt: skip


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


def show(driver: Chrome, page: Path, width: int, *, dark: bool = False) -> None:
    """Open the page and wait until its figures are drawn."""
    open_page(driver, page, width, dark=dark)
    WebDriverWait(driver, 30).until(lambda one: one.execute_script(DRAWN))


def test_on_noise_the_box_says_plainly_that_nothing_was_found(noise_run: Path):
    page = outline((noise_run / "report.html").read_text())
    assert ("h2", "No evidence of skill") in page.headings
    assert re.search(r"Selection among [\d,]+ candidates explains the result\.", page.text)
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
    assert {name.removeprefix("figure-") for name, _ in found["figures"]} == FIGURES
    for name, views in found["figures"]:
        assert views, name
        for wide, tall, marks, words in views:
            assert wide > 0.7 * min(width, 900) / (len(views) if width == 1280 else 1) - 30, name
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
    for _ in range(80):
        ActionChains(driver).send_keys(Keys.TAB).perform()
        reached.append(driver.execute_script(focused))
        assert driver.execute_script(outlined), reached[-1]
        if reached[-1] == "scroll":
            break
    links = [f"#{key}" for key in outline((noise_run / "report.html").read_text()).ids if f"#{key}" in reached]
    assert reached[:2] == ["#main", "theme"]
    assert {
        "#verdict",
        "#results",
        "#path",
        "#tear",
        "#parameters",
        "#luck",
        "#search",
        "#plateau",
        "#data",
        "#record",
    } <= set(links)
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


def test_a_figure_follows_dark_and_print_without_being_drawn_anew(driver: Chrome, noise_run: Path):
    show(driver, noise_run / "report.html", 1280, dark=True)
    ink = "return getComputedStyle(document.querySelector('#figure-equity .role-axis-label text')).fill"
    dark = driver.execute_script(ink)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    printed = driver.execute_script(ink)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert (dark, printed) == ("rgb(230, 233, 237)", "rgb(27, 31, 36)")


def view(driver: Chrome, key: str) -> Any:
    """A figure, in the middle of the screen."""
    found = driver.find_element("css selector", f"#figure-{key} .view")
    driver.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", found)
    return found


def wait_for(driver: Chrome, script: str, *arguments: Any) -> Any:
    """What a script gives, once it is something."""
    return WebDriverWait(driver, 60).until(lambda one: one.execute_script(script, *arguments))


def dates(driver: Chrome, key: str) -> list[tuple[int, str]]:
    """Places in pixels and labels of the time axis of a figure, the first of its axes that has any."""
    script = """
const shown = text => text.textContent && getComputedStyle(text).opacity !== "0";
const axes = [...document.querySelectorAll(`#figure-${arguments[0]} .role-axis`)];
const labels = axes.map(axis => [...axis.querySelectorAll(".role-axis-label text")].filter(shown));
return labels.filter(one => one.length)[0].map(text => [Math.round(text.getBoundingClientRect().x), text.textContent]);
"""
    return sorted((place, label) for place, label in driver.execute_script(script, key))


def lines(driver: Chrome, key: str) -> int:
    script = "return document.querySelectorAll(`#figure-${arguments[0]} .mark-line.role-mark path`).length"
    return driver.execute_script(script, key)


def test_hovering_shows_the_day_and_every_value(driver: Chrome, noise_run: Path):
    show(driver, noise_run / "report.html", 1280)
    daily = pd.read_parquet(noise_run / "daily.parquet")
    for key, columns, digits in (
        ("equity", {"this pool": "value", JOINT: "hodl_value", "constant-weight pool": "constant_weight_value"}, 4),
        ("weights", {token: f"weight_{token}" for token in ("AAA", "BBB", "USD")}, None),
    ):
        ActionChains(driver).move_to_element_with_offset(view(driver, key), 60, 30).perform()
        script = "const t = document.querySelector('#vg-tooltip-element.visible'); return t && t.innerText"
        text = wait_for(driver, script)
        told = dict(line.split("\t") for line in text.splitlines() if "\t" in line)
        told = {name.strip().rstrip(":"): value.strip() for name, value in told.items()}
        (row,) = daily[daily["time"].dt.strftime("%Y-%m-%d") == told["date"]].to_dict("records")
        for name, column in columns.items():
            expected = row[column] / daily[column].iloc[0] if digits else row[column]
            assert told[name] == (f"{expected:.4f}" if digits else f"{expected:.2%}"), (key, name)
        ActionChains(driver).move_to_element(driver.find_element("tag name", "h1")).perform()
    assert driver.get_log("browser") == []


def test_zooming_one_figure_of_time_zooms_them_all(driver: Chrome, noise_run: Path):
    show(driver, noise_run / "report.html", 1280)
    whole = {key: dates(driver, key) for key in TIMED}
    wheel = """
const box = arguments[0].getBoundingClientRect();
const at = {clientX: box.x + box.width / 2, clientY: box.y + box.height / 2};
const turned = {...at, deltaY: -300, ctrlKey: arguments[1], bubbles: true, cancelable: true};
document.elementFromPoint(at.clientX, at.clientY).dispatchEvent(new WheelEvent("wheel", turned));
"""
    drawdown = view(driver, "drawdown")
    driver.execute_script(wheel, drawdown, False)  # the wheel alone scrolls the page
    assert dates(driver, "drawdown") == whole["drawdown"]
    driver.execute_script(wheel, drawdown, True)
    WebDriverWait(driver, 60).until(lambda one: all(dates(one, key) != whole[key] for key in TIMED))
    view(driver, "weights").send_keys("0")
    WebDriverWait(driver, 60).until(lambda one: all(dates(one, key) == whole[key] for key in TIMED))
    view(driver, "equity")
    driver.find_element("css selector", "#figure-equity .tools button").click()
    WebDriverWait(driver, 60).until(lambda one: all(dates(one, key) != whole[key] for key in TIMED))
    zoomed = dates(driver, "parts")
    ActionChains(driver).drag_and_drop_by_offset(view(driver, "equity"), -200, 0).perform()
    WebDriverWait(driver, 60).until(lambda one: dates(one, "parts") != zoomed)
    view(driver, "parts")
    driver.find_element("css selector", "#figure-parts .tools button:last-child").click()
    WebDriverWait(driver, 60).until(lambda one: all(dates(one, key) == whole[key] for key in TIMED))
    assert driver.get_log("browser") == []


def test_a_name_in_the_legend_hides_its_line(driver: Chrome, noise_run: Path):
    show(driver, noise_run / "report.html", 1280)
    assert lines(driver, "equity") == 4
    equity = view(driver, "equity")
    (name,) = [one for one in equity.find_elements("css selector", ".role-legend-label text") if one.text == JOINT]
    for left in (3, 4):
        name.click()
        WebDriverWait(driver, 60).until(lambda one, left=left: lines(one, "equity") == left)
    for left in (3, 4):
        equity.send_keys("4")
        WebDriverWait(driver, 60).until(lambda one, left=left: lines(one, "equity") == left)
    assert driver.get_log("browser") == []


def test_the_value_can_be_shown_on_a_log_scale(driver: Chrome, noise_run: Path):
    show(driver, noise_run / "report.html", 1280)
    view(driver, "equity")
    button = driver.find_element("css selector", "#figure-equity .tools button:last-child")
    path = "return document.querySelector('#figure-equity .mark-line.role-mark path').getAttribute('d')"
    linear = driver.execute_script(path)
    assert (button.text, button.get_attribute("aria-pressed")) == ("Log scale", "false")
    button.click()
    WebDriverWait(driver, 60).until(lambda one: one.execute_script(path) != linear)
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    WebDriverWait(driver, 60).until(lambda one: one.execute_script(path) == linear)
    assert driver.get_log("browser") == []


def test_a_clicked_trial_is_told_of_in_both_figures(driver: Chrome, noise_run: Path):
    show(driver, noise_run / "report.html", 1280)
    trials = pd.read_parquet(noise_run / "trials.parquet").set_index("number")
    scatter = view(driver, "scatter")
    points = scatter.find_elements("css selector", ".mark-symbol.role-mark path")
    ActionChains(driver).move_to_element(points[40]).click().perform()

    def told(key: str) -> str:
        return driver.find_element("css selector", f"#figure-{key} .picked").text

    WebDriverWait(driver, 60).until(lambda _: told("scatter"))
    assert told("scatter") == told("history")

    def check() -> int:
        found = re.match(r"trial ([\d,]+) · objective (\S+) · .*k per day, AAA (\S+) ·", told("history"))
        assert found is not None, told("history")
        row = trials.loc[int(found[1].replace(",", ""))]
        assert float(found[2].replace("−", "-")) == pytest.approx(row["objective"], rel=1e-4)
        assert float(found[3].replace("−", "-").replace(",", "")) == pytest.approx(row["k_per_day_AAA"], rel=1e-3)
        return int(found[1].replace(",", ""))

    first = check()
    words = told("history")
    view(driver, "history").send_keys(Keys.ARROW_RIGHT)
    WebDriverWait(driver, 60).until(lambda _: told("scatter") != words)
    assert check() > first
    assert driver.get_log("browser") == []


def test_several_objectives_and_a_pair_are_drawn(driver: Chrome, noise_run: Path, tmp_path: Path):
    content = with_several(run_content(RunFolder(noise_run)))
    pair = pair_of(content, noise_run / "best.json", ("k_AAA", "memory_BBB"))
    write_page(run_page(content, pair), tmp_path / "page.html", None)
    for width, dark in VIEWS:
        show(driver, tmp_path / "page.html", width, dark=dark)
        screenshot(driver, SHOTS / f"several-{width}-{'dark' if dark else 'light'}.png")
        found = driver.execute_script(PROBE)
        assert found["overflow"] <= 0
        assert dict(found["figures"]).keys() >= {f"figure-{key}" for key in ("fronts", "parallel", "pair", "slices")}
        for name, views in found["figures"]:
            assert all(tall > 80 and marks > 5 for _, tall, marks, _ in views), name
        assert [one for one in found["texts"] if one[1] < 11.0] == []
    show(driver, tmp_path / "page.html", 1280)
    lines = """
const paths = [...document.querySelectorAll("#figure-parallel .mark-line.role-mark path")];
return paths.filter(one => Number(getComputedStyle(one).opacity) > 0.1).length;
"""
    everything = driver.execute_script(lines)
    fronts = view(driver, "fronts")
    actions = ActionChains(driver).move_to_element_with_offset(fronts, 0, -60).key_down(Keys.SHIFT).click_and_hold()
    actions.move_by_offset(100, 60).move_by_offset(40, 60).release().key_up(Keys.SHIFT).perform()
    WebDriverWait(driver, 60).until(lambda one: "brushed" in count(one))
    WebDriverWait(driver, 60).until(lambda one: one.execute_script(lines) < everything)
    press(driver, "fronts", "Reset")
    WebDriverWait(driver, 60).until(lambda one: one.execute_script(lines) == everything)
    assert driver.get_log("browser") == []


def listed(driver: Chrome) -> list[int]:
    """Numbers of the trials in the page's table."""
    script = "return [...document.querySelectorAll('#trials tbody th')].map(cell => cell.textContent)"
    return [int(text.replace(",", "")) for text in driver.execute_script(script)]


def count(driver: Chrome) -> str:
    return driver.find_element("css selector", "#trials .count").text


def press(driver: Chrome, key: str, name: str) -> None:
    (button,) = [
        one for one in driver.find_elements("css selector", f"#figure-{key} .tools button") if one.text == name
    ]
    button.click()


def test_a_brush_over_trials_filters_the_table_and_the_other_figure(driver: Chrome, noise_run: Path):
    show(driver, noise_run / "report.html", 1280)
    trials = pd.read_parquet(noise_run / "trials.parquet").set_index("number")
    best = trials["objective"].sort_values(ascending=False, kind="stable")
    assert count(driver) == f"15 of {len(trials)}"
    # The page has six digits, by which more are alike.
    assert trials.loc[listed(driver), "objective"].tolist() == pytest.approx(best.iloc[:15].tolist(), rel=1e-5)
    script = """
const points = [...document.querySelectorAll("#figure-history .mark-symbol.role-mark path")];
return points.filter(one => Number(getComputedStyle(one).opacity) > 0.2).length;
"""
    drawn = driver.execute_script(script)
    history = view(driver, "history")
    half = history.size["width"] // 4
    # from the middle of the lower edge to the right and beyond the upper one: the later trials, also the best of them
    for by_button in (False, True):
        if by_button:
            press(driver, "history", "Select")
        view(driver, "history")
        actions = ActionChains(driver).move_to_element_with_offset(history, 0, 80)
        if by_button:
            actions.click_and_hold().move_by_offset(half, -100).move_by_offset(20, -150).release().perform()
        else:
            actions.key_down(Keys.SHIFT).click_and_hold().move_by_offset(half, -100).move_by_offset(20, -150)
            actions.release().key_up(Keys.SHIFT).perform()
        WebDriverWait(driver, 60).until(lambda one: re.search(r"of [1-9]\d* brushed", count(one)))
        time.sleep(0.5)  # the drag has ended, and what it chose is shown a moment later
        brushed = int(count(driver).split(" of ")[1].split()[0])
        assert 0 < brushed < len(trials)
        WebDriverWait(driver, 60).until(lambda one: one.execute_script(script) < drawn)
        for _ in range(3):
            driver.execute_script(
                "const more = document.querySelector('#trials .tools button'); more.hidden || more.click()"
            )
        numbers = listed(driver)
        assert len(numbers) == brushed
        assert min(numbers) > len(trials) / 4  # what was left out lies to the left
        press(driver, "history", "Reset")
        WebDriverWait(driver, 60).until(lambda one: count(one) == f"15 of {len(trials)}")
        WebDriverWait(driver, 60).until(lambda one: one.execute_script(script) == drawn)
    heading = driver.find_element("css selector", "#trials thead th:first-child button")
    heading.send_keys(Keys.ENTER)
    assert listed(driver) == sorted(trials.index)[:15]
    driver.find_element("css selector", "#trials tbody tr:nth-child(3) button").send_keys(Keys.ENTER)
    picked = driver.find_element("css selector", "#figure-scatter .picked")
    WebDriverWait(driver, 60).until(lambda _: picked.text.startswith("trial 2 "))
    assert driver.get_log("browser") == []
