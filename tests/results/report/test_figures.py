"""The figures' definitions: against the schema of Vega-Lite that Altair ships, and as SVG and PNG files."""

import json
import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import altair
import jsonschema
import numpy as np
import pandas as pd
import pytest
from jsonschema.exceptions import best_match

from momentum_opt.results.rehearsal import write_rehearsal_plot
from momentum_opt.results.report import vega
from momentum_opt.results.report.content import Content, run_content
from momentum_opt.results.report.figures_path import path_plots
from momentum_opt.results.report.palette import PALETTE, TOKENS, light
from momentum_opt.results.report.plot import MOST_ROWS, Plot, for_file, for_page, table, thinned
from momentum_opt.results.report.run_page import run_page
from momentum_opt.results.report.timeline import Axis, Curve, Period, Timeline
from momentum_opt.results.run_folder import RunFolder
from tests.sample_runs import tuned

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Content:
    return run_content(RunFolder(tuned(tmp_path_factory.getbasetemp())[1]))


@pytest.fixture(scope="module")
def plots(content: Content) -> tuple[Plot, ...]:
    return run_page(content).plots


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft7Validator:
    """Vega-Lite's own schema."""
    path = Path(altair.__file__).parent / "vegalite" / "v6" / "schema" / "vega-lite-schema.json"
    return jsonschema.Draft7Validator(json.loads(path.read_text()))


def size_of(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", png[16:24])


def test_every_figure_is_vega_lite(plots: tuple[Plot, ...], schema: jsonschema.Draft7Validator):
    def wrong(spec: dict[str, Any]) -> Any:
        return best_match(schema.iter_errors(spec))

    for plot in plots:
        for spec in (*map(for_page, plot.views), for_file(plot)):
            found = wrong(spec)
            assert found is None, (plot.key, list(found.absolute_path), found.message)
    assert wrong({**for_page(plots[0].views[0]), "layer": [{"mark": "curve"}]}) is not None


def test_files_are_drawn_in_the_light_colours(plots: tuple[Plot, ...]):
    for plot in plots:
        drawn = vega.svg(plot)
        root = ElementTree.fromstring(drawn)
        assert root.tag == f"{SVG}svg"
        assert "var(" not in drawn
        assert light("ink") in drawn
        assert len(list(root.iter(f"{SVG}text"))) > 3, plot.key
        wide, tall = (float(root.attrib[side]) for side in ("width", "height"))
        assert 600 < wide < 860, plot.key
        png = vega.png(drawn)
        assert size_of(png) == pytest.approx((2 * wide, 2 * tall), abs=2)
        assert len(png) > 5000, plot.key


def test_the_same_figure_is_the_same_file(plots: tuple[Plot, ...]):
    assert vega.svg(plots[0]) == vega.svg(plots[0])


def test_a_curve_is_drawn_where_its_values_are():
    """The path in the SVG against pixels computed by hand: x linear in time, y linear in the value."""
    time = pd.Series(pd.date_range("2023-01-01", periods=5, tz="UTC"))
    values = np.array([0.0, 1.0, 0.5, 0.25, 1.0])
    curves = [Curve("one", values, "#123456")]
    view = Timeline("one", time, curves, Axis(domain=(0.0, 1.0)), height=100).view()
    drawn = ElementTree.fromstring(vega.svg(Plot("one", "t", "a", "c", (view,))))
    (path,) = (
        one.attrib["d"]
        for one in drawn.iter(f"{SVG}path")
        if one.get("stroke") == "#123456" and "L" in one.attrib["d"] and one.attrib["d"].count("L") == 4
    )
    points = np.array(re.findall(r"[ML]([\d.e-]+),([\d.e-]+)", path), dtype=float)
    expected = np.column_stack([np.arange(5) * 160.0, 100.0 - 100.0 * values])
    np.testing.assert_allclose(points, expected, atol=1e-6)


def test_periods_are_marked_where_they_begin():
    time = pd.Series(pd.date_range("2023-01-01", periods=11, tz="UTC"))
    days = [pd.Timestamp(f"2023-01-{day:02}", tz="UTC") for day in (1, 6, 11)]
    periods = [Period("train", days[0], days[1]), Period("test", days[1], days[2])]
    view = Timeline("one", time, [Curve("one", np.ones(11), "#123456")], periods=periods).view()
    drawn = ElementTree.fromstring(vega.svg(Plot("one", "t", "a", "c", (view,))))
    dashed = [one for one in drawn.iter(f"{SVG}line") if one.get("stroke-dasharray") == "3,3"]
    assert [one.attrib["transform"] for one in dashed] == ["translate(320,0)"]
    words = {one.text: one.attrib["transform"] for one in drawn.iter(f"{SVG}text")}
    assert words["train"].startswith("translate(4,")
    assert words["test"].startswith("translate(324,")


def test_long_curves_are_thinned_evenly_with_both_ends():
    assert list(thinned(4)) == [0, 1, 2, 3]
    rows = thinned(10_000)
    assert (rows[0], rows[-1], len(rows)) == (0, 9_999, MOST_ROWS)
    assert set(np.diff(rows)) <= {6, 7}
    time = pd.Series(pd.date_range("2000-01-01", periods=9_000, tz="UTC"))
    view = Timeline("long", time, [Curve("one", np.arange(9_000.0), "#123456")]).view()
    assert view["data"]["values"].count("\n") == 1 + MOST_ROWS


def test_a_table_is_csv():
    made = table({"a": [1.0, np.nan, np.inf], "b": np.array([1, 2, 3]), "c": ["x", 'y "z", w', "<"]})
    assert made["values"] == 'a,b,c\n1,1,x\nNaN,2,"y ""z"", w"\nNaN,3,<\n'
    assert made["format"] == {"type": "csv", "parse": {"a": "number", "b": "number", "c": "string"}}
    assert table({"a": [1 / 3, -1.23456789e-9, 1e15]})["values"] == "a\n0.333333\n-1.23457e-09\n1e+15\n"


def test_the_script_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import vl_convert

    made: list[int] = []

    def bundle(_: str) -> str:
        made.append(1)
        return "window.vegaEmbed = 0;"

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(vl_convert, "javascript_bundle", bundle)
    assert [vega.script(), vega.script()] == ["window.vegaEmbed = 0;"] * 2
    assert len(made) == 1
    (kept,) = (tmp_path / "momentum-opt" / "page").iterdir()
    kept.write_bytes(kept.read_bytes()[:-1] + b"!")  # damaged: made anew
    assert vega.script() == "window.vegaEmbed = 0;"
    assert len(made) == 2
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none")
    assert vega.script() == "window.vegaEmbed = 0;"


def test_a_rehearsal_is_one_picture(tmp_path: Path):
    rows = 30
    weights = np.random.default_rng(0).dirichlet([5, 5], rows)
    columns: dict[str, Any] = {"time": pd.date_range("2023-01-01", periods=rows, tz="UTC")}
    for path, shift in (("simulated", 0.0), ("contract", 1e-6)):
        columns[f"{path}_value"] = np.linspace(1e6, 1.1e6, rows)
        for place, token in enumerate("AB"):
            columns[f"{path}_weight_{token}"] = weights[:, place] + shift
    write_rehearsal_plot(tmp_path / "rehearsal.png", pd.DataFrame(columns), ("A", "B"), 1e-4)
    wide, tall = size_of((tmp_path / "rehearsal.png").read_bytes())
    assert wide > 1280
    assert tall > 1500


def test_no_two_roles_share_a_colour():
    every = [colour for pair in PALETTE.values() for colour in pair] + list(TOKENS)
    assert len(every) == len(set(every))
    assert all(re.fullmatch(r"#[0-9a-f]{6}", colour) for colour in every)


def test_baselines_that_coincide_share_a_line(content: Content):
    """The sample's pool begins with equal weights, so both HODLs hold the same; one that differs has its own line."""

    def labels(content: Content, key: str) -> list[str]:
        (plot,) = [one for one in path_plots(content, content.tear_sheet()) if one.key == key]
        series = plot.views[0]["layer"][0]["encoding"]["color"]["scale"]["domain"]
        values = plot.views[0]["data"]["values"].split("\n")[0].split(",")
        assert values == ["time", *(f"c{place}" for place in range(len(series)))]
        return series

    joint = "HODL = uniform HODL"
    assert labels(content, "equity") == [joint, "constant-weight pool", "rebalanced on an exchange", "this pool"]
    assert labels(content, "drawdown") == [joint, "constant-weight pool", "this pool"]
    assert content.daily is not None
    apart = content.daily.copy()
    apart.loc[apart.index[-1], "uniform_hodl_value"] *= 1.0 + 1e-6
    content = replace(content, daily=apart)
    assert labels(content, "equity")[:2] == ["HODL", "uniform HODL"]
    assert labels(content, "drawdown") == ["HODL", "constant-weight pool", "this pool"]
